// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Reads a chunked body (RFC 9112 §7.1) and passes it on without holding back a byte.
///
/// Chunks pass as they came, size lines and extensions included, once they have been checked; the last chunk is held
/// until the trailers are complete. A reader may also ask for the content alone.
package struct ChunkedReader {
    private var state = State.size(digits: 0, value: 0)
    private var trailerParser = HeadParser(maximumBytes: 16 << 10, maximumFields: 64)
    private var lineLength = 0
    /// How many bytes at the front of the buffer have been read and wait there: an unfinished size line.
    private var heldBytes = 0
    /// The size line of the last chunk.
    private var lastLine = ByteBuffer()
    private let isLenient: Bool
    /// The trailers, once the body is complete.
    package private(set) var trailers: FieldSection?

    /// - Parameter isLenient: Whether white space may follow a size, as some servers pad it (RFC 9112 §7.1.1 has it before
    ///   extensions); it is passed on as leading zeros.
    package init(isLenient: Bool = false) {
        self.isLenient = isLenient
    }

    private enum State: Equatable {
        case size(digits: Int, value: UInt64)
        case sizePadding(digits: Int, value: UInt64, width: Int)
        case sizeExtension(value: UInt64, Quoting)
        case sizeLineFeed(value: UInt64)
        case content(left: UInt64)
        case contentEnd
        case contentLineFeed
        case trailers
        case complete

        var isPadding: Bool {
            if case .sizePadding = self { true } else { false }
        }
    }

    /// A size that is padded with white space, by its place in a buffer.
    private struct PaddedSize {
        var start: Int
        var digits: Int
        /// Of digits and white space together.
        var width: Int

        /// Puts zeros before the digits in place of the white space behind them.
        func fill(_ buffer: inout ByteBuffer) {
            // A line of which a part was taken before has nothing left to be passed on.
            guard self.start >= 0,
                let digits = buffer.getBytes(at: buffer.readerIndex + self.start, length: self.digits)
            else { return }
            let zeros = repeatElement(UInt8(ascii: "0"), count: self.width - self.digits)
            buffer.setBytes(zeros, at: buffer.readerIndex + self.start)
            buffer.setBytes(digits, at: buffer.readerIndex + self.start + self.width - self.digits)
        }
    }

    /// Where in a quoted string an extension is (RFC 9110 §5.6.4).
    private enum Quoting: Equatable {
        case outside
        case inside
        case escaped

        func after(_ byte: UInt8) -> Quoting {
            switch (self, byte) {
            case (.outside, UInt8(ascii: "\"")): .inside
            case (.inside, UInt8(ascii: "\"")): .outside
            case (.inside, UInt8(ascii: "\\")): .escaped
            case (.escaped, _): .inside
            default: self
            }
        }
    }

    /// The most digits of a size: 2^60 is beyond every body, and more would only invite overflow in a less careful reader.
    private static let maximumWidth = 15
    /// The longest size line with its extensions, in bytes.
    private static let maximumLine = 4_096

    package var isComplete: Bool { self.state == .complete }

    /// Takes what can be passed on off the front of a buffer.
    ///
    /// - Parameter contentOnly: Whether size lines are to be left out.
    /// - Throws: ``HTTPFault`` for a body that is not well-formed.
    package mutating func read(_ buffer: inout ByteBuffer, contentOnly: Bool) throws(HTTPFault) -> ByteBuffer? {
        if contentOnly {
            var content = ByteBuffer()
            try self.content(&buffer) { content.writeBytes($0) }
            return content.readableBytes > 0 ? content : nil
        }
        guard self.state != .trailers, self.state != .complete else {
            try self.readTrailers(&buffer)
            return nil
        }
        var passed = 0
        var padded: [PaddedSize] = []
        let start = self.heldBytes
        let taken = try buffer.parse { bytes throws(HTTPFault) in
            try self.take(bytes, from: start, passed: &passed, padded: &padded) { _ in }
        }
        for size in padded { size.fill(&buffer) }
        let isAtTrailers = self.state == .trailers
        var raw: ByteBuffer?
        if isAtTrailers {
            raw = passed > 0 ? buffer.getSlice(at: buffer.readerIndex, length: passed) : nil
            let start = buffer.readerIndex + passed
            self.lastLine = buffer.getSlice(at: start, length: taken - passed) ?? ByteBuffer()
            buffer.moveReaderIndex(forwardBy: taken)
            self.heldBytes = 0
            try self.readTrailers(&buffer)
        } else {
            raw = passed > 0 ? buffer.readSlice(length: passed) : nil
            self.heldBytes = taken - passed
        }
        return raw.flatMap { $0.readableBytes > 0 ? $0 : nil }
    }

    /// Takes the content off the front of a buffer without copying it; size lines are left out.
    ///
    /// What is left in the buffer, the beginning of trailers, has to come again with the next bytes.
    ///
    /// - Parameter content: Called with each piece, which is valid during the call.
    /// - Throws: ``HTTPFault`` for a body that is not well-formed.
    package mutating func content(
        _ buffer: inout ByteBuffer,
        _ content: (UnsafeRawBufferPointer) -> Void
    ) throws(HTTPFault) {
        if self.state != .trailers, self.state != .complete {
            var (passed, padded) = (0, [PaddedSize]())
            let taken = try buffer.parse { bytes throws(HTTPFault) in
                try self.take(bytes, from: 0, passed: &passed, padded: &padded, content: content)
            }
            buffer.moveReaderIndex(forwardBy: taken)
        }
        try self.readTrailers(&buffer)
    }

    /// Takes bytes up to the trailers.
    ///
    /// - Parameters:
    ///   - start: How many of them were taken before.
    ///   - passed: How many of them may be passed on.
    ///   - padded: The sizes with white space behind them.
    ///   - content: Called with each piece of content.
    /// - Returns: How many were taken.
    private mutating func take(
        _ bytes: UnsafeRawBufferPointer,
        from start: Int,
        passed: inout Int,
        padded: inout [PaddedSize],
        content: (UnsafeRawBufferPointer) -> Void
    ) throws(HTTPFault) -> Int {
        var index = start
        while index < bytes.count, self.state != .trailers {
            if case .content(let left) = self.state {
                let count = Int(min(left, UInt64(bytes.count - index)))
                content(UnsafeRawBufferPointer(rebasing: bytes[index..<index + count]))
                index += count
                passed = index
                self.state = left == UInt64(count) ? .contentEnd : .content(left: left - UInt64(count))
            } else {
                let before = self.state
                try self.take(bytes[index])
                if case .sizePadding(let digits, _, let width) = before, !self.state.isPadding {
                    padded.append(PaddedSize(start: index - width, digits: digits, width: width))
                }
                index += 1
                // A size line is passed on when it is known not to be the last chunk's.
                switch self.state {
                case .content, .size(digits: 0, value: 0), .contentLineFeed: passed = index
                default: break
                }
            }
        }
        return index
    }

    /// The last chunk as it is to be sent, with those trailers that may pass.
    package func lastChunk() -> ByteBuffer {
        var buffer = self.lastLine
        if let trailers {
            for line in trailers.lines where !Self.isForbidden(line.known) { trailers.copy(line, to: &buffer) }
        }
        buffer.writeStaticString("\r\n")
        return buffer
    }

    private mutating func readTrailers(_ buffer: inout ByteBuffer) throws(HTTPFault) {
        guard self.state == .trailers, let trailers = try self.trailerParser.trailers(&buffer) else { return }
        for line in trailers.lines where line.known == .contentLength || line.known == .transferEncoding {
            throw .malformed("a trailer that would frame the message")
        }
        self.trailers = trailers
        self.state = .complete
    }

    private mutating func take(_ byte: UInt8) throws(HTTPFault) {
        switch self.state {
        case .size(let digits, let value): try self.takeSize(byte, digits, value)
        case .sizePadding(let digits, let value, let width):
            switch byte {
            case 0x20, 0x09:
                guard width < Self.maximumWidth else { throw .malformed("a chunk size with too much white space") }
                self.state = .sizePadding(digits: digits, value: value, width: width + 1)
            case 0x0D, UInt8(ascii: ";"): try self.takeSize(byte, digits, value)
            default: throw .malformed("a chunk size that is not a hexadecimal number")
            }
        case .sizeExtension(let value, let quoting):
            self.lineLength += 1
            guard self.lineLength <= Self.maximumLine else { throw .malformed("a chunk's size line is too long") }
            if byte == 0x0D, quoting == .outside {
                self.state = .sizeLineFeed(value: value)
            } else {
                guard byte >= 0x20 || byte == 0x09, byte != 0x7F else {
                    throw .malformed("a control character in a chunk extension")
                }
                self.state = .sizeExtension(value: value, quoting.after(byte))
            }
        case .sizeLineFeed(let value):
            guard byte == 0x0A else { throw .malformed("a bare CR in a chunk's size line") }
            self.lineLength = 0
            self.state = value == 0 ? .trailers : .content(left: value)
        case .contentEnd:
            guard byte == 0x0D else { throw .malformed("a chunk longer than its size") }
            self.state = .contentLineFeed
        case .contentLineFeed:
            guard byte == 0x0A else { throw .malformed("a bare CR after a chunk") }
            self.state = .size(digits: 0, value: 0)
        case .content, .trailers, .complete: preconditionFailure("not read byte by byte")
        }
    }

    private mutating func takeSize(_ byte: UInt8, _ digits: Int, _ value: UInt64) throws(HTTPFault) {
        let digit: UInt8
        switch byte {
        case 0x30...0x39: digit = byte - 0x30
        case 0x41...0x46: digit = byte - 0x41 + 10
        case 0x61...0x66: digit = byte - 0x61 + 10
        case 0x20 where digits > 0 && self.isLenient, 0x09 where digits > 0 && self.isLenient:
            guard digits < Self.maximumWidth else { throw .malformed("a chunk size with too much white space") }
            self.state = .sizePadding(digits: digits, value: value, width: digits + 1)
            return
        case 0x0D where digits > 0:
            self.state = .sizeLineFeed(value: value)
            return
        case UInt8(ascii: ";") where digits > 0:
            self.lineLength = digits
            self.state = .sizeExtension(value: value, .outside)
            return
        default: throw .malformed("a chunk size that is not a hexadecimal number")
        }
        guard digits < Self.maximumWidth else { throw .malformed("a chunk size that is too long") }
        self.state = .size(digits: digits + 1, value: value << 4 | UInt64(digit))
    }

    /// Fields that a trailer must not carry (RFC 9110 §6.5.1), beside those that end the message.
    private static func isForbidden(_ field: KnownField) -> Bool {
        switch field {
        case .authorization, .culvertError, .culvertHops, .culvertRequestID, .expect, .host, .setCookie, .trailer: true
        default: field.isHopByHop || field.isForwarding
        }
    }
}
