// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// What a WebSocket frame is (RFC 6455 §5.2).
public enum WebSocketOpcode: UInt8, Sendable {
    /// A further fragment.
    case continuation = 0x0
    /// UTF-8.
    case text = 0x1
    /// Bytes.
    case binary = 0x2
    /// The end.
    case close = 0x8
    /// To be answered with pong.
    case ping = 0x9
    /// The answer to ping.
    case pong = 0xA

    var isControl: Bool { self.rawValue & 0x8 != 0 }
}

/// The bytes before the payload of a WebSocket frame, checked against RFC 6455 §5.2.
struct WebSocketFrameHeader: Equatable {
    var isFinal: Bool
    var opcode: WebSocketOpcode
    var mask: WebSocketMask?
    /// In bytes.
    var payloadLength: Int
    /// How long the header itself is, in bytes.
    var length: Int

    /// Reads a header at the start of a buffer without moving in it; `nil` if it is not complete.
    ///
    /// - Parameter isMaskExpected: Whether the peer is a client, which must mask.
    static func peek(
        _ buffer: ByteBuffer,
        isMaskExpected: Bool
    ) throws(WebSocketViolation) -> WebSocketFrameHeader? {
        var index = buffer.readerIndex
        guard let first: UInt8 = buffer.getInteger(at: index), let second: UInt8 = buffer.getInteger(at: index + 1)
        else { return nil }
        index += 2
        guard first & 0x70 == 0 else { throw WebSocketViolation(.protocolError, "reserved bits set") }
        guard let opcode = WebSocketOpcode(rawValue: first & 0x0F) else {
            throw WebSocketViolation(.protocolError, "unknown opcode \(first & 0x0F)")
        }
        let isFinal = first & 0x80 != 0
        guard (second & 0x80 != 0) == isMaskExpected else {
            throw WebSocketViolation(.protocolError, isMaskExpected ? "frame without mask" : "frame with mask")
        }
        var payloadLength = Int(second & 0x7F)
        if opcode.isControl {
            guard isFinal else { throw WebSocketViolation(.protocolError, "fragmented control frame") }
            guard payloadLength <= 125 else { throw WebSocketViolation(.protocolError, "long control frame") }
        }
        if payloadLength == 126 {
            guard let extended: UInt16 = buffer.getInteger(at: index) else { return nil }
            index += 2
            payloadLength = Int(extended)
            guard payloadLength > 125 else { throw WebSocketViolation(.protocolError, "length not minimal") }
        } else if payloadLength == 127 {
            guard let extended: UInt64 = buffer.getInteger(at: index) else { return nil }
            index += 8
            guard extended <= UInt64(Int32.max) else {
                throw extended >> 63 == 1
                    ? WebSocketViolation(.protocolError, "length of 2^63 or more")
                    : WebSocketViolation(.messageTooBig, "frame of \(extended) bytes")
            }
            payloadLength = Int(extended)
            guard payloadLength > 65_535 else { throw WebSocketViolation(.protocolError, "length not minimal") }
        }
        var mask: WebSocketMask?
        if isMaskExpected {
            guard let key: UInt32 = buffer.getInteger(at: index) else { return nil }
            index += 4
            mask = WebSocketMask(networkOrder: key)
        }
        return WebSocketFrameHeader(
            isFinal: isFinal,
            opcode: opcode,
            mask: mask,
            payloadLength: payloadLength,
            length: index - buffer.readerIndex
        )
    }
}
