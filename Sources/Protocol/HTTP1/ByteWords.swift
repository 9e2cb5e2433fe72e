// SPDX-License-Identifier: Apache-2.0

/// Looks at eight bytes at a time: values and targets are most of a head, and almost never have what is looked for.
enum ByteWords {
    /// A byte in each of the eight places.
    private static func all(_ byte: UInt8) -> UInt64 { UInt64(byte) &* 0x0101_0101_0101_0101 }

    /// Marks the bytes that are less than a number of at most 0x80, by their highest bits.
    ///
    /// The lowest mark is right. Those above it may not be: the subtraction borrows.
    static func marks(below limit: UInt8, in word: UInt64) -> UInt64 {
        (word &- self.all(limit)) & ~word & self.all(0x80)
    }

    /// Marks the bytes that are this one; the lowest mark is right.
    static func marks(_ byte: UInt8, in word: UInt64) -> UInt64 {
        self.marks(below: 1, in: word ^ self.all(byte))
    }

    /// The place of the lowest mark; 8 if there is none.
    static func firstMark(_ marks: UInt64) -> Int { marks.trailingZeroBitCount >> 3 }

    /// Whether one of the eight bytes is less than a number of at most 0x80.
    static func hasByte(below limit: UInt8, in word: UInt64) -> Bool {
        self.marks(below: limit, in: word) != 0
    }

    /// Whether one of the eight bytes is this one.
    static func hasByte(_ byte: UInt8, in word: UInt64) -> Bool {
        self.marks(byte, in: word) != 0
    }

    /// Whether all of the eight bytes are letters, digits or hyphens.
    static func areLettersDigitsHyphens(_ word: UInt64) -> Bool {
        let small = word | self.all(0x20)
        // The highest bit of a byte says whether it is at least the one, and not behind the other.
        let isLetter = (small &+ self.all(0x80 - 0x61)) & ~(small &+ self.all(0x80 - 0x7B))
        let isDigit = (word &+ self.all(0x80 - 0x30)) & ~(word &+ self.all(0x80 - 0x3A))
        let isHyphen = ~((word ^ self.all(UInt8(ascii: "-"))) &+ self.all(0x7F))
        // A byte above 0x7F carries into the next one, but is itself none of them.
        return (isLetter | isDigit | isHyphen) & ~word & self.all(0x80) == self.all(0x80)
    }

    /// Whether all bytes are letters, digits or hyphens.
    static func areLettersDigitsHyphens(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= 8 else {
            // As many letters as are missing.
            let (start, end) = self.ends(bytes)
            let padding = bytes.count >= 4 ? self.all(UInt8(ascii: "a")) << 32 : self.all(UInt8(ascii: "a")) << 16
            let last = bytes.count >= 4 ? padding : self.all(UInt8(ascii: "a")) << 8
            return bytes.count > 0 && self.areLettersDigitsHyphens(start | padding)
                && self.areLettersDigitsHyphens(end | last)
        }
        var index = 0
        while true {
            let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            guard self.areLettersDigitsHyphens(word) else { return false }
            guard index + 8 < bytes.count else { return true }
            index = min(index + 8, bytes.count - 8)
        }
    }

    /// The eight bytes with A to Z in lower case, and every other byte as it is.
    static func lowercased(_ word: UInt64) -> UInt64 {
        let low = word & self.all(0x7F)
        // The highest bit of a byte says whether it is at least A, and whether it is behind Z.
        let isUpper = (low &+ self.all(0x80 - 0x41)) ^ (low &+ self.all(0x80 - 0x5B))
        return word | (isUpper & ~word & self.all(0x80)) >> 2
    }

    /// The eight bytes with a hyphen for each underscore.
    static func hyphenated(_ word: UInt64) -> UInt64 {
        let other = word ^ self.all(UInt8(ascii: "_"))
        let isOther = ((other & self.all(0x7F)) &+ self.all(0x7F)) | other
        let isUnderscore = (~isOther & self.all(0x80)) >> 7
        return word ^ (isUnderscore &* UInt64(UInt8(ascii: "_") ^ UInt8(ascii: "-")))
    }

    /// Whether all bytes are right.
    ///
    /// - Parameters:
    ///   - bytes: The bytes.
    ///   - needsLook: Whether one of eight bytes may be wrong.
    ///   - isRight: Whether a byte is right.
    @inline(__always)
    static func allSatisfy(
        _ bytes: UnsafeRawBufferPointer,
        needsLook: (UInt64) -> Bool,
        byByte isRight: (UInt8) -> Bool
    ) -> Bool {
        guard bytes.count >= 8 else { return bytes.allSatisfy(isRight) }
        var index = 0
        // The last word overlaps the one before it where the bytes are no multiple of eight.
        while true {
            if needsLook(bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)) {
                for byte in bytes[index..<index + 8] where !isRight(byte) { return false }
            }
            guard index + 8 < bytes.count else { return true }
            index = min(index + 8, bytes.count - 8)
        }
    }

    /// The first and the last eight bytes of so many as have room in two words, which overlap where there are fewer.
    @inline(__always)
    static func ends(_ bytes: UnsafeRawBufferPointer) -> (UInt64, UInt64) {
        let count = bytes.count
        if count >= 8 {
            return (
                bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self),
                bytes.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
            )
        }
        if count >= 4 {
            return (
                UInt64(bytes.loadUnaligned(fromByteOffset: 0, as: UInt32.self)),
                UInt64(bytes.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self))
            )
        }
        guard count > 0 else { return (0, 0) }
        return (UInt64(bytes[0]) | UInt64(bytes[count / 2]) << 8, UInt64(bytes[count - 1]))
    }
}
