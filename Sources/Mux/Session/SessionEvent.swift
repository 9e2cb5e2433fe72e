// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

/// What a session core tells its owner.
public enum SessionEvent: Sendable {
    /// The peer's HELLO came: streams may be opened.
    indirect case active(peer: SessionSettings)
    /// The peer opened a stream; it is to be accepted or rejected.
    indirect case opened(StreamKey, OpenFrame)
    /// The peer accepted a stream of ours.
    case accepted(StreamKey)
    /// There is something to read: bytes or the end.
    case readable(StreamKey)
    /// Writing may go on.
    case writable(StreamKey)
    /// The peer takes no more bytes of this stream: what was unsent is dropped.
    case stopped(StreamKey, ErrorCode)
    /// The stream is over; no error if both sides finished.
    indirect case closed(StreamKey, StreamError?)
    /// The peer announced the end of the session: open no more streams here, connect elsewhere.
    case draining(ErrorCode, grace: TimeAmount, reconnectAfter: TimeAmount)
    /// The connection is gone and the session goes on without: another one may follow (docs/protocol.md §B.19).
    case suspended(String)
    /// The peer does not answer: the connection is to be given up.
    case unresponsive(String)
    /// The session is over; when the output has been sent the transport is to be closed.
    indirect case ended(SessionEnd)
}

/// Why a stream could not be opened; nothing was sent.
public enum OpenError: Error, Hashable, Sendable {
    /// The session is not active, or one of the sides is leaving.
    case sessionUnavailable
    /// As many opens wait as may.
    case tooManyWaiting
    /// The metadata can't be sent: the target must have 1 to 255 bytes.
    case invalidMetadata
}

/// What reading from a stream gives.
public enum ReadResult: Sendable {
    /// The next bytes.
    case bytes(ByteBuffer)
    /// The peer's last byte has been read; told once.
    case end
    /// Nothing now.
    case nothing
}
