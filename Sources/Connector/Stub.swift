import ArgumentParser
import AsyncHTTPClient
import Configuration
import NIOFoundationCompat
@main struct ConnectorStub { static func main() {} }
