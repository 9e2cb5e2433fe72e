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
}
