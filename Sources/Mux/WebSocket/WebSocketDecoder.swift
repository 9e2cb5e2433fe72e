// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Takes whole messages out of the bytes of a WebSocket connection (RFC 6455 §5), without extensions.
///
/// Fragments that an intermediary may have made are put together; control frames between them come out at once. Bytes
/// of unmasked frames are not copied, those of masked ones once, while the mask is taken off.
public struct WebSocketDecoder {
    /// What comes out.
    public enum Element: Equatable, Sendable {
        /// A whole binary message.
        case binary(ByteBuffer)
        /// A whole text message; whether it is UTF-8 has not been checked.
        case text(ByteBuffer)
        /// To be answered with a pong of the same bytes.
        case ping(ByteBuffer)
        /// The answer to a ping.
        case pong(ByteBuffer)
        /// The peer closes; nothing more comes out after this.
        case close(WebSocketCloseCode?, reason: String)
    }

    private let isServer: Bool
    private let maximumMessage: Int
    private let maximumFragments: Int
    /// What has come and not been taken, at most one frame of it incomplete.
    private var current = ByteBuffer()
    /// What came behind an incomplete frame, kept apart so that only that frame is copied.
    private var following = ByteBuffer()
    private var fragments: Fragments?
    private var isClosed = false

    private struct Fragments {
        var opcode: WebSocketOpcode
        var bytes: ByteBuffer
        var count: Int
    }

    /// Makes a decoder for one connection.
    ///
    /// - Parameters:
    ///   - isServer: Whether this side is the server, whose peer must mask.
    ///   - maximumMessage: The largest message accepted, in bytes.
    ///   - maximumFragments: The most frames that a message may come in.
    public init(isServer: Bool, maximumMessage: Int, maximumFragments: Int = 64) {
        self.isServer = isServer
        self.maximumMessage = maximumMessage
        self.maximumFragments = maximumFragments
    }

    /// Takes bytes in; call ``next()`` until it gives nothing before the next call.
    public mutating func append(_ bytes: ByteBuffer) {
        guard !self.isClosed else { return }
        if self.current.readableBytes == 0 {
            self.current = bytes
        } else if self.following.readableBytes == 0 {
            self.following = bytes
        } else {
            self.following.writeImmutableBuffer(bytes)
        }
    }

    /// The next element, or `nil` until more bytes come.
    ///
    /// - Throws: ``WebSocketViolation`` with the code to close with; the decoder gives nothing more after that.
    public mutating func next() throws(WebSocketViolation) -> Element? {
        do {
            while let (header, payload) = try self.nextFrame() {
                if let element = try self.take(header, payload) { return element }
            }
            return nil
        } catch {
            self.shut()
            throw error
        }
    }

    /// Whether something has come that has not been taken.
    var hasRest: Bool {
        self.current.readableBytes > 0 || self.following.readableBytes > 0 || self.fragments != nil
    }

    /// What has come and has not been taken, for another decoder.
    mutating func takeRest() -> ByteBuffer {
        var rest = self.current
        if self.following.readableBytes > 0 { rest.writeImmutableBuffer(self.following) }
        self.shut()
        return rest
    }

    /// How much memory what has not been taken keeps, in bytes.
    var heldBytes: Int {
        self.current.storageCapacity + self.following.storageCapacity + (self.fragments?.bytes.storageCapacity ?? 0)
    }

    private mutating func shut() {
        self.isClosed = true
        self.current = ByteBuffer()
        self.following = ByteBuffer()
        self.fragments = nil
    }

    private mutating func nextFrame() throws(WebSocketViolation) -> (WebSocketFrameHeader, ByteBuffer)? {
        guard !self.isClosed else { return nil }
        while true {
            if self.current.readableBytes == 0, self.following.readableBytes > 0 {
                swap(&self.current, &self.following)
                self.following = ByteBuffer()
            }
            let header = try WebSocketFrameHeader.peek(self.current, isMaskExpected: self.isServer)
            if let header {
                guard header.payloadLength <= self.maximumMessage else {
                    throw WebSocketViolation(.messageTooBig, "frame of \(header.payloadLength) bytes")
                }
                if self.current.readableBytes >= header.length + header.payloadLength {
                    self.current.moveReaderIndex(forwardBy: header.length)
                    let payload = self.current.readSlice(length: header.payloadLength) ?? ByteBuffer()
                    return (header, Self.unmask(payload, header.mask))
                }
            }
            guard self.following.readableBytes > 0 else {
                // What has been taken is let go: whoever read it can use its memory again.
                if self.current.readableBytes == 0 { self.current = ByteBuffer() }
                return nil
            }
            // The longest header has 14 bytes: one byte at a time until it is complete is at most 13 rounds.
            let wanted = header.map { $0.length + $0.payloadLength - self.current.readableBytes } ?? 1
            let count = min(wanted, self.following.readableBytes)
            if header != nil { self.makeRoom(for: wanted) }
            if let slice = self.following.readSlice(length: count) { self.current.writeImmutableBuffer(slice) }
        }
    }

    /// Makes room behind the part of a frame that has come, for its rest.
    ///
    /// `ByteBuffer.reserveCapacity` would copy what was read before it as well, which in a bulk is most of a read.
    private mutating func makeRoom(for rest: Int) {
        guard self.current.writableBytes < rest else { return }
        var frame = ByteBufferAllocator().buffer(capacity: self.current.readableBytes + rest)
        frame.writeImmutableBuffer(self.current)
        self.current = frame
    }

    private static func unmask(_ payload: ByteBuffer, _ mask: WebSocketMask?) -> ByteBuffer {
        guard let mask, !mask.isZero, payload.readableBytes > 0 else { return payload }
        var plain = ByteBufferAllocator().buffer(capacity: payload.readableBytes)
        plain.writeWithUnsafeMutableBytes(minimumWritableBytes: payload.readableBytes) { destination in
            payload.withUnsafeReadableBytes { mask.apply(from: $0, to: destination) }
            return payload.readableBytes
        }
        return plain
    }

    private mutating func take(
        _ header: WebSocketFrameHeader,
        _ payload: ByteBuffer
    ) throws(WebSocketViolation) -> Element? {
        switch header.opcode {
        case .ping: return .ping(payload)
        case .pong: return .pong(payload)
        case .close: return try self.close(payload)
        case .text, .binary:
            guard self.fragments == nil else {
                throw WebSocketViolation(.protocolError, "a new message inside a fragmented one")
            }
            guard !header.isFinal else { return Self.message(header.opcode, payload) }
            self.fragments = Fragments(opcode: header.opcode, bytes: payload, count: 1)
            return nil
        case .continuation:
            guard var fragments = self.fragments.take() else {
                throw WebSocketViolation(.protocolError, "a continuation of nothing")
            }
            fragments.count += 1
            guard fragments.bytes.readableBytes + payload.readableBytes <= self.maximumMessage,
                fragments.count <= self.maximumFragments
            else { throw WebSocketViolation(.messageTooBig, "a message in too many or too large fragments") }
            fragments.bytes.writeImmutableBuffer(payload)
            if header.isFinal { return Self.message(fragments.opcode, fragments.bytes) }
            self.fragments = fragments
            return nil
        }
    }

    private static func message(_ opcode: WebSocketOpcode, _ payload: ByteBuffer) -> Element {
        opcode == .text ? .text(payload) : .binary(payload)
    }

    private mutating func close(_ payload: ByteBuffer) throws(WebSocketViolation) -> Element {
        var payload = payload
        guard payload.readableBytes > 0 else {
            self.shut()
            return .close(nil, reason: "")
        }
        guard let number: UInt16 = payload.readInteger() else {
            throw WebSocketViolation(.protocolError, "a close frame of one byte")
        }
        let code = WebSocketCloseCode(rawValue: number)
        guard code.isSendable else { throw WebSocketViolation(.protocolError, "close code \(number)") }
        guard let reason = String(validating: payload.readableBytesView, as: UTF8.self) else {
            throw WebSocketViolation(.invalidPayload, "a close reason that is not UTF-8")
        }
        self.shut()
        return .close(code, reason: reason)
    }
}
