// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import Inspection

@Suite("WebSocket messages as they pass")
struct WebSocketReaderTests {
    private static let moment = NIODeadline.uptimeNanoseconds(1)

    private static func read(
        _ bytes: [UInt8],
        inflates: Bool = false,
        pieces: Int = .max
    ) -> (frames: [FrameCapture], isReadable: Bool) {
        var reader = WebSocketReader(side: .server, inflates: inflates)
        var frames: [FrameCapture] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(pieces))
            rest = rest.dropFirst(pieces)
            let isReadable = piece.withUnsafeBytes { reader.read($0, at: Self.moment) { frames.append($0) } }
            if !isReadable { return (frames, false) }
        }
        return (frames, true)
    }

    private static func text(_ frame: FrameCapture) -> String? {
        frame.content.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test("The examples of RFC 6455 §5.7 are read, however they are cut", arguments: [1, 2, 3, 7, 1_000])
    func examples(pieces: Int) {
        let masked: [UInt8] = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]
        let fragments: [UInt8] = [0x01, 0x03, 0x48, 0x65, 0x6C, 0x89, 0x01, 0x21, 0x80, 0x02, 0x6C, 0x6F]
        let long: [UInt8] = [0x82, 0x7E, 0x01, 0x00] + [UInt8](repeating: 9, count: 256)
        let longest: [UInt8] = [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0] + [UInt8](repeating: 9, count: 65_536)
        let end: [UInt8] = [0x88, 0x02, 0x03, 0xE8]
        let (frames, isReadable) = Self.read(masked + fragments + long + longest + end, pieces: pieces)
        #expect(isReadable)
        #expect(frames.map(\.kind) == [.text, .ping, .text, .binary, .binary, .close])
        #expect(frames.map(\.size) == [5, 1, 5, 256, 65_536, 2])
        #expect(Self.text(frames[0]) == "Hello" && Self.text(frames[2]) == "Hello")
        #expect(frames[3].isWhole && !frames[4].isWhole)
        #expect(frames[4].content?.count == CaptureBudget.frameContent)
        #expect(frames[5].content == [0x03, 0xE8])
    }

    @Test("Compressed messages are decoded, the second one by the context of the first (RFC 7692 §7.2.3.2)")
    func deflated() {
        let first: [UInt8] = [0xC1, 0x07, 0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]
        let second: [UInt8] = [0xC1, 0x05, 0xF2, 0x00, 0x11, 0x00, 0x00]
        for pieces in [1, 4, 100] {
            let (frames, _) = Self.read(first + second, inflates: true, pieces: pieces)
            #expect(frames.map { Self.text($0) } == ["Hello", "Hello"])
            #expect(frames.map(\.decodedSize) == [5, 5] && frames.map(\.size) == [7, 5])
        }
        let (undecoded, _) = Self.read(first + second, inflates: false)
        #expect(undecoded.map(\.content) == [nil, nil] && undecoded.allSatisfy { $0.isDeflated && !$0.isWhole })
    }

    @Test("After a message that can't be decoded the rest is shown undecoded, and a bomb is stopped")
    func broken() {
        let broken: [UInt8] = [0xC1, 0x02, 0xFF, 0xFF]
        let fine: [UInt8] = [0xC1, 0x07, 0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]
        let (frames, isReadable) = Self.read(broken + fine, inflates: true)
        #expect(isReadable && frames.map(\.content) == [nil, nil])
    }

    @Test(
        "What is no frame ends the reading",
        arguments: [
            [0x83, 0x00], [0x80, 0x00], [0x89, 0x7E, 0x01, 0x00], [0x01, 0x00, 0x01, 0x00], [0x8B, 0x00],
        ] as [[UInt8]]
    )
    func noFrame(bytes: [UInt8]) {
        #expect(!Self.read(bytes).isReadable)
    }

    @Test("Of bytes that make no sense it keeps little, and never fails")
    func noise() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(state: seed)
        for round in 0..<2_000 {
            let bytes = (0..<Int.random(in: 1...200, using: &random)).map { _ in
                Bool.random(using: &random)
                    ? UInt8.random(in: 0...255, using: &random)
                    : [0x81, 0xC1, 0x00, 0x05][
                        Int.random(in: 0..<4, using: &random)
                    ]
            }
            let whole = Self.read(bytes, inflates: true)
            let cut = Self.read(bytes, inflates: true, pieces: Int.random(in: 1...9, using: &random))
            #expect(whole.frames.map(\.content) == cut.frames.map(\.content), "seed \(seed), round \(round)")
            #expect(whole.isReadable == cut.isReadable, "seed \(seed), round \(round)")
        }
    }
}
