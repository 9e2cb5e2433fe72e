// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Crypto
import CryptoExtras

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The salted hash of a visitor's password: PBKDF2 with HMAC-SHA-256 (RFC 8018 §5.2).
///
/// It takes tens of milliseconds, and so is never computed on an event loop. Who can read the hash is the owner of the
/// tunnel, in the token, and whoever reads the memory of the edge.
package enum PasswordHash {
    /// The iterations of a new hash.
    static let iterations = TextSyntax.mostHashIterations

    /// Replaces the password of a credential with its hash.
    package static func hashed(_ credential: BasicCredential) -> BasicCredential {
        guard let password = credential.password else { return credential }
        var generator = SystemRandomNumberGenerator()
        let salt = (0..<16).map { _ in generator.next() as UInt8 }
        let hash = self.derive(password: Array(password.utf8), salt: salt, iterations: self.iterations)
        return BasicCredential(
            username: credential.username,
            passwordHash: "pbkdf2-sha256$\(self.iterations)$\(Hexadecimal.encode(salt))$\(Hexadecimal.encode(hash))"
        )
    }

    /// Whether a password has this hash; `false` for a hash in another spelling.
    package static func verify(_ password: some Collection<UInt8>, hash: String) -> Bool {
        guard let parts = self.parts(of: hash) else { return false }
        let derived = self.derive(password: Array(password), salt: parts.salt, iterations: parts.iterations)
        return ConstantTime.equal(derived, parts.hash)
    }

    private static func parts(of text: String) -> (iterations: Int, salt: [UInt8], hash: [UInt8])? {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "pbkdf2-sha256", let iterations = Int(parts[1]),
            (1...self.iterations).contains(iterations), let salt = Hexadecimal.decode(parts[2]), salt.count <= 64,
            let hash = Hexadecimal.decode(parts[3]), hash.count == SHA256.byteCount
        else { return nil }
        return (iterations, salt, hash)
    }

    /// As many bytes of PBKDF2 as the hash function has; empty for what BoringSSL refuses, which is nothing here.
    static func derive(password: [UInt8], salt: [UInt8], iterations: Int) -> [UInt8] {
        let key = try? KDF.Insecure.PBKDF2.deriveKey(
            from: password,
            salt: salt,
            using: .sha256,
            outputByteCount: SHA256.byteCount,
            unsafeUncheckedRounds: max(1, iterations)
        )
        return key?.withUnsafeBytes { Array($0) } ?? []
    }
}
