// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Testing

@testable import Mux

@Suite("WebSocket mask")
struct WebSocketMaskTests {
    @Test("masking eight bytes at a time is the same as byte by byte, at any length and offset", arguments: 0..<8)
    func naive(_ offset: Int) {
        var random = SplitMix(seed: UInt64(offset))
        for length in Array(0...70) + [125, 126, 4_095, 65_537] {
            let key = UInt32.random(in: .min ... .max, using: &random)
            let bytes = (0..<(offset + length)).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            let keyBytes = withUnsafeBytes(of: key.bigEndian) { Array($0) }
            let expected = (0..<length).map { bytes[offset + $0] ^ keyBytes[$0 % 4] }
            var masked = [UInt8](repeating: 0, count: offset + length)
            masked.withUnsafeMutableBytes { destination in
                bytes.withUnsafeBytes { source in
                    WebSocketMask(networkOrder: key).apply(
                        from: UnsafeRawBufferPointer(rebasing: source[offset...]),
                        to: UnsafeMutableRawBufferPointer(rebasing: destination[offset...])
                    )
                }
            }
            #expect(Array(masked[offset...]) == expected, "length \(length)")
        }
    }
}

@Suite("WebSocket codec (RFC 6455 §5)")
struct WebSocketCodecTests {
    typealias Element = WebSocketDecoder.Element

    /// All that a decoder makes of bytes that come in pieces, and how it failed.
    private func decode(
        _ bytes: ByteBuffer,
        isServer: Bool,
        pieces: Int = .max,
        maximumMessage: Int = 1 << 20
    ) -> (elements: [Element], violation: WebSocketViolation?) {
        var decoder = WebSocketDecoder(isServer: isServer, maximumMessage: maximumMessage)
        var rest = bytes
        var elements: [Element] = []
        do {
            while let piece = rest.readSlice(length: min(pieces, rest.readableBytes)), piece.readableBytes > 0 {
                decoder.append(piece)
                while let element = try decoder.next() { elements.append(element) }
            }
            return (elements, nil)
        } catch {
            return (elements, error)
        }
    }

    /// One frame as it stands on the wire, unmasked.
    private func frame(_ first: UInt8, _ payload: [UInt8] = []) -> ByteBuffer {
        ByteBuffer(bytes: [first, UInt8(payload.count)] + payload)
    }

    private func joined(_ frames: ByteBuffer...) -> ByteBuffer {
        var bytes = ByteBuffer()
        for frame in frames { bytes.writeImmutableBuffer(frame) }
        return bytes
    }

    @Test(
        "every length comes back, whole and in pieces, both ways",
        arguments: [0, 1, 125, 126, 127, 65_535, 65_536, 70_000],
        [true, false]
    )
    func roundTrip(_ length: Int, _ isClient: Bool) {
        let payload = ByteBuffer(bytes: (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        var encoder = WebSocketEncoder(isClient: isClient, seed: 7)
        var bytes = ByteBuffer()
        encoder.encode(.binary, payload, into: &bytes)
        encoder.encode(.ping, ByteBuffer(string: "x"), into: &bytes)
        for pieces in [.max, 1_000, 7, 1] where length <= 127 || pieces >= 7 {
            let (elements, violation) = self.decode(bytes, isServer: isClient, pieces: pieces)
            #expect(violation == nil)
            #expect(elements == [.binary(payload), .ping(ByteBuffer(string: "x"))], "in pieces of \(pieces)")
        }
    }

    @Test(
        "lengths are written in as few bytes as possible",
        arguments: [
            (125, 2), (126, 4), (65_535, 4), (65_536, 10),
        ]
    )
    func minimalLength(_ length: Int, _ header: Int) {
        for isClient in [true, false] {
            var encoder = WebSocketEncoder(isClient: isClient)
            var bytes = ByteBuffer()
            encoder.encode(.binary, ByteBuffer(repeating: 0, count: length), into: &bytes)
            #expect(bytes.readableBytes == length + header + (isClient ? 4 : 0))
        }
    }

    @Test("a frame is written behind what the buffer holds, read or not")
    func behindOthers() {
        var encoder = WebSocketEncoder(isClient: true, seed: 3)
        var bytes = ByteBuffer(string: "junk")
        bytes.moveReaderIndex(forwardBy: 4)
        encoder.encode(.binary, ByteBuffer(string: "a"), into: &bytes)
        encoder.encode(.binary, ByteBuffer(repeating: 1, count: 300), into: &bytes)
        let (elements, _) = self.decode(bytes, isServer: true)
        #expect(elements == [.binary(ByteBuffer(string: "a")), .binary(ByteBuffer(repeating: 1, count: 300))])
    }

    @Test(
        "lengths that are longer than need be are refused",
        arguments: [
            [0x82, 126, 0, 125], [0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF],
        ] as [[UInt8]]
    )
    func notMinimal(_ header: [UInt8]) {
        let (_, violation) = self.decode(ByteBuffer(bytes: header), isServer: false)
        #expect(violation?.closeCode == .protocolError)
    }

    @Test("a length of 2^63 is a breach, one of 2^62 is too much, before any payload comes")
    func hugeLengths() {
        let breach = ByteBuffer(bytes: [0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0])
        #expect(self.decode(breach, isServer: false).violation?.closeCode == .protocolError)
        let tooBig = ByteBuffer(bytes: [0x82, 127, 0x40, 0, 0, 0, 0, 0, 0, 0])
        #expect(self.decode(tooBig, isServer: false).violation?.closeCode == .messageTooBig)
    }

    @Test("fragments are put together, control frames between them come out at once")
    func fragments() {
        let bytes = self.joined(
            self.frame(0x02, [1, 2]),
            self.frame(0x89, [9]),
            self.frame(0x00, []),
            self.frame(0x8A, [8]),
            self.frame(0x80, [3])
        )
        let (elements, violation) = self.decode(bytes, isServer: false, pieces: 1)
        #expect(violation == nil)
        #expect(
            elements == [
                .ping(ByteBuffer(bytes: [9])), .pong(ByteBuffer(bytes: [8])), .binary(ByteBuffer(bytes: [1, 2, 3])),
            ]
        )
    }

    @Test("64 fragments make a message, 65 are too many")
    func fragmentCount() {
        var bytes = self.frame(0x02, [0])
        for _ in 0..<62 { bytes.writeImmutableBuffer(self.frame(0x00, [0])) }
        let last = self.joined(bytes, self.frame(0x80, [0]))
        #expect(self.decode(last, isServer: false).elements == [.binary(ByteBuffer(repeating: 0, count: 64))])
        let tooMany = self.joined(bytes, self.frame(0x00, [0]), self.frame(0x80, [0]))
        #expect(self.decode(tooMany, isServer: false).violation?.closeCode == .messageTooBig)
    }

    @Test("a message above the limit is refused, whole or in fragments")
    func messageLimit() {
        let whole = self.frame(0x82, Array(repeating: 0, count: 101))
        #expect(self.decode(whole, isServer: false, maximumMessage: 100).violation?.closeCode == .messageTooBig)
        let half = Array(repeating: UInt8(0), count: 60)
        let fragments = self.joined(self.frame(0x02, half), self.frame(0x80, half))
        #expect(self.decode(fragments, isServer: false, maximumMessage: 100).violation?.closeCode == .messageTooBig)
        #expect(self.decode(fragments, isServer: false, maximumMessage: 120).violation == nil)
    }

    @Test(
        "what RFC 6455 forbids closes with 1002",
        arguments: [
            [0xC2, 0], [0xA2, 0], [0x92, 0],  // reserved bits
            [0x83, 0], [0x8B, 0],  // unknown opcodes
            [0x09, 0], [0x08, 0],  // fragmented control frames
            [0x89, 126, 0, 126],  // a long control frame
            [0x80, 0], [0x00, 0],  // a continuation of nothing
            [0x02, 0, 0x82, 0],  // a new message inside a fragmented one
            [0x82, 0x80, 0, 0, 0, 0],  // a masked frame of a server
            [0x88, 1, 3],  // a close frame of one byte
        ] as [[UInt8]]
    )
    func breaches(_ bytes: [UInt8]) {
        #expect(self.decode(ByteBuffer(bytes: bytes), isServer: false).violation?.closeCode == .protocolError)
    }

    @Test("a frame of a client without mask closes with 1002")
    func unmasked() {
        #expect(self.decode(self.frame(0x82, [1]), isServer: true).violation?.closeCode == .protocolError)
    }

    @Test("text comes out as text, so that its reader can refuse it")
    func text() {
        #expect(self.decode(self.frame(0x81, [0x61]), isServer: false).elements == [.text(ByteBuffer(string: "a"))])
    }

    @Test("a zero mask is taken as it is")
    func zeroMask() {
        let bytes = ByteBuffer(bytes: [0x82, 0x82, 0, 0, 0, 0, 5, 6])
        #expect(self.decode(bytes, isServer: true).elements == [.binary(ByteBuffer(bytes: [5, 6]))])
    }

    @Test(
        "close codes that may be sent come out",
        arguments: [
            1_000, 1_001, 1_002, 1_003, 1_007, 1_011, 1_014, 3_000, 3_999, 4_000, 4_999,
        ] as [UInt16]
    )
    func closeCodes(_ code: UInt16) {
        var encoder = WebSocketEncoder(isClient: false)
        var bytes = ByteBuffer()
        encoder.encodeClose(WebSocketCloseCode(rawValue: code), reason: "why", into: &bytes)
        bytes.writeImmutableBuffer(self.frame(0x82, [1]))
        let (elements, violation) = self.decode(bytes, isServer: false)
        #expect(elements == [.close(WebSocketCloseCode(rawValue: code), reason: "why")], "and nothing after it")
        #expect(violation == nil)
    }

    @Test(
        "close codes that must not be sent are breaches",
        arguments: [
            0, 999, 1_004, 1_005, 1_006, 1_015, 1_016, 1_100, 2_000, 2_999, 5_000, 65_535,
        ] as [UInt16]
    )
    func badCloseCodes(_ code: UInt16) {
        let bytes = self.frame(0x88, [UInt8(code >> 8), UInt8(truncatingIfNeeded: code)])
        #expect(self.decode(bytes, isServer: false).violation?.closeCode == .protocolError)
    }

    @Test("a close frame may be empty, its reason must be UTF-8")
    func closeReasons() {
        #expect(self.decode(self.frame(0x88), isServer: false).elements == [.close(nil, reason: "")])
        let bytes = self.frame(0x88, [0x03, 0xE8, 0xC3, 0x28])
        #expect(self.decode(bytes, isServer: false).violation?.closeCode == .invalidPayload)
    }

    @Test("a reason that is too long is left out")
    func longReason() {
        var encoder = WebSocketEncoder(isClient: false)
        var bytes = ByteBuffer()
        encoder.encodeClose(.normal, reason: String(repeating: "x", count: 124), into: &bytes)
        #expect(bytes == ByteBuffer(bytes: [0x88, 2, 0x03, 0xE8]))
    }

    @Test("session errors close with 4000 and their number")
    func sessionCodes() {
        #expect(WebSocketCloseCode(session: 3).rawValue == 4_003)
        #expect(WebSocketCloseCode(session: .max).rawValue == 4_999)
    }

    @Test("random splits of random messages give the same elements", arguments: 0..<20 as Range<UInt64>)
    func randomSplits(_ seed: UInt64) {
        var random = SplitMix(seed: seed)
        var encoder = WebSocketEncoder(isClient: true, seed: seed)
        var bytes = ByteBuffer()
        var expected: [Element] = []
        for _ in 0..<20 {
            let count = [3, 120, 130, 20_000].randomElement(using: &random) ?? 0
            let payload = ByteBuffer(repeating: UInt8.random(in: .min ... .max, using: &random), count: count)
            encoder.encode(.binary, payload, into: &bytes)
            expected.append(.binary(payload))
        }
        var decoder = WebSocketDecoder(isServer: true, maximumMessage: 1 << 20)
        var elements: [Element] = []
        while bytes.readableBytes > 0 {
            let length = min(Int.random(in: 1...9_000, using: &random), bytes.readableBytes)
            decoder.append(bytes.readSlice(length: length) ?? ByteBuffer())
            while let element = try? decoder.next() { elements.append(element) }
        }
        #expect(elements == expected)
    }
}
