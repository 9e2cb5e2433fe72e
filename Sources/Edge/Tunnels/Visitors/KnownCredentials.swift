// SPDX-License-Identifier: Apache-2.0

import Crypto

/// Visitors' credentials that were right, so that only the first request with them is hashed slowly.
///
/// They are kept as keyed digests of what was decoded, however a client writes the field. Two generations bound them:
/// what is used is in the young one, and who visits all the time is never forgotten for others who visit once.
struct KnownCredentials: Sendable {
    /// The most credentials of one generation.
    static let capacity = 512

    private struct Proof: Sendable {
        var username: String
        /// The hash that the password was compared with.
        var hash: String
    }

    /// Of this table alone, so that digests made elsewhere from a list of passwords fit nothing here.
    private let key = SymmetricKey(size: .bits256)
    private var young: [[UInt8]: Proof] = [:]
    private var old: [[UInt8]: Proof] = [:]

    /// The credentials that are known.
    var count: Int { self.young.count + self.old.count }

    /// Under what credentials are remembered.
    func digest(username: String, password: [UInt8]) -> [UInt8] {
        // A user name has no colon (RFC 7617 §2), so that no two pairs have the same bytes.
        Array(HMAC<SHA256>.authenticationCode(for: Array("\(username):".utf8) + password, using: self.key))
    }

    /// Whether the credentials were right, and are still in use.
    mutating func contains(_ digest: [UInt8]) -> Bool {
        if self.young[digest] != nil { return true }
        guard let proof = self.old.removeValue(forKey: digest) else { return false }
        self.store(proof, for: digest)
        return true
    }

    /// Remembers credentials that were right.
    mutating func insert(_ attempt: PasswordAttempt) {
        self.old[attempt.digest] = nil
        self.store(Proof(username: attempt.username, hash: attempt.hash), for: attempt.digest)
    }

    /// Forgets the credentials that other rules do not have.
    mutating func keepOnly(_ rules: VisitorRules) {
        self.young = self.young.filter { rules.hash(of: $0.value.username) == $0.value.hash }
        self.old = self.old.filter { rules.hash(of: $0.value.username) == $0.value.hash }
    }

    private mutating func store(_ proof: Proof, for digest: [UInt8]) {
        if self.young.count >= Self.capacity {
            self.old = self.young
            self.young = [:]
        }
        self.young[digest] = proof
    }
}
