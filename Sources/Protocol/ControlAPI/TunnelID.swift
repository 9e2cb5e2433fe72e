// SPDX-License-Identifier: Apache-2.0

/// The name of a tunnel: the first segment of its public path, or the first label of its public host.
package struct TunnelID: Hashable, Sendable, CustomStringConvertible {
    /// The id itself: 3 to 63 of `a-z`, `0-9` and `-`, so that it is also a DNS label (RFC 1035 §2.3.4).
    package let description: String

    /// Reads an id.
    ///
    /// - Parameter text: What may be an id; anything else than `[a-z0-9-]{3,63}` gives `nil`.
    package init?(_ text: String) {
        guard Self.isID(text.utf8) else { return nil }
        self.description = text
    }

    /// Reads an id from a part of a text.
    package init?(_ text: Substring) {
        guard Self.isID(text.utf8) else { return nil }
        self.description = String(text)
    }

    @inline(__always)
    private static func isID(_ bytes: some Collection<UInt8>) -> Bool {
        (3...63).contains(bytes.count)
            && bytes.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    private init(verified text: String) {
        self.description = text
    }

    /// Draws an id of 16 characters of lower-case base 32 (RFC 4648 §6): 80 bits, so that it can't be guessed.
    ///
    /// - Parameter generator: Where the bits come from; it has to be cryptographically secure.
    package static func random(using generator: inout some RandomNumberGenerator) -> TunnelID {
        let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)
        let bytes = (0..<16).map { _ in alphabet[Int(generator.next(upperBound: UInt8(32)))] }
        return TunnelID(verified: String(decoding: bytes, as: UTF8.self))
    }
}

extension TunnelID: Comparable {
    package static func < (one: TunnelID, other: TunnelID) -> Bool {
        one.description < other.description
    }
}
