// SPDX-License-Identifier: Apache-2.0

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

extension SigningKeyStamp {
    /// Makes the stamp of a key.
    init(_ key: SigningKey) {
        self.init(kid: key.kid, bytes: key.bytes ?? [])
    }
}
