// SPDX-License-Identifier: Apache-2.0

import Mux
import Protocol

/// What an end of a joint tells the other one, besides bytes.
enum JointSignal: Equatable, Sendable {
    /// No more bytes come.
    case finish
    /// No more bytes are taken.
    case stopReading
    /// The connection has broken: what ends here is incomplete.
    case abort(StreamError)
}

/// The rules by which what happens to one end of a joint becomes known at the other.
///
/// | here                                  | the other end is told |
/// |---------------------------------------|-----------------------|
/// | end of input                          | finish                |
/// | the peer takes no more                | stopReading           |
/// | reset, or another error               | abort                 |
/// | closed, both directions finished      |                       |
/// | closed, our direction shut            | finish                |
/// | closed otherwise                      | abort                 |
///
/// Each is told once, and nothing after an abort from either side. Our direction is finished when the other end says so,
/// and shut once all that was queued for the peer is written: a close between the two has cut off what was queued.
struct JointEndState: Equatable, Sendable {
    private enum Input: Equatable {
        case open
        case finished
    }

    private enum Output: Equatable {
        case open
        /// The half-close waits behind what is queued.
        case finishing
        case shut
    }

    /// From this end's peer to the other end.
    private var input = Input.open
    /// Whether the peer has sent its last byte.
    var hasInputEnded: Bool { self.input == .finished }
    /// From the other end to this end's peer.
    private var output = Output.open
    private var hasStopped = false
    /// Whether nothing is told or carried out any more.
    private(set) var isOver = false

    /// The peer has sent its last byte.
    mutating func inputEnded() -> JointSignal? {
        guard !self.isOver, self.input == .open else { return nil }
        self.input = .finished
        return .finish
    }

    /// The peer takes no more bytes.
    mutating func peerStoppedReading() -> JointSignal? {
        guard !self.isOver, !self.hasStopped, self.output == .open else { return nil }
        self.hasStopped = true
        return .stopReading
    }

    /// The connection broke.
    mutating func failed(_ error: StreamError) -> JointSignal? {
        guard !self.isOver else { return nil }
        self.isOver = true
        return .abort(error)
    }

    /// The channel is closed.
    ///
    /// Where both directions have ended NIO reports the close of a socket alone, and not the end of input before it; a
    /// reset it reports as an error first.
    mutating func closed() -> JointSignal? {
        guard !self.isOver else { return nil }
        self.isOver = true
        switch (self.input, self.output) {
        case (.finished, .shut): return nil
        case (.open, .shut):
            self.input = .finished
            return .finish
        case (_, .open), (_, .finishing):
            let error = StreamError(code: .cancelled, reason: "closed", origin: .resetByPeer, isRetrySafe: false)
            return .abort(error)
        }
    }

    /// The half-close that a ``JointSignal/finish`` asked for is done.
    mutating func outputShut() {
        if self.output == .finishing { self.output = .shut }
    }

    /// The other end has something to tell.
    ///
    /// - Returns: Whether it is to be carried out.
    mutating func told(_ signal: JointSignal) -> Bool {
        guard !self.isOver else { return false }
        switch signal {
        case .finish:
            guard self.output == .open else { return false }
            self.output = .finishing
        case .stopReading:
            guard self.input == .open else { return false }
        case .abort:
            self.isOver = true
        }
        return true
    }
}
