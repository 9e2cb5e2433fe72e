// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Turns the bytes of an input into choices: any input gives some choices, and similar inputs give similar ones.
struct InputReader {
    private let bytes: [UInt8]
    private var index = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { self.index >= self.bytes.count }

    /// The next byte; 0 when there is none.
    mutating func byte() -> UInt8 {
        guard self.index < self.bytes.count else { return 0 }
        defer { self.index += 1 }
        return self.bytes[self.index]
    }

    /// A number below `bound`, which is at most 256.
    mutating func number(below bound: Int) -> Int {
        bound <= 1 ? 0 : Int(self.byte()) % bound
    }

    mutating func integer<Number: FixedWidthInteger>(_: Number.Type = Number.self) -> Number {
        var number: UInt64 = 0
        for _ in 0..<Number.bitWidth / 8 { number = number << 8 | UInt64(self.byte()) }
        return Number(truncatingIfNeeded: number)
    }

    mutating func element<Element>(of elements: [Element]) -> Element {
        elements[self.number(below: elements.count)]
    }

    mutating func take(_ count: Int) -> ArraySlice<UInt8> {
        let end = min(self.index + count, self.bytes.count)
        defer { self.index = end }
        return self.bytes[self.index..<end]
    }

    mutating func rest() -> ArraySlice<UInt8> {
        self.take(self.bytes.count)
    }
}
