// SPDX-License-Identifier: Apache-2.0

import Crypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A key that signs tunnel tokens.
struct SigningKey: Codable, Equatable, Sendable {
    /// The name of the key, `kid` in the tokens.
    var kid: String
    /// The key in base 64, at least 32 bytes of it.
    var secret: String

    /// The bytes of the key.
    var bytes: [UInt8]? { Data(base64Encoded: self.secret).map { Array($0) } }
}

/// What tells one signing key from another, also from one of the same name, without being it.
struct SigningKeyStamp: Hashable, Sendable {
    private let digest: [UInt8]

    /// Makes the stamp of a key.
    init(_ key: SigningKey) {
        var hash = SHA256()
        hash.update(data: Array(key.kid.utf8))
        hash.update(data: [0])
        hash.update(data: key.bytes ?? [])
        self.digest = Array(hash.finalize())
    }
}
