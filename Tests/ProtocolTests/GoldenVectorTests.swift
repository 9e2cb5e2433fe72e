// SPDX-License-Identifier: Apache-2.0
import Foundation
import NIOCore
import Protocol
import Testing

/// The vectors that every implementation of the protocol must agree on.
struct GoldenVectors: Decodable {
    var good: [Good]
    var bad: [Bad]

    struct Good: Decodable, CustomTestStringConvertible {
        var name: String
        var hex: String
        var frames: [Expected]
        var testDescription: String { self.name }
    }

    struct Bad: Decodable, CustomTestStringConvertible {
        var name: String
        var hex: String
        var error: String
        var testDescription: String { self.name }
    }

    /// Name, flags, stream and payload in hexadecimal, as an array.
    struct Expected: Decodable {
        var name: String
        var flags: UInt8
        var stream: UInt32
        var payload: ByteBuffer

        init(from decoder: any Decoder) throws {
            var container = try decoder.unkeyedContainer()
            self.name = try container.decode(String.self)
            self.flags = try container.decode(UInt8.self)
            self.stream = try container.decode(UInt32.self)
            self.payload = try ByteBuffer(hex: container.decode(String.self))
        }
    }

    static func load() throws -> GoldenVectors {
        let url = try #require(Bundle.module.url(forResource: "golden", withExtension: "json", subdirectory: "Vectors"))
        return try JSONDecoder().decode(GoldenVectors.self, from: Data(contentsOf: url))
    }
}

@Suite("Golden vectors")
struct GoldenVectorTests {
    @Test("there are as many vectors as the protocol lists")
    func count() throws {
        let vectors = try GoldenVectors.load()
        #expect(vectors.good.count == 29)
        #expect(vectors.bad.count == 22)
    }

    @Test("each good message decodes into the frames it was made of", arguments: try GoldenVectors.load().good)
    func decode(vector: GoldenVectors.Good) throws {
        let frames = try Frame.all(in: ByteBuffer(hex: vector.hex))
        #expect(frames.count == vector.frames.count)
        for (frame, expected) in zip(frames, vector.frames) {
            #expect(frame.wireName == expected.name)
            #expect(frame.streamID.rawValue == expected.stream)
            if case .data(_, let payload, let isLast) = frame {
                #expect(payload == expected.payload)
                #expect(isLast == (expected.flags & 1 != 0))
            }
        }
    }

    @Test("encoding what was decoded gives the same bytes", arguments: try GoldenVectors.load().good)
    func encode(vector: GoldenVectors.Good) throws {
        let message = try ByteBuffer(hex: vector.hex)
        let frames = try Frame.all(in: message)
        var encoded = ByteBuffer()
        for frame in frames { FrameEncoder.encode(frame, into: &encoded) }
        if vector.name.contains("all defaults") || vector.name.contains("GREASE") {
            // Settings are always written out, and of an unknown frame only type, stream and length are kept: the
            // bytes differ, what they say does not.
            #expect(try Frame.all(in: encoded) == frames)
        } else {
            #expect(encoded == message)
        }
    }

    @Test("each bad message is refused with its code", arguments: try GoldenVectors.load().bad)
    func refuse(vector: GoldenVectors.Bad) throws {
        let message = try ByteBuffer(hex: vector.hex)
        let violation = try #require(throws: ProtocolViolation.self) { try Frame.all(in: message) }
        #expect(violation.code.description == vector.error)
    }

    @Test("cutting a good message anywhere never gives the whole of it", arguments: try GoldenVectors.load().good)
    func truncate(vector: GoldenVectors.Good) throws {
        let message = try ByteBuffer(hex: vector.hex)
        let whole = try Frame.all(in: message)
        for length in 0..<message.readableBytes {
            let part = try #require(message.getSlice(at: message.readerIndex, length: length))
            let frames = try? Frame.all(in: part)
            #expect(frames != whole)
        }
    }
}

extension Frame {
    static func all(in message: ByteBuffer) throws(ProtocolViolation) -> [Frame] {
        var decoder = FrameDecoder(message: message)
        var frames: [Frame] = []
        while let frame = try decoder.next() { frames.append(frame) }
        return frames
    }

    /// The name that the vectors use.
    var wireName: String {
        switch self {
        case .data: "DATA"
        case .open: "OPEN"
        case .openAck: "OPEN_ACK"
        case .reject: "REJECT"
        case .windowUpdate: "WINDOW_UPDATE"
        case .blocked: "BLOCKED"
        case .reset: "RESET"
        case .stopSending: "STOP_SENDING"
        case .ping: "PING"
        case .pong: "PONG"
        case .goAway: "GOAWAY"
        case .maximumStreams: "MAX_STREAMS"
        case .hello: "HELLO"
        case .acknowledge: "ACK"
        case .extension(let type, _, _): "EXT_0x" + String(type, radix: 16)
        }
    }

    var streamID: StreamID {
        switch self {
        case .data(let id, _, _), .open(let id, _), .openAck(let id, _), .reject(let id, _, _),
            .windowUpdate(let id, _), .blocked(let id, _), .reset(let id, _, _), .stopSending(let id, _),
            .extension(_, let id, _):
            id
        case .ping, .pong, .goAway, .maximumStreams, .hello, .acknowledge: .session
        }
    }
}

extension ByteBuffer {
    struct InvalidHexadecimal: Error {}

    /// Reads hexadecimal digits.
    init(hex: String) throws {
        self.init()
        var digits = hex[...]
        while !digits.isEmpty {
            guard let byte = UInt8(digits.prefix(2), radix: 16), digits.count >= 2 else { throw InvalidHexadecimal() }
            self.writeInteger(byte)
            digits = digits.dropFirst(2)
        }
    }
}
