// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Takes the frames out of one message (docs/protocol.md §B.3).
///
/// A message holds whole frames only, so decoding needs no state between messages. DATA payloads are slices of the
/// message: nothing is copied.
///
/// ```swift
/// var decoder = FrameDecoder(message: message)
/// while let frame = try decoder.next() {
///     print(frame)
/// }
/// ```
public struct FrameDecoder {
    private var message: ByteBuffer
    private var isEmptyMessage: Bool

    /// Makes a decoder for one message.
    ///
    /// - Parameter message: The payload of a binary WebSocket message, unmasked.
    public init(message: ByteBuffer) {
        self.message = message
        self.isEmptyMessage = message.readableBytes == 0
    }

    /// The next frame, or `nil` at the end of the message.
    ///
    /// - Throws: ``ProtocolViolation`` with the code that ends the session.
    public mutating func next() throws(ProtocolViolation) -> Frame? {
        guard let word: UInt64 = self.message.readInteger() else {
            if self.isEmptyMessage { throw ProtocolViolation(.protocolError, "empty message") }
            if self.message.readableBytes > 0 { throw ProtocolViolation(.frameSizeError, "truncated frame header") }
            return nil
        }
        let header = FrameHeader(word: word)
        let length = Int(header.payloadLength)
        guard var payload = self.message.readSlice(length: length) else {
            throw ProtocolViolation(.frameSizeError, "frame passes the end of its message")
        }
        guard let type = FrameType(rawValue: header.type) else {
            guard header.type >= FrameType.firstIgnorable else {
                throw ProtocolViolation(.unsupported, "unknown critical frame type \(header.type)")
            }
            return .extension(type: header.type, header.streamID, length: length)
        }
        guard type.payloadLengths.contains(length) else {
            if type == .open, length > WireFormat.maximumOpen {
                throw ProtocolViolation(exceeding: .openSize, "\(type) of \(length) bytes")
            }
            throw ProtocolViolation(.frameSizeError, "\(type) of \(length) bytes")
        }
        guard header.flags & 0xF0 & ~type.definedFlags == 0 else {
            throw ProtocolViolation(.unsupported, "unknown critical flags \(header.flags) on \(type)")
        }
        switch type.scope {
        case .session where header.streamID != .session:
            throw ProtocolViolation(.protocolError, "\(type) on stream \(header.streamID)")
        case .stream where header.streamID == .session:
            throw ProtocolViolation(.protocolError, "\(type) on stream 0")
        default: break
        }
        if type == .data {
            let isLast = header.flags & 0x01 != 0
            guard length > 0 || isLast else { throw ProtocolViolation(.protocolError, "empty DATA without FIN") }
            return .data(header.streamID, payload, isLast: isLast)
        }
        return try Self.control(type, header, &payload)
    }

    private static func control(
        _ type: FrameType,
        _ header: FrameHeader,
        _ payload: inout ByteBuffer
    ) throws(ProtocolViolation) -> Frame {
        let stream = header.streamID
        switch type {
        case .data: preconditionFailure("DATA is decoded by next()")
        case .open: return .open(stream, try OpenFrame(payload: &payload))
        case .openAck: return .openAck(stream, try OpenAckFrame(payload: &payload))
        case .reject:
            return .reject(stream, ErrorCode(rawValue: try payload.readNumber()), reason: payload.readReason())
        case .windowUpdate: return .windowUpdate(stream, offset: try payload.readOffset())
        case .blocked: return .blocked(stream, offset: try payload.readOffset())
        case .reset:
            return .reset(stream, ErrorCode(rawValue: try payload.readNumber()), reason: payload.readReason())
        case .stopSending: return .stopSending(stream, ErrorCode(rawValue: try payload.readNumber()))
        case .ping: return .ping(try payload.readNumber())
        case .pong: return .pong(try payload.readNumber())
        case .goAway:
            return .goAway(
                GoAwayFrame(
                    isDrain: header.flags & 0x01 != 0,
                    lastStreamID: StreamID(rawValue: try payload.readNumber()),
                    code: ErrorCode(rawValue: try payload.readNumber()),
                    graceMilliseconds: try payload.readNumber(),
                    reconnectMilliseconds: try payload.readNumber(),
                    reason: payload.readReason()
                )
            )
        case .maxStreams: return .maximumStreams(try payload.readNumber())
        case .hello: return .hello(try HelloFrame(payload: &payload))
        case .acknowledge: return .acknowledge(try payload.readNumber())
        }
    }
}

extension ByteBuffer {
    /// Reads an integer whose presence the frame's length has already shown.
    fileprivate mutating func readNumber<Number: FixedWidthInteger>() throws(ProtocolViolation) -> Number {
        guard let number: Number = self.readInteger() else {
            throw ProtocolViolation(.frameSizeError, "frame is too short")
        }
        return number
    }

    fileprivate mutating func readOffset() throws(ProtocolViolation) -> UInt64 {
        let offset: UInt64 = try self.readNumber()
        guard offset <= WireFormat.maximumOffset else {
            throw ProtocolViolation(.flowControlError, "offset above 2^62-1")
        }
        return offset
    }

    /// Reads the rest as text for logs; bytes that are not UTF-8 are replaced, never refused (§B.4).
    fileprivate mutating func readReason() -> String {
        self.readString(length: self.readableBytes) ?? ""
    }
}
