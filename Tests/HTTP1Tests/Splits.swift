// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// A small generator whose seed a failing test can print (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Ways to cut one message into the pieces in which a network may bring it.
enum Splits {
    static func byteByByte(_ text: String) -> [ByteBuffer] {
        text.utf8.map { ByteBuffer(bytes: [$0]) }
    }

    /// Pieces of one to eight bytes.
    static func random(_ text: String, seed: UInt64) -> [ByteBuffer] {
        var generator = SeededGenerator(seed: seed)
        var rest = Array(text.utf8)[...]
        var pieces: [ByteBuffer] = []
        while !rest.isEmpty {
            let piece = rest.prefix(Int.random(in: 1...8, using: &generator))
            pieces.append(ByteBuffer(bytes: piece))
            rest = rest.dropFirst(piece.count)
        }
        return pieces
    }
}
