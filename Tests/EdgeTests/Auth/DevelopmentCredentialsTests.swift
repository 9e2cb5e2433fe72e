// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Edge
@testable import EdgeControl

@Suite("Credentials of a development edge")
struct DevelopmentCredentialsTests {
    private static let key = APIKeyRecord(name: "mine", role: .admin, sha256: String(repeating: "ab", count: 32))

    @Test("an edge without any makes up both keys, each time others")
    func madeUp() {
        let first = DevelopmentCredentials(completing: CredentialSet(apiKeys: [], signingKeys: []))
        let second = DevelopmentCredentials(completing: CredentialSet(apiKeys: [], signingKeys: []))
        #expect(first.apiKey != nil)
        #expect(first.apiKey != second.apiKey)
        #expect(first.set.signingKeys != second.set.signingKeys)
    }

    @Test("with an API key of one's own the signing key is the same after a restart, so that tokens stay valid")
    func derived() throws {
        let set = CredentialSet(apiKeys: [Self.key], signingKeys: [])
        let first = DevelopmentCredentials(completing: set)
        #expect(first.apiKey == nil)
        #expect(first.set.signingKeys == DevelopmentCredentials(completing: set).set.signingKeys)
        #expect(try #require(first.set.signingKeys.first?.bytes).count == 32)
        var other = Self.key
        other.sha256 = String(repeating: "cd", count: 32)
        let otherSet = CredentialSet(apiKeys: [other], signingKeys: [])
        #expect(DevelopmentCredentials(completing: otherSet).set.signingKeys != first.set.signingKeys)
    }

    @Test("a signing key that is configured is kept")
    func configured() {
        let signing = SigningKey.generate(kid: "own")
        let set = CredentialSet(apiKeys: [Self.key], signingKeys: [signing])
        #expect(DevelopmentCredentials(completing: set).set.signingKeys == [signing])
    }

    @Test("The command to try leads to the edge itself, and a public URL that has to lead here is told as one")
    func greeting() {
        let credentials = DevelopmentCredentials(completing: CredentialSet(apiKeys: [], signingKeys: []))
        var addresses = EdgeAddresses(
            listen: ListenAddress(host: "127.0.0.1", port: 8989),
            admin: ListenAddress(host: "127.0.0.1", port: 8990),
            publicURL: "http://127.0.0.1:8989",
            localURL: "http://127.0.0.1:8989"
        )
        #expect(!credentials.greeting(addresses).contains("Visitors"))
        addresses.publicURL = "https://demo.example.com"
        let lines = credentials.greeting(addresses).split(separator: "\n").map(String.init)
        #expect(lines.first == "culvert-edge listens on http://127.0.0.1:8989 (development: nothing is kept)")
        #expect(lines.contains { $0.hasPrefix("  Try      CULVERT_EDGE=http://127.0.0.1:8989 CULVERT_API_KEY=cvk_") })
        #expect(lines.contains("  Visitors https://demo.example.com, which has to lead to 127.0.0.1:8989"))
    }

    @Test("A public URL of this machine, at the port that the edge has, has nowhere else to lead")
    func greetingOfThisMachine() {
        let credentials = DevelopmentCredentials(completing: CredentialSet(apiKeys: [], signingKeys: []))
        func visitors(_ publicURL: String) -> Bool {
            let addresses = EdgeAddresses(
                listen: ListenAddress(host: "127.0.0.1", port: 8989),
                admin: ListenAddress(host: "127.0.0.1", port: 8990),
                publicURL: publicURL,
                localURL: "http://127.0.0.1:8989"
            )
            return credentials.greeting(addresses).contains("which has to lead to")
        }
        for url in [
            "http://localhost:8989", "http://edge.localhost:8989", "http://127.0.0.2:8989", "http://[::1]:8989",
        ] {
            #expect(!visitors(url), "\(url)")
        }
        for url in ["http://localhost", "http://localhost:8080", "https://localhost:8989", "http://demo.example:8989"] {
            #expect(visitors(url), "\(url)")
        }
    }

    @Test("With a host for the API the command to try names that")
    func greetingWithAPIHost() {
        let credentials = DevelopmentCredentials(completing: CredentialSet(apiKeys: [], signingKeys: []))
        let addresses = EdgeAddresses(
            listen: ListenAddress(host: "127.0.0.1", port: 8989),
            admin: ListenAddress(host: "127.0.0.1", port: 8990),
            publicURL: "http://127.0.0.1:8989",
            localURL: "http://127.0.0.1:8989",
            apiURL: "http://api.localhost:8989"
        )
        #expect(credentials.greeting(addresses).contains("CULVERT_EDGE=http://api.localhost:8989 "))
    }

    @Test("With a certificate the command to try names what the certificate is for")
    func greetingWithTLS() {
        let credentials = DevelopmentCredentials(completing: CredentialSet(apiKeys: [], signingKeys: []))
        let addresses = EdgeAddresses(
            listen: ListenAddress(host: "127.0.0.1", port: 8989),
            admin: ListenAddress(host: "127.0.0.1", port: 8990),
            publicURL: "https://demo.example.com:8989",
            localURL: "https://127.0.0.1:8989"
        )
        #expect(credentials.greeting(addresses).contains("CULVERT_EDGE=https://demo.example.com:8989 "))
    }
}
