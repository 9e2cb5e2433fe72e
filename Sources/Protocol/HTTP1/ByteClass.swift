// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What a byte may be part of (RFC 9110 §5.6.2, RFC 9112 §3.2).
package enum ByteClass {
    // One bit for each byte below 0x40, and for each from there to 0x7F: as numbers they are in the code, where a table
    // would be looked for at each byte.
    private static let lowTokenBytes: UInt64 = 0x03ff_6cfa_0000_0000
    private static let highTokenBytes: UInt64 = 0x57ff_ffff_c7ff_fffe

    private static let lowNameBytes: UInt64 = 0x2bff_6ff2_0000_0000
    private static let highNameBytes: UInt64 = 0x47ff_fffe_87ff_fffe

    private static func isMember(_ byte: UInt8, _ low: UInt64, _ high: UInt64) -> Bool {
        byte < 0x80 && (byte < 0x40 ? low : high) >> UInt64(byte & 0x3F) & 1 == 1
    }

    /// The first place of a byte in a range of others: the C library looks at many at a time.
    package static func firstIndex(of byte: UInt8, in bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int? {
        guard let base = bytes.baseAddress, !range.isEmpty, range.upperBound <= bytes.count else { return nil }
        return memchr(base + range.lowerBound, Int32(byte), range.count).map { UnsafeRawPointer($0) - base }
    }

    /// A letter, a digit or a mark of a token.
    static func isTokenByte(_ byte: UInt8) -> Bool {
        self.isMember(byte, self.lowTokenBytes, self.highTokenBytes)
    }

    /// Letters, digits and the marks of a token.
    package static func isToken(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard !bytes.isEmpty else { return false }
        for byte in bytes where !self.isTokenByte(byte) { return false }
        return true
    }

    /// What stands in a registered name (RFC 3986 §3.2.2), but for the comma, which would look like a list.
    package static func isNameByte(_ byte: UInt8) -> Bool {
        self.isMember(byte, self.lowNameBytes, self.highNameBytes)
    }

    /// Everything but controls; a tab may stand in a value.
    ///
    /// Bytes above 0x7F pass as they are (obs-text).
    package static func isFieldValue(_ bytes: UnsafeRawBufferPointer) -> Bool {
        ByteWords.allSatisfy(bytes) {
            ByteWords.hasByte(below: 0x20, in: $0) || ByteWords.hasByte(0x7F, in: $0)
        } byByte: {
            ($0 >= 0x20 || $0 == 0x09) && $0 != 0x7F
        }
    }

    /// Everything that can't end a line or a string: what recipients may keep of a value (RFC 9110 §5.5).
    package static func isRetainedValue(_ bytes: UnsafeRawBufferPointer) -> Bool {
        ByteWords.allSatisfy(bytes) {
            ByteWords.hasByte(below: 0x0E, in: $0)
        } byByte: {
            $0 != 0x00 && $0 != 0x0A && $0 != 0x0D
        }
    }

    /// Everything but controls and spaces.
    package static func isTarget(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let isValid = ByteWords.allSatisfy(bytes) {
            ByteWords.hasByte(below: 0x21, in: $0) || ByteWords.hasByte(0x7F, in: $0)
        } byByte: {
            $0 > 0x20 && $0 != 0x7F
        }
        return isValid && !bytes.isEmpty
    }

    /// Whether bytes, as far as they are there, begin as a text does.
    package static func begin(_ bytes: UnsafeRawBufferPointer, like text: StaticString) -> Bool {
        text.withUTF8Buffer { text in
            for index in 0..<min(bytes.count, text.count) where bytes[index] != text[index] { return false }
            return true
        }
    }

    /// Whether bytes are a text of ASCII in any case.
    ///
    /// - Parameter text: The text in lower case.
    package static func equals(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        guard bytes.count == text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { text in
            for index in 0..<bytes.count where bytes[index].asciiLowercased != text[index] { return false }
            return true
        }
    }
}

extension UInt8 {
    /// A to Z in lower case, and every other byte as it is.
    package var asciiLowercased: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }
}
