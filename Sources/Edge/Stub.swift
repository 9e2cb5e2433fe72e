import ArgumentParser
import Configuration
import Crypto
import HTTPTypes
import Hummingbird
import JWTKit
import Logging
import Metrics
import NIOPosix
import NIOSSL
import ServiceLifecycle
import UnixSignals
@main struct EdgeStub { static func main() {} }
