// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
import EdgeTunnels
import FoundationEssentials
#else
import Foundation
#endif

/// A key that signs tunnel tokens.
package struct SigningKey: Codable, Equatable, Sendable {
    /// The name of the key, `kid` in the tokens.
    package var kid: String
    /// The key in base 64, at least 32 bytes of it.
    package var secret: String

    /// Makes a key of its name and its bytes in base 64.
    package init(
        kid: String,
        secret: String
    ) {
        self.kid = kid
        self.secret = secret
    }

    /// The bytes of the key.
    package var bytes: [UInt8]? { Data(base64Encoded: self.secret).map { Array($0) } }
}

extension SigningKeyStamp {
    /// Makes the stamp of a key.
    init(_ key: SigningKey) {
        self.init(kid: key.kid, bytes: key.bytes ?? [])
    }
}
