// SPDX-License-Identifier: Apache-2.0

/// What a byte may be part of (RFC 9110 §5.6.2, RFC 9112 §3.2).
package enum ByteClass {
    private static let token = table { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }

    private static func table(_ isMember: (UInt8) -> Bool) -> [Bool] {
        (0...255).map { isMember(UInt8($0)) }
    }

    /// Letters, digits and the marks of a token.
    package static func isToken(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard !bytes.isEmpty else { return false }
        for byte in bytes where !self.token[Int(byte)] { return false }
        return true
    }

    /// Everything but controls; a tab may stand in a value.
    ///
    /// Bytes above 0x7F pass as they are (obs-text).
    package static func isFieldValue(_ bytes: UnsafeRawBufferPointer) -> Bool {
        for byte in bytes where (byte < 0x20 && byte != 0x09) || byte == 0x7F { return false }
        return true
    }

    /// Everything that can't end a line or a string: what recipients may keep of a value (RFC 9110 §5.5).
    package static func isRetainedValue(_ bytes: UnsafeRawBufferPointer) -> Bool {
        for byte in bytes where byte == 0x00 || byte == 0x0A || byte == 0x0D { return false }
        return true
    }

    /// Everything but controls and spaces.
    package static func isTarget(_ bytes: UnsafeRawBufferPointer) -> Bool {
        for byte in bytes where byte <= 0x20 || byte == 0x7F { return false }
        return !bytes.isEmpty
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
