// SPDX-License-Identifier: Apache-2.0

import HTTP1
import NIOCore

/// Follows the messages of one direction of an HTTP/1.1 connection as they pass, with the readers that the edge uses:
/// what the edge refuses, and why, is what this reports.
///
/// It keeps the beginning of a head, a size line or a trailer section, and nothing else.
struct MessageFollower {
    /// What was found.
    enum Step {
        /// Nothing before more bytes have come.
        case needsMore
        /// The head of a request; ``begin(_:)`` or ``beginNext()`` has to follow.
        case request(RequestHead)
        /// The head of a response, which lies right before what is left of the bytes; ``begin(_:)`` or ``beginNext()`` has
        /// to follow.
        case response(ResponseHead)
        /// The end of a message with its body, and the trailers if it had any.
        case end(FieldSection?)
        /// Something that is not HTTP/1.1, or longer than is looked at.
        case unreadable(HTTPFault)
    }

    /// The readers are not part of it, so that to look at the state is no copy of them.
    private enum State {
        case head
        /// The owner has yet to say what body there is.
        case undecided
        case length(UInt64)
        case chunked
        case untilClose
    }

    private let isRequest: Bool
    private var state = State.head
    private var parser = HeadParser()
    /// What reads the body, while it is a chunked one.
    private var chunks: ChunkedReader?
    /// What has come of something unfinished, in memory of its own.
    private var kept: ByteBuffer?

    init(isRequest: Bool) {
        self.isRequest = isRequest
    }

    /// Whether the message ends with the connection.
    var endsWithConnection: Bool {
        if case .untilClose = self.state { true } else { false }
    }

    /// Whether ``next(_:content:)`` has something to do: bytes, or an end that has yet to be told.
    func isDue(_ bytes: ByteBuffer) -> Bool {
        if bytes.readableBytes > 0 { return true }
        if case .length(0) = self.state { return true }
        return false
    }

    /// Takes bytes up to the next thing worth telling.
    ///
    /// - Parameters:
    ///   - bytes: What has passed; what is left of it belongs to the next step.
    ///   - content: Called with pieces of bodies, which are valid during the call.
    mutating func next(_ bytes: inout ByteBuffer, content: (UnsafeRawBufferPointer) -> Void) -> Step {
        let isOwn = self.kept != nil
        if var kept = self.kept.take() {
            kept.writeBuffer(&bytes)
            bytes = kept
        }
        do throws(HTTPFault) {
            if let step = try self.step(&bytes, content: content) { return step }
        } catch {
            return .unreadable(error)
        }
        guard bytes.readableBytes > 0 else { return .needsMore }
        // A slice would keep the whole read buffer in memory.
        if isOwn { bytes.discardReadBytes() } else { bytes = ByteBuffer(bytes: bytes.readableBytesView) }
        self.kept = bytes
        bytes = ByteBuffer()
        return .needsMore
    }

    /// Says what body follows the head that was returned.
    mutating func begin(_ framing: BodyFraming) {
        self.state =
            switch framing {
            case .none: .length(0)
            case .length(let count): .length(count)
            case .chunked: .chunked
            case .untilClose: .untilClose
            }
        if case .chunked = framing { self.chunks = ChunkedReader(isLenient: true) }
    }

    /// Says that another head comes next: the last one was interim, or what follows it was read by the owner.
    mutating func beginNext() {
        self.state = .head
    }

    /// The next thing worth telling; `nil` if it needs more bytes.
    private mutating func step(
        _ bytes: inout ByteBuffer,
        content: (UnsafeRawBufferPointer) -> Void
    ) throws(HTTPFault) -> Step? {
        while true {
            switch self.state {
            case .head:
                guard bytes.readableBytes > 0 else { return nil }
                let step: Step?
                if self.isRequest {
                    step = try self.parser.request(&bytes).map(Step.request)
                } else {
                    step = try self.parser.response(&bytes).map(Step.response)
                }
                if step != nil { self.state = .undecided }
                return step
            case .undecided:
                return nil
            case .length(0):
                self.state = .head
                return .end(nil)
            case .length(let left):
                let count = Int(min(left, UInt64(bytes.readableBytes)))
                guard count > 0 else { return nil }
                Self.pass(count, of: &bytes, content)
                self.state = .length(left - UInt64(count))
            case .chunked:
                guard bytes.readableBytes > 0 else { return nil }
                try self.chunks?.content(&bytes, content)
                guard let chunks = self.chunks, chunks.isComplete else { return nil }
                self.chunks = nil
                self.state = .head
                return .end(chunks.trailers)
            case .untilClose:
                Self.pass(bytes.readableBytes, of: &bytes, content)
                return nil
            }
        }
    }

    private static func pass(_ count: Int, of bytes: inout ByteBuffer, _ content: (UnsafeRawBufferPointer) -> Void) {
        guard count > 0 else { return }
        bytes.withUnsafeReadableBytes { content(UnsafeRawBufferPointer(rebasing: $0.prefix(count))) }
        bytes.moveReaderIndex(forwardBy: count)
    }
}
