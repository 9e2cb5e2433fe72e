// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// The ways in which the bytes of a connection may arrive.
enum Pieces {
    /// All at once, one by one unless that takes too long, and as a seed has it.
    static func all(of bytes: ByteBuffer, seed: UInt8) -> [[ByteBuffer]] {
        var ways = [[bytes], self.seeded(bytes, seed)]
        if bytes.readableBytes <= 4_096 { ways.append(self.single(bytes)) }
        return ways
    }

    static func single(_ bytes: ByteBuffer) -> [ByteBuffer] {
        (0..<bytes.readableBytes).map { self.slice(bytes, $0, 1) }
    }

    /// Mostly pieces of a few bytes, or mostly long ones.
    static func seeded(_ bytes: ByteBuffer, _ seed: UInt8) -> [ByteBuffer] {
        var parts: [ByteBuffer] = []
        var state = UInt32(seed) | 0x100
        var offset = 0
        while offset < bytes.readableBytes {
            state = state &* 1_664_525 &+ 1_013_904_223
            let longest = state & 0x10_0000 == 0 ? 9 : max(9, bytes.readableBytes / 2)
            let length = min(1 + Int(state >> 8) % longest, bytes.readableBytes - offset)
            parts.append(self.slice(bytes, offset, length))
            offset += length
        }
        return parts
    }

    private static func slice(_ bytes: ByteBuffer, _ offset: Int, _ length: Int) -> ByteBuffer {
        bytes.getSlice(at: bytes.readerIndex + offset, length: length) ?? ByteBuffer()
    }
}

extension ByteBuffer {
    /// The bytes as a text that a finding can show.
    var shown: String { String(reflecting: String(decoding: self.readableBytesView.prefix(2_000), as: UTF8.self)) }
}
