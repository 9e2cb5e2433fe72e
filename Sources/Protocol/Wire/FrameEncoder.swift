// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Writes frames (docs/protocol.md §B.4).
///
/// ```swift
/// var message = ByteBuffer()
/// FrameEncoder.encode(.ping(1), into: &message)
/// ```
public enum FrameEncoder {
    /// Appends one frame.
    ///
    /// - Parameters:
    ///   - frame: What to write; a DATA payload must not be longer than 65 535 bytes, a reason is cut to what its frame
    ///     may carry, and an `extension` frame is written with zeros for its payload.
    ///   - buffer: The message to append to.
    public static func encode(_ frame: Frame, into buffer: inout ByteBuffer) {
        switch frame {
        case .data(let stream, let payload, let isLast):
            precondition(payload.readableBytes <= 65_535, "a DATA payload has at most 65 535 bytes")
            buffer.writeFrameHeader(
                .data,
                flags: isLast ? 1 : 0,
                payloadLength: payload.readableBytes,
                streamID: stream
            )
            buffer.writeImmutableBuffer(payload)
        case .open(let stream, let open):
            buffer.writeFrame(.open, stream) { open.write(into: &$0) }
        case .openAck(let stream, let acknowledgement):
            buffer.writeFrame(.openAck, stream) { acknowledgement.write(into: &$0) }
        case .reject(let stream, let code, let reason):
            buffer.writeFrame(.reject, stream) {
                $0.writeInteger(code.rawValue)
                $0.writeReason(reason, limit: 256)
            }
        case .windowUpdate(let stream, let offset):
            buffer.writeFrame(.windowUpdate, stream) { $0.writeInteger(offset) }
        case .blocked(let stream, let offset):
            buffer.writeFrame(.blocked, stream) { $0.writeInteger(offset) }
        case .reset(let stream, let code, let reason):
            buffer.writeFrame(.reset, stream) {
                $0.writeInteger(code.rawValue)
                $0.writeReason(reason, limit: 256)
            }
        case .stopSending(let stream, let code):
            buffer.writeFrame(.stopSending, stream) { $0.writeInteger(code.rawValue) }
        case .ping(let number):
            buffer.writeFrame(.ping, .session) { $0.writeInteger(number) }
        case .pong(let number):
            buffer.writeFrame(.pong, .session) { $0.writeInteger(number) }
        case .goAway(let goAway):
            buffer.writeFrame(.goAway, .session, flags: goAway.isDrain ? 1 : 0) {
                $0.writeMultipleIntegers(
                    goAway.lastStreamID.rawValue,
                    goAway.code.rawValue,
                    goAway.graceMilliseconds,
                    goAway.reconnectMilliseconds
                )
                $0.writeReason(goAway.reason, limit: 512)
            }
        case .maximumStreams(let count):
            buffer.writeFrame(.maxStreams, .session) { $0.writeInteger(count) }
        case .hello(let hello):
            buffer.writeFrame(.hello, .session) { hello.write(into: &$0) }
        case .acknowledge(let count):
            buffer.writeFrame(.acknowledge, .session) { $0.writeInteger(count) }
        case .extension(let type, let stream, let length):
            let header = FrameHeader(
                type: type,
                payloadLength: UInt16(truncatingIfNeeded: length),
                streamID: stream
            )
            buffer.writeInteger(header.word)
            buffer.writeRepeatingByte(0, count: Int(header.payloadLength))
        }
    }
}

extension ByteBuffer {
    /// Appends a frame whose payload `body` writes; the length is filled in afterwards.
    fileprivate mutating func writeFrame(
        _ type: FrameType,
        _ stream: StreamID,
        flags: UInt8 = 0,
        _ body: (inout ByteBuffer) -> Void
    ) {
        let start = self.writerIndex
        self.writeFrameHeader(type, flags: flags, payloadLength: 0, streamID: stream)
        body(&self)
        let length = self.writerIndex - start - WireFormat.headerLength
        precondition(length <= type.payloadLengths.upperBound, "\(type) of \(length) bytes")
        self.setInteger(UInt16(truncatingIfNeeded: length), at: start + 2)
    }

    /// Appends text, cut at a character's boundary so that it stays within `limit` bytes.
    fileprivate mutating func writeReason(_ reason: String, limit: Int) {
        guard reason.utf8.count > limit else {
            self.writeString(reason)
            return
        }
        var end = reason.utf8.index(reason.utf8.startIndex, offsetBy: limit)
        while end > reason.startIndex, String.Index(end, within: reason) == nil {
            end = reason.utf8.index(before: end)
        }
        self.writeSubstring(reason[..<end])
    }
}
