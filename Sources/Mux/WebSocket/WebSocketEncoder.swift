// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Writes WebSocket frames (RFC 6455 §5): never fragmented, masked if this side is the client.
///
/// A message is built in place: room for the header is left before it, so that header and body are one buffer.
public struct WebSocketEncoder {
    private let isClient: Bool
    private var random: SplitMix

    /// Makes an encoder for one connection.
    ///
    /// - Parameters:
    ///   - isClient: Whether this side is the client, which must mask.
    ///   - seed: Where masks come from; from the system's generator unless a test wants to repeat.
    public init(isClient: Bool, seed: UInt64 = .random(in: .min ... .max)) {
        self.isClient = isClient
        self.random = SplitMix(seed: seed)
    }

    /// How long the header of a message of 126 to 65 535 bytes is: what is left free for every message.
    public var usualHeaderLength: Int { self.isClient ? 8 : 4 }

    /// Leaves room for a header at the end of a buffer; the message is to be appended next.
    ///
    /// - Returns: Where the frame starts, for ``finish(_:from:in:)``.
    public func begin(in buffer: inout ByteBuffer) -> Int {
        let start = buffer.writerIndex
        buffer.writeRepeatingByte(0, count: self.usualHeaderLength)
        return start
    }

    /// Takes back the room left by ``begin(in:)`` when there is nothing to send.
    public func cancel(from start: Int, in buffer: inout ByteBuffer) {
        buffer.moveWriterIndex(to: start)
    }

    /// Completes a frame: writes the header in front of what was appended since ``begin(in:)``, and masks it.
    ///
    /// - Parameters:
    ///   - opcode: What the frame is.
    ///   - start: What ``begin(in:)`` returned.
    ///   - buffer: The buffer that holds the message at its end.
    public mutating func finish(_ opcode: WebSocketOpcode, from start: Int, in buffer: inout ByteBuffer) {
        let body = start + self.usualHeaderLength
        let length = buffer.writerIndex - body
        let maskLength = self.isClient ? 4 : 0
        let lengthBytes = length <= 125 ? 0 : length <= 65_535 ? 2 : 8
        let actualBody = start + 2 + lengthBytes + maskLength
        if actualBody != body {
            // Lengths must be written in as few bytes as possible, so short and very long messages move.
            if actualBody > body { buffer.writeRepeatingByte(0, count: actualBody - body) }
            if length > 0 {
                // The range lies in what was written, so it can't fail.
                _ = try? buffer.copyBytes(at: body, to: actualBody, length: length)
            }
            buffer.moveWriterIndex(to: actualBody + length)
        }
        buffer.setInteger(0x80 | opcode.rawValue, at: start)
        let maskBit: UInt8 = self.isClient ? 0x80 : 0
        switch lengthBytes {
        case 0: buffer.setInteger(maskBit | UInt8(length), at: start + 1)
        case 2:
            buffer.setInteger(maskBit | 126, at: start + 1)
            buffer.setInteger(UInt16(length), at: start + 2)
        default:
            buffer.setInteger(maskBit | 127, at: start + 1)
            buffer.setInteger(UInt64(length), at: start + 2)
        }
        guard self.isClient else { return }
        let mask = WebSocketMask(networkOrder: UInt32(truncatingIfNeeded: self.random.next()))
        buffer.setInteger(mask.networkOrder, at: start + 2 + lengthBytes)
        let offset = actualBody - buffer.readerIndex
        buffer.withUnsafeMutableReadableBytes { bytes in
            let payload = UnsafeMutableRawBufferPointer(rebasing: bytes[offset...])
            mask.apply(from: UnsafeRawBufferPointer(payload), to: payload)
        }
    }

    /// Appends one whole frame.
    public mutating func encode(_ opcode: WebSocketOpcode, _ payload: ByteBuffer, into buffer: inout ByteBuffer) {
        let start = self.begin(in: &buffer)
        buffer.writeImmutableBuffer(payload)
        self.finish(opcode, from: start, in: &buffer)
    }

    /// Appends a Close frame; a reason beyond 123 bytes is left out.
    public mutating func encodeClose(
        _ code: WebSocketCloseCode?,
        reason: String = "",
        into buffer: inout ByteBuffer
    ) {
        var payload = ByteBuffer()
        if let code {
            payload.writeInteger(code.rawValue)
            if reason.utf8.count <= 123 { payload.writeString(reason) }
        }
        self.encode(.close, payload, into: &buffer)
    }
}
