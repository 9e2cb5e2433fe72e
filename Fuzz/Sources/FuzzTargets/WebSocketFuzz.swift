// SPDX-License-Identifier: Apache-2.0
import Mux
import NIOCore

/// The WebSocket decoder and encoder, in both roles.
///
/// The decoder gives the same however its bytes are split, nothing beyond the largest message, and what the encoder
/// wrote.
enum WebSocketFuzz {
    static func check(_ input: [UInt8]) throws {
        var reader = InputReader(input)
        let choice = reader.byte()
        let isServer = choice & 1 != 0
        let maximum = reader.element(of: [65_536, 125, 126, 16_384, 65_535, 131_072])
        let seed = reader.byte()
        switch choice >> 1 & 3 {
        case 0, 1: try self.checkSplits(ByteBuffer(bytes: reader.rest()), isServer, maximum, seed)
        case 2: try self.checkSplits(self.frames(&reader, isServer), isServer, maximum, seed)
        default: try self.checkRoundTrip(&reader, isServer, seed)
        }
    }

    /// All that came out, and the refusal that ended it.
    private struct Outcome: Equatable {
        var elements: [WebSocketDecoder.Element] = []
        var closeCode: WebSocketCloseCode?
    }

    private static func checkSplits(_ bytes: ByteBuffer, _ isServer: Bool, _ maximum: Int, _ seed: UInt8) throws {
        let whole = self.decode([bytes], isServer, maximum)
        let split = self.decode(Pieces.seeded(bytes, seed), isServer, maximum)
        try Finding.unless(whole == split, "splitting the bytes changes what comes out: \(whole), \(split)")
        if bytes.readableBytes <= 4_096 {
            let single = self.decode(Pieces.single(bytes), isServer, maximum)
            try Finding.unless(whole == single, "single bytes change what comes out: \(whole), \(single)")
        }
        if let code = whole.closeCode {
            try Finding.unless([1_002, 1_003, 1_007, 1_009].contains(code.rawValue), "refused with \(code)")
        }
        for element in whole.elements {
            switch element {
            case .binary(let message), .text(let message):
                try Finding.unless(message.readableBytes <= maximum, "a message beyond the largest came out")
            case .ping(let payload), .pong(let payload):
                try Finding.unless(payload.readableBytes <= 125, "a long control frame came out")
            case .close(_, let reason): try Finding.unless(reason.utf8.count <= 123, "a long close reason came out")
            }
        }
    }

    private static func decode(_ parts: [ByteBuffer], _ isServer: Bool, _ maximum: Int) -> Outcome {
        var decoder = WebSocketDecoder(isServer: isServer, maximumMessage: maximum)
        var outcome = Outcome()
        for part in parts {
            decoder.append(part)
            do {
                while let element = try decoder.next() { outcome.elements.append(element) }
            } catch {
                // What follows must have no effect.
                if outcome.closeCode == nil { outcome.closeCode = error.closeCode }
            }
        }
        return outcome
    }

    /// Frames near valid ones, with the lengths at which the form of the header changes.
    private static func frames(_ reader: inout InputReader, _ isServer: Bool) -> ByteBuffer {
        var buffer = ByteBuffer()
        while !reader.isAtEnd, buffer.readableBytes < 200_000 {
            let first = reader.element(of: [0x82, 0x02, 0x00, 0x80, 0x81, 0x01, 0x88, 0x89, 0x8A, reader.byte()])
            let isMasked = reader.number(below: 32) == 31 ? !isServer : isServer
            let maskBit: UInt8 = isMasked ? 0x80 : 0
            let lengths: [UInt64] = [
                0, 1, 2, 125, 126, 127, 1_000, 65_535, 65_536, 1 << 31, 1 << 62, 1 << 63, .max, UInt64(reader.byte()),
            ]
            let length = reader.element(of: lengths)
            // Beyond what a length needs: the long forms for short lengths are not allowed.
            let form = reader.number(below: 32)
            buffer.writeInteger(first)
            if length > 65_535 || form == 31 {
                buffer.writeInteger(maskBit | 127)
                buffer.writeInteger(length)
            } else if length > 125 || form == 30 {
                buffer.writeInteger(maskBit | 126)
                buffer.writeInteger(UInt16(length))
            } else {
                buffer.writeInteger(maskBit | UInt8(length))
            }
            if isMasked { buffer.writeInteger(reader.number(below: 4) == 0 ? 0 : reader.integer(UInt32.self)) }
            let count = Int(clamping: min(length, 70_000))
            let given = Array(reader.take(min(count, 8)))
            buffer.writeBytes(given)
            buffer.writeRepeatingByte(0x5A, count: count - given.count)
        }
        return buffer
    }

    private static func checkRoundTrip(_ reader: inout InputReader, _ isServer: Bool, _ seed: UInt8) throws {
        // What the server decodes, a client has written.
        var encoder = WebSocketEncoder(isClient: isServer, seed: UInt64(seed))
        var bytes = ByteBuffer()
        var expected: [WebSocketDecoder.Element] = []
        while !reader.isAtEnd, expected.count < 32, bytes.readableBytes < 200_000 {
            let kind = reader.number(below: 8)
            let length = reader.element(of: [0, 1, 124, 125, 126, 127, 65_535, 65_536, Int(reader.byte())])
            let filler = reader.byte()
            let payload = ByteBuffer(repeating: filler, count: kind < 5 ? length : min(length, 125))
            switch kind {
            case 0..<5:
                expected.append(.binary(payload))
                encoder.encode(.binary, payload, into: &bytes)
            case 5:
                expected.append(.ping(payload))
                encoder.encode(.ping, payload, into: &bytes)
            case 6:
                expected.append(.pong(payload))
                encoder.encode(.pong, payload, into: &bytes)
            default:
                let start = encoder.begin(in: &bytes)
                encoder.cancel(from: start, in: &bytes)
            }
        }
        expected.append(.close(.goingAway, reason: "bye"))
        encoder.encodeClose(.goingAway, reason: "bye", into: &bytes)
        for parts in [[bytes], Pieces.seeded(bytes, seed)] {
            let outcome = self.decode(parts, isServer, 131_072)
            try Finding.unless(
                outcome == Outcome(elements: expected),
                "what was encoded comes out as \(outcome.elements.count) of \(expected.count) elements, "
                    + "refused with \(outcome.closeCode.map { String($0.rawValue) } ?? "nothing")"
            )
        }
    }
}
