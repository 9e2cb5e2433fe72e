// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import Testing

@testable import Mux

@Suite("Bytes of a WebSocket that were read and taken")
struct WebSocketMemoryTests {
    private static let total = ProcessInfo.processInfo.environment["CULVERT_LONG"] == "1" ? 1 << 30 : 16 << 20
    private static let maximumMessage = 64 << 10

    /// A frame of a server, whose payload is not masked.
    private static func frame(_ opcode: UInt8, isFinal: Bool, _ count: Int) -> [UInt8] {
        let length: [UInt8] = count < 126 ? [UInt8(count)] : [126, UInt8(count >> 8), UInt8(count & 0xff)]
        return [(isFinal ? 0x80 : 0) | opcode] + length + Array(repeating: 7, count: count)
    }

    @Test(
        "Reads that end in the middle of a header or payload keep no more than a message and a read",
        arguments: [
            [(2, true, 4_000), (2, true, 1)], [(2, false, 3_000), (9, true, 5), (0, false, 9_000), (0, true, 1)],
            [(2, true, 60_000)], [(9, true, 100), (10, true, 3)],
        ] as [[(UInt8, Bool, Int)]]
    )
    func hostilePieces(_ frames: [(UInt8, Bool, Int)]) throws {
        let cycle = frames.flatMap { Self.frame($0.0, isFinal: $0.1, $0.2) }
        var bytes = cycle
        while bytes.count < 16_000 { bytes += cycle }
        for cut in [1, 3, bytes.count / 2, bytes.count - 1] {
            var decoder = WebSocketDecoder(isServer: false, maximumMessage: Self.maximumMessage)
            var (passed, most, messages) = (0, 0, 0)
            let piece = Array(bytes[cut...] + bytes[..<cut])
            decoder.append(ByteBuffer(bytes: bytes[..<cut]))
            // What comes out stays in use for a while, as it does in a stream's queue.
            var kept: [WebSocketDecoder.Element] = []
            while passed < Self.total / 4 {
                while let element = try decoder.next() {
                    messages += 1
                    kept = kept.suffix(3) + [element]
                }
                most = max(most, decoder.heldBytes)
                decoder.append(ByteBuffer(bytes: piece))
                passed += piece.count
            }
            #expect(messages >= passed / 64_000)
            #expect(most <= 6 * Self.maximumMessage, "\(most) bytes held after \(passed), cut at \(cut)")
        }
    }
}
