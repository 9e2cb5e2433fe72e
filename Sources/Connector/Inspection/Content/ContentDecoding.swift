// SPDX-License-Identifier: Apache-2.0

/// Undoes the content coding of a body, as far as this program can (RFC 9110 §8.4).
package enum ContentDecoding {
    /// The most that is decoded, in bytes: a small body may stand for a very large one.
    package static let limit = 8 << 20

    /// What came of decoding.
    package struct Decoded: Equatable, Sendable {
        /// The decoded bytes.
        package var bytes: [UInt8]
        /// Whether that is all: nothing was cut, broken, or beyond the limit.
        package var isWhole: Bool
    }

    /// Decodes.
    ///
    /// - Parameters:
    ///   - bytes: The body, perhaps only its beginning.
    ///   - coding: The value of `Content-Encoding`, in lower case; `nil` if there was none.
    ///   - limit: The most that is decoded, in bytes, which has no effect on what is not coded.
    /// - Returns: `nil` if the coding is not one that is known here, or nothing could be decoded.
    package static func decode(_ bytes: [UInt8], coding: String?, limit: Int = Self.limit) -> Decoded? {
        switch coding {
        case nil, "identity": return Decoded(bytes: bytes, isWhole: true)
        case "gzip", "x-gzip": return Self.inflate(bytes, .gzipOrZlib, limit)
        case "deflate":
            // RFC 9110 §8.4.1.2: zlib is meant, and some servers send bare deflate.
            return Self.inflate(bytes, .gzipOrZlib, limit) ?? Self.inflate(bytes, .none, limit)
        default: return nil
        }
    }

    private static func inflate(_ bytes: [UInt8], _ wrapping: Inflater.Wrapping, _ limit: Int) -> Decoded? {
        guard let inflater = Inflater(wrapping, piece: 64 << 10) else { return nil }
        var decoded: [UInt8] = []
        let outcome = bytes.withUnsafeBytes { bytes in
            inflater.inflate(bytes) { piece in
                decoded.append(contentsOf: piece.prefix(limit - decoded.count))
                return decoded.count < limit
            }
        }
        if outcome == .broken, decoded.isEmpty { return nil }
        return Decoded(bytes: decoded, isWhole: outcome == .end)
    }
}
