// SPDX-License-Identifier: Apache-2.0

/// The hash of a password as other servers keep it: what `htpasswd` writes, and what `/etc/shadow` has.
///
/// Where a plain password is wanted, such a text would be taken for one: nobody could sign in with the password that
/// was hashed, and whoever has read the file of hashes could.
enum ForeignPasswordHash {
    /// The schemes of crypt(3), between two dollar signs.
    private static let schemes: Set<String> = [
        "1", "2", "2a", "2b", "2x", "2y", "5", "6", "7", "y", "gy", "apr1", "sha1", "argon2i", "argon2d", "argon2id",
    ]

    /// What LDAP and `htpasswd -s` put in front of a hash in base 64.
    private static let labels = ["{SHA}", "{SSHA}", "{SHA256}", "{SSHA256}", "{SHA512}", "{SSHA512}"]

    /// The shortest text of such a form that is a hash, beside what names its scheme.
    private static let shortest = 20

    /// What is wrong with it as a password, as the end of a sentence whose subject is the password.
    static let fault = "looks like a hash, as htpasswd writes it: the plain password is wanted, and the edge hashes it"

    /// Whether a text is a hash, or a line `user:hash` of a file of them.
    static func matches(_ text: String) -> Bool {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        return self.isHash(text[...]) || parts.count == 2 && self.isHash(parts[1])
    }

    private static func isHash(_ text: Substring) -> Bool {
        if let label = self.labels.first(where: { text.uppercased().hasPrefix($0) }) {
            return text.utf8.count >= label.utf8.count + self.shortest
        }
        let parts = text.split(separator: "$", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].isEmpty else { return false }
        return self.schemes.contains(String(parts[1])) && parts[2].utf8.count >= self.shortest
    }
}
