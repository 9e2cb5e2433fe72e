// SPDX-License-Identifier: Apache-2.0

/// What a lenient reader keeps of the head of a message: the start line and how the body ends.
package struct MessageOutline: Equatable {
    /// The first line of a message.
    package enum Start: Equatable {
        /// A request; the path ends before the query, which may hold what a log must not.
        case request(method: String, path: String)
        case response(status: Int)
    }

    /// What the fields say of the body (RFC 9112 §6.3).
    package enum Length: Equatable {
        case unstated
        case bytes(UInt64)
        case chunked
        /// A transfer coding that does not end by itself.
        case untilClose
    }

    package var start: Start
    package var length = Length.unstated

    /// Longest path that is kept.
    package static let longestPath = 1_024

    /// Reads a request line; nothing if it is not one of HTTP/1.
    static func request(_ line: ArraySlice<UInt8>) -> MessageOutline? {
        let parts = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard parts.count == 3, (1...32).contains(parts[0].count), parts[0].allSatisfy(Self.isLetterOrDash),
            !parts[1].isEmpty, Self.isVersion(parts[2])
        else { return nil }
        let path = parts[1].prefix { $0 != UInt8(ascii: "?") }.prefix(Self.longestPath)
        return MessageOutline(
            start: .request(
                method: String(decoding: parts[0], as: UTF8.self),
                path: String(decoding: path, as: UTF8.self)
            )
        )
    }

    /// Reads a status line; nothing if it is not one of HTTP/1.
    static func response(_ line: ArraySlice<UInt8>) -> MessageOutline? {
        let parts = line.split(separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, Self.isVersion(parts[0]), parts[1].count == 3,
            let status = Int(String(decoding: parts[1], as: UTF8.self)), (100...999).contains(status)
        else { return nil }
        return MessageOutline(start: .response(status: status))
    }

    /// Takes a field line.
    ///
    /// - Parameters:
    ///   - line: The line, or its beginning.
    ///   - isWhole: Whether the line is all there.
    /// - Returns: Whether it is understood.
    mutating func take(field line: ArraySlice<UInt8>, isWhole: Bool) -> Bool {
        // A folded line (RFC 9112 §5.2) might continue a field that matters here.
        guard let first = line.first, first != UInt8(ascii: " "), first != UInt8(ascii: "\t") else { return false }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return false }
        let name = line[..<colon]
        if Self.equals(name, "content-length") {
            guard isWhole, let value = Self.number(Self.trimmed(line[(colon + 1)...])) else { return false }
            switch self.length {
            case .unstated: self.length = .bytes(value)
            case .bytes(let other): return value == other
            // A transfer coding overrides the length (RFC 9112 §6.3 rule 3).
            case .chunked, .untilClose: break
            }
        } else if Self.equals(name, "transfer-encoding") {
            guard isWhole else { return false }
            let last = Self.trimmed(line[(colon + 1)...]).split(separator: UInt8(ascii: ",")).last ?? []
            self.length = Self.equals(Self.trimmed(last), "chunked") ? .chunked : .untilClose
        }
        return true
    }

    private static func isVersion(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.elementsEqual("HTTP/1.1".utf8) || bytes.elementsEqual("HTTP/1.0".utf8)
    }

    private static func isLetterOrDash(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }

    /// Whether the bytes are the lower-case text in any case.
    private static func equals(_ bytes: ArraySlice<UInt8>, _ text: StaticString) -> Bool {
        guard bytes.count == text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { text in
            zip(bytes, text).allSatisfy { byte, other in
                byte == other || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) && byte | 0x20 == other
            }
        }
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        var bytes = bytes.drop(while: isBlank)
        while let last = bytes.last, isBlank(last) { bytes.removeLast() }
        return bytes
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64? {
        guard !bytes.isEmpty, bytes.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        return UInt64(String(decoding: bytes, as: UTF8.self))
    }
}
