// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Follows the messages of one direction of an HTTP/1.1 connection leniently: reads heads, and passes over bodies.
///
/// For those who only look on, or ask a single question, and pass no byte on that they judged: lines may end with LF
/// alone (RFC 9112 §2.2). What is passed on ``HeadParser`` reads. It keeps a line at most, whatever comes. What it does
/// not understand it says once, and the owner stops asking.
package struct MessageReader {
    /// Which side's messages are read.
    package enum Direction: Equatable {
        case requests
        case responses
    }

    /// What is read of the fields.
    package enum Fields: Equatable {
        /// Those that say how the body ends; a faulty one makes the message unreadable.
        case framing
        /// None: for those who want the start line alone.
        case none
    }

    /// Why a message is not read on.
    package enum Fault: Error, Equatable {
        /// It is not HTTP/1.1, or its fields contradict each other.
        case notHTTP
        /// Its head or its trailers are longer than is looked at.
        case tooLong
    }

    /// What was found.
    package enum Step: Equatable {
        /// Nothing before more bytes have come.
        case needsMore
        /// A head; ``begin(_:)`` or ``skipInterim()`` has to follow.
        case head(MessageOutline)
        /// The end of a message with its body.
        case end
        /// Something that is not HTTP/1.1, or longer than is looked at.
        case unreadable(Fault)
    }

    /// How the body of a message ends.
    package enum Body: Equatable {
        case none
        case length(UInt64)
        case chunked
        case untilClose
    }

    private enum State {
        case startLine
        case fields(MessageOutline)
        /// The owner has yet to say what body there is.
        case undecided
        case length(UInt64)
        case chunkSize
        case chunkData(UInt64)
        case chunkEnd
        case trailers
        case untilClose
    }

    private let direction: Direction
    private let fields: Fields
    private let maximumHead: Int
    private var state = State.startLine
    private var lines = LineReader()

    /// Longest head, and longest trailer section, that is looked at, unless the owner says otherwise.
    package static let longestHead = 65_536

    /// Makes a reader of a connection's direction from its first byte.
    ///
    /// - Parameters:
    ///   - direction: Which side's messages are read.
    ///   - fields: What is read of the fields.
    ///   - maximumHead: The longest head, and the longest trailer section, in bytes.
    package init(_ direction: Direction, fields: Fields = .framing, maximumHead: Int = Self.longestHead) {
        self.direction = direction
        self.fields = fields
        self.maximumHead = maximumHead
    }

    /// Whether the message ends with the connection.
    package var endsWithConnection: Bool {
        if case .untilClose = self.state { true } else { false }
    }

    /// Takes bytes up to the next thing worth telling.
    package mutating func next(_ buffer: inout ByteBuffer) -> Step {
        while true {
            switch self.state {
            case .startLine, .fields, .chunkSize, .chunkEnd, .trailers:
                guard buffer.readableBytes > 0 else { return .needsMore }
                let isComplete = self.lines.read(&buffer)
                guard self.lines.byteCount <= self.maximumHead else { return .unreadable(.tooLong) }
                guard isComplete else { return .needsMore }
                if let step = self.takeLine() { return step }
            case .undecided:
                return .needsMore
            case .length(0):
                self.state = .startLine
                self.lines.reset()
                return .end
            case .length(let rest):
                guard let left = Self.skip(rest, in: &buffer) else { return .needsMore }
                self.state = .length(left)
            case .chunkData(0):
                self.state = .chunkEnd
            case .chunkData(let rest):
                guard let left = Self.skip(rest, in: &buffer) else { return .needsMore }
                self.state = .chunkData(left)
            case .untilClose:
                buffer.moveReaderIndex(to: buffer.writerIndex)
                return .needsMore
            }
        }
    }

    /// Says what body follows the head that was returned.
    package mutating func begin(_ body: Body) {
        self.lines.reset()
        self.state =
            switch body {
            case .none: .length(0)
            case .length(let count): .length(count)
            case .chunked: .chunkSize
            case .untilClose: .untilClose
            }
    }

    /// Says that the head was an interim one, which no body and no end follow.
    package mutating func skipInterim() {
        self.lines.reset()
        self.state = .startLine
    }

    private mutating func takeLine() -> Step? {
        let line = self.lines.line
        switch self.state {
        case .startLine:
            // An empty line before a message is passed over (RFC 9112 §2.2).
            guard !line.isEmpty else { return nil }
            guard self.lines.isWhole,
                let head = self.direction == .requests ? MessageOutline.request(line) : MessageOutline.response(line)
            else { return .unreadable(.notHTTP) }
            self.state = .fields(head)
        case .fields(var head):
            if line.isEmpty {
                self.state = .undecided
                return .head(head)
            }
            guard self.fields == .framing else { return nil }
            guard head.take(field: line, isWhole: self.lines.isWhole) else { return .unreadable(.notHTTP) }
            self.state = .fields(head)
        case .chunkSize:
            self.lines.reset()
            guard self.lines.isWhole, let size = Self.chunkSize(line) else { return .unreadable(.notHTTP) }
            self.state = size == 0 ? .trailers : .chunkData(size)
        case .chunkEnd:
            self.lines.reset()
            guard line.isEmpty else { return .unreadable(.notHTTP) }
            self.state = .chunkSize
        case .trailers:
            if line.isEmpty { self.state = .length(0) }
        case .undecided, .length, .chunkData, .untilClose:
            break
        }
        return nil
    }

    /// Passes over at most so many bytes; nothing if there is no byte.
    private static func skip(_ count: UInt64, in buffer: inout ByteBuffer) -> UInt64? {
        guard buffer.readableBytes > 0 else { return nil }
        let skipped = min(count, UInt64(buffer.readableBytes))
        buffer.moveReaderIndex(forwardBy: Int(skipped))
        return count - skipped
    }

    /// Reads the size of a chunk, before its extensions (RFC 9112 §7.1).
    private static func chunkSize(_ line: ArraySlice<UInt8>) -> UInt64? {
        let digits = line.prefix { ![UInt8(ascii: ";"), UInt8(ascii: " "), UInt8(ascii: "\t")].contains($0) }
        guard (1...15).contains(digits.count), digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else {
            return nil
        }
        return UInt64(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}
