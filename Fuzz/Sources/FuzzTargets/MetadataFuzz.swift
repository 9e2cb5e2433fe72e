// SPDX-License-Identifier: Apache-2.0
import NIOCore

@testable import Protocol

/// The entries of HELLO, OPEN and OPEN_ACK.
///
/// What is taken lies in the ranges of docs/protocol.md §B.4.1 and §B.4.2, and survives encoding and decoding.
enum MetadataFuzz {
    static func check(_ input: [UInt8]) throws {
        var reader = InputReader(input)
        let choice = reader.byte()
        let isRaw = choice & 0x80 != 0
        let entries = isRaw ? ByteBuffer(bytes: reader.rest()) : self.entries(&reader)
        var message = ByteBuffer()
        switch choice % 3 {
        case 0:
            message.writeFrameHeader(.hello, payloadLength: 16 + entries.readableBytes, streamID: .session)
            message.writeMultipleIntegers(WireFormat.magic, UInt8(0), UInt8(1), UInt16(0), UInt64(0))
        case 1:
            message.writeFrameHeader(
                .open,
                payloadLength: 12 + entries.readableBytes,
                streamID: StreamID(rawValue: 2)
            )
            message.writeMultipleIntegers(UInt8(1), UInt8(3), UInt16(0), UInt32(65_536), UInt32(0))
        default:
            message.writeFrameHeader(.openAck, payloadLength: entries.readableBytes, streamID: StreamID(rawValue: 2))
        }
        message.writeImmutableBuffer(entries)
        guard let frame = try? FrameFuzz.decode(message).first else { return }
        try self.checkWellFormed(entries)
        switch frame {
        case .hello(let hello): try self.check(hello.settings)
        case .open(_, let open):
            if case .success(let metadata) = open.metadata { try self.check(metadata) }
        default: break
        }
        try FrameFuzz.check(Array(message.readableBytesView))
    }

    /// Entries near valid ones: known numbers, lengths that fit or nearly fit.
    private static func entries(_ reader: inout InputReader) -> ByteBuffer {
        var buffer = ByteBuffer()
        while !reader.isAtEnd, buffer.readableBytes < 3_000 {
            let id: UInt16 =
                switch reader.number(below: 16) {
                case 0..<12: UInt16(reader.number(below: 10))
                case 12: 0x0020 + UInt16(reader.number(below: 3))
                case 13: 0x8000 | UInt16(reader.byte())
                default: reader.integer()
                }
            let length = reader.element(of: [0, 1, 4, 7, 16, 18, 19, 32, 55, 64, 255, Int(reader.byte())])
            let claimed = reader.number(below: 32) == 31 ? Int(reader.integer(UInt16.self)) : length
            buffer.writeInteger(id)
            buffer.writeInteger(UInt16(truncatingIfNeeded: claimed))
            var value = Array(reader.take(length))
            if value.count < length { value += Array(repeating: 0x61, count: length - value.count) }
            buffer.writeBytes(value)
        }
        return buffer
    }

    /// What was taken are whole entries, at most 64 and each number once.
    private static func checkWellFormed(_ entries: ByteBuffer) throws {
        var rest = entries
        var seen: Set<UInt16> = []
        while rest.readableBytes > 0 {
            guard let id: UInt16 = rest.readInteger(), let length: UInt16 = rest.readInteger(),
                rest.readSlice(length: Int(length)) != nil
            else { throw Finding("a truncated entry was taken") }
            try Finding.unless(seen.insert(id).inserted, "entry \(id) was taken twice")
        }
        try Finding.unless(seen.count <= 64, "\(seen.count) entries were taken")
    }

    private static func check(_ settings: SessionSettings) throws {
        try Finding.unless((16_384...16_777_216).contains(settings.initialWindow), "INITIAL_WINDOW out of range")
        try Finding.unless((262_144...1_073_741_824).contains(settings.connectionWindow), "CONN_WINDOW out of range")
        try Finding.unless(settings.maximumStreams <= 65_535, "MAX_STREAMS out of range")
        try Finding.unless((16_384...1_048_576).contains(settings.maximumMessage), "MAX_MESSAGE out of range")
        try Finding.unless((5_000...300_000).contains(settings.idleTimeoutMilliseconds), "IDLE_TIMEOUT out of range")
        try Finding.unless((settings.implementation?.utf8.count ?? 0) <= 64, "IMPLEMENTATION is too long")
        try Finding.unless((settings.sessionID?.count ?? 16) == 16, "SESSION_ID of a wrong length")
        if let bundle = settings.bundle {
            try Finding.unless(
                bundle.id.count == 16 && (1...8).contains(bundle.count) && bundle.index < bundle.count,
                "a BUNDLE out of range"
            )
        }
    }

    private static func check(_ metadata: OpenMetadata) throws {
        try Finding.unless((1...255).contains(metadata.target.utf8.count), "a TARGET of a wrong length")
        try Finding.unless((metadata.host?.utf8.count ?? 0) <= 255, "HOST is too long")
        try Finding.unless((metadata.traceparent?.utf8.count ?? 55) == 55, "TRACEPARENT of a wrong length")
        try Finding.unless((metadata.alpn?.utf8.count ?? 0) <= 32, "ALPN is too long")
    }
}
