// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

@Suite("API keys")
struct APIKeyStoreTests {
    private func record(_ name: String, _ key: String, _ role: Role = .user) -> APIKeyRecord {
        APIKeyRecord(name: name, role: role, sha256: Hexadecimal.encode(APIKey.hash(key)))
    }

    @Test("A key is recognised by its hash; a wrong and a revoked one are not")
    func recognition() throws {
        var revoked = self.record("old", "k3")
        revoked.revoked = true
        let store = try APIKeyStore([self.record("a", "k1"), self.record("b", "k2", .admin), revoked])
        #expect(store.principal(for: "k1") == Principal(name: "a", owner: "a", role: .user))
        #expect(store.principal(for: "k2") == Principal(name: "b", owner: "b", role: .admin))
        #expect(store.principal(for: "k3") == nil)
        #expect(store.principal(for: "") == nil)
    }

    @Test("Replacing the keys ends those that are gone")
    func replacement() throws {
        let store = try APIKeyStore([self.record("a", "k1")])
        try store.replace(with: [self.record("b", "k2")])
        #expect(store.principal(for: "k1") == nil)
        #expect(store.principal(for: "k2")?.name == "b")
    }

    @Test("Generated keys differ, and have the prefix that scanners look for")
    func generation() {
        let keys = Set((0..<100).map { _ in APIKey.generate() })
        #expect(keys.count == 100)
        #expect(keys.allSatisfy { $0.hasPrefix("cvk_") && $0.utf8.count == 36 })
    }

    @Test("Records that can't be used are refused")
    func refusedRecords() {
        #expect(throws: CredentialError.duplicateName("a")) {
            try APIKeyStore([self.record("a", "k1"), self.record("a", "k2")])
        }
        #expect(throws: CredentialError.malformedHash(name: "a")) {
            try APIKeyStore([APIKeyRecord(name: "a", role: .user, sha256: "00")])
        }
        var short = self.record("a", "k")
        short.totpSecret = "MFRGG"
        #expect(throws: CredentialError.malformedSecret(name: "a")) { try APIKeyStore([short]) }
    }

    @Test("A user manages its own tunnels, an admin all")
    func management() {
        #expect(Principal(name: "a", owner: "a", role: .user).mayManage(tunnelsOf: "a"))
        #expect(!Principal(name: "a", owner: "a", role: .user).mayManage(tunnelsOf: "b"))
        #expect(Principal(name: "a", owner: "a", role: .admin).mayManage(tunnelsOf: "b"))
        #expect(Principal(name: "a", owner: "b", role: .user).mayManage(tunnelsOf: "b"))
        #expect(!Principal(name: "a", owner: "b", role: .user).mayManage(tunnelsOf: "a"))
    }

    @Test("Several keys may have one owner, who has none once all are revoked")
    func owners() throws {
        var (first, second) = (self.record("ann", "k1"), self.record("ann-laptop", "k2"))
        second.owner = "ann"
        let store = try APIKeyStore([first, second])
        #expect(store.principal(for: "k2")?.owner == "ann")
        #expect(store.principal(for: "k2")?.name == "ann-laptop")
        first.revoked = true
        try store.replace(with: [first, second])
        #expect(store.hasKey(ofOwner: "ann"))
        #expect(!store.hasKey(ofOwner: "ann-laptop"))
        second.revoked = true
        try store.replace(with: [first, second])
        #expect(!store.hasKey(ofOwner: "ann"))
        second.owner = "two words"
        #expect(throws: CredentialError.malformedOwner("two words", name: "ann-laptop")) { try APIKeyStore([second]) }
    }
}
