// SPDX-License-Identifier: Apache-2.0
import Protocol

/// The state of one stream at one end, and what each frame does to it (docs/protocol.md §B.6).
///
/// | received      | idle               | live                                         | zombie      | closed             |
/// |---------------|--------------------|----------------------------------------------|-------------|--------------------|
/// | OPEN_ACK      | STREAM_STATE_ERROR | opener, pending: open; else the error        | ignore      | STREAM_STATE_ERROR |
/// | REJECT        | STREAM_STATE_ERROR | opener, pending: closed; else the error      | closed      | STREAM_STATE_ERROR |
/// | DATA          | STREAM_STATE_ERROR | after FIN, or opener pending: the error      | discard     | STREAM_STATE_ERROR |
/// | WINDOW_UPDATE | STREAM_STATE_ERROR | raise the limit; after our FIN ignore        | ignore      | ignore             |
/// | BLOCKED       | STREAM_STATE_ERROR | see flow control                             | ignore      | ignore             |
/// | STOP_SENDING  | STREAM_STATE_ERROR | drop what is unsent, finish; after FIN ignore | ignore     | ignore             |
/// | RESET         | STREAM_STATE_ERROR | drop all, closed                             | closed      | ignore             |
struct StreamState: Hashable {
    let isOpener: Bool
    private(set) var phase: Phase = .pending
    private(set) var sending: Sending = .open
    private(set) var receiving: Receiving = .open

    enum Phase: Hashable {
        /// OPEN is out or in, OPEN_ACK is not.
        case pending
        /// The acceptor reads before it answers, since it passes on what comes (§B.20).
        case relaying
        case open
    }

    enum Sending: Hashable {
        case open
        /// FIN is wanted and not yet serialised.
        case finishing
        /// FIN is on the wire.
        case finished
    }

    enum Receiving: Hashable {
        case open
        /// STOP_SENDING was asked for: what still comes is discarded.
        case stopped
        /// FIN came.
        case finished
    }

    /// Both FINs have passed: the stream has no state on the wire any more.
    var isFinished: Bool { self.sending == .finished && self.receiving == .finished }

    init(isOpener: Bool) {
        self.isOpener = isOpener
    }

    // MARK: Received frames

    mutating func receivedOpenAck() throws(ProtocolViolation) {
        guard self.isOpener, self.phase == .pending else {
            throw ProtocolViolation(.streamStateError, "OPEN_ACK on a stream that does not wait for it")
        }
        self.phase = .open
    }

    func receivedReject() throws(ProtocolViolation) {
        guard self.isOpener, self.phase == .pending else {
            throw ProtocolViolation(.streamStateError, "REJECT on a stream that does not wait for an answer")
        }
    }

    /// Whether the bytes are to be kept; they are to be discarded after ``stopReading()``.
    mutating func receivedData(isLast: Bool) throws(ProtocolViolation) -> Bool {
        guard self.receiving != .finished else {
            throw ProtocolViolation(.streamStateError, "DATA after FIN")
        }
        guard !(self.isOpener && self.phase == .pending) else {
            throw ProtocolViolation(.streamStateError, "DATA before OPEN_ACK")
        }
        let isKept = self.receiving == .open
        if isLast { self.receiving = .finished }
        return isKept
    }

    /// Whether what is unsent is to be dropped and an empty FIN sent.
    ///
    /// - Parameter hasUnsent: Whether bytes wait to be sent. Without any, a FIN that is due is as good as out: the frame
    ///   changes nothing, and nothing is told twice.
    mutating func receivedStopSending(hasUnsent: Bool) -> Bool {
        switch self.sending {
        case .open: break
        case .finishing where hasUnsent: break
        case .finishing, .finished: return false
        }
        self.sending = .finishing
        return true
    }

    // MARK: Local actions

    /// Whether bytes may be queued: an opener may write at once, an acceptor only after it accepted.
    var mayWrite: Bool { self.sending == .open && (self.isOpener || self.phase == .open) }

    /// Whether the acceptor may still answer OPEN.
    var mayAnswer: Bool { !self.isOpener && self.phase != .open }

    /// Whether what has come may be read.
    var mayDeliver: Bool { self.isOpener || self.phase != .pending }

    /// Whether nothing of the stream can have gone further, so that its end here is a refusal.
    var isUndelivered: Bool { !self.isOpener && self.phase == .pending }

    /// Whether the acceptor now reads before it answers.
    mutating func relay() -> Bool {
        guard self.isUndelivered else { return false }
        self.phase = .relaying
        return true
    }

    mutating func accept() {
        precondition(self.mayAnswer, "only an acceptor that has not answered accepts")
        self.phase = .open
    }

    /// Whether FIN is now wanted that was not before.
    mutating func finish() -> Bool {
        guard self.sending == .open else { return false }
        self.sending = .finishing
        return true
    }

    mutating func finSerialised() {
        self.sending = .finished
    }

    /// Whether STOP_SENDING is to be sent.
    mutating func stopReading() -> Bool {
        guard self.receiving == .open else { return false }
        self.receiving = .stopped
        return true
    }
}
