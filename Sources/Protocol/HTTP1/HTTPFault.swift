// SPDX-License-Identifier: Apache-2.0

/// Why a message can't be taken as HTTP/1.1 (RFC 9112).
package struct HTTPFault: Error, Equatable {
    /// What kind of fault it is.
    package var kind: Kind
    /// What was wrong, in words that a developer understands.
    package var reason: String

    package enum Kind: Equatable {
        /// Malformed or ambiguous: who reads it otherwise than we do would see another message.
        case malformed
        /// A head that is too long or has too many fields.
        case headTooLarge
        /// A version of HTTP that is not 1.x.
        case unsupportedVersion
    }

    package static func malformed(_ reason: String) -> HTTPFault { HTTPFault(kind: .malformed, reason: reason) }
}
