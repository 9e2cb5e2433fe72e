// SPDX-License-Identifier: Apache-2.0

/// A field as almost all of them are: a known name or one of letters, digits and hyphens, a colon, spaces, a value without
/// controls, and CR LF.
///
/// Name, value and the end of the line are found and checked at once, eight bytes at a time. Every other line is none: it
/// is left to the reader that knows what is wrong, or passes all the same.
struct UsualField {
    let line: FieldLine
    /// Where the next line begins.
    let next: Int

    /// Reads the line that begins at a place; `nil` if it is another one, or its end is not there.
    ///
    /// - Parameters:
    ///   - bytes: The bytes.
    ///   - start: Where the line begins.
    ///   - names: The names of known fields.
    @inline(__always)
    init?(_ bytes: Words, at start: Int, _ names: FieldNames) {
        var marks: UInt64
        var colon = start
        repeat {
            let word = bytes.word(at: colon)
            marks = ByteWords.marks(UInt8(ascii: ":"), in: word) | ByteWords.marks(below: 0x20, in: word)
            colon += ByteWords.firstMark(marks)
        } while marks == 0
        guard colon > start, bytes.byte(at: colon) == UInt8(ascii: ":"),
            let known = names.usual(UnsafeRawBufferPointer(start: bytes.base + start, count: colon - start))
        else { return nil }
        var valueStart = colon + 1
        while bytes.byte(at: valueStart) == 0x20 { valueStart += 1 }
        var end = valueStart
        repeat {
            let word = bytes.word(at: end)
            marks = ByteWords.marks(below: 0x20, in: word) | ByteWords.marks(0x7F, in: word)
            end += ByteWords.firstMark(marks)
        } while marks == 0
        guard bytes.byte(at: end) == 0x0D, bytes.byte(at: end + 1) == 0x0A else { return nil }
        self.next = end + 2
        while end > valueStart, bytes.byte(at: end - 1) == 0x20 { end -= 1 }
        self.line = FieldLine(
            known: known,
            name: FieldLine.Span(start: start, count: colon - start),
            value: FieldLine.Span(start: valueStart, count: end - valueStart)
        )
    }

    /// Bytes with zeros behind them, which are controls: what is looked for there is found.
    struct Words {
        let base: UnsafeRawPointer
        /// At least eight.
        private let count: Int

        /// `nil` of fewer than eight bytes.
        init?(_ raw: UnsafeRawBufferPointer) {
            guard let base = raw.baseAddress, raw.count >= 8 else { return nil }
            self.base = base
            self.count = raw.count
        }

        /// Eight bytes, the first one lowest.
        @inline(__always)
        func word(at index: Int) -> UInt64 {
            let over = index &- (self.count &- 8)
            guard over > 0 else { return UInt64(littleEndian: self.load(index)) }
            return over < 8 ? UInt64(littleEndian: self.load(self.count &- 8)) &>> UInt64(8 &* over) : 0
        }

        @inline(__always)
        func byte(at index: Int) -> UInt8 {
            index < self.count ? self.base.load(fromByteOffset: index, as: UInt8.self) : 0
        }

        @inline(__always)
        private func load(_ index: Int) -> UInt64 { self.base.loadUnaligned(fromByteOffset: index, as: UInt64.self) }
    }
}
