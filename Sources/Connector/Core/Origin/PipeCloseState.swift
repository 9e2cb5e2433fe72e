// SPDX-License-Identifier: Apache-2.0

import Protocol

/// The rules by which the end of one side of a pipe (FIN, half-close, reset, loss) ends the other side.
///
/// ```
///                      visitor ──▶ origin            origin ──▶ visitor
/// FIN on the stream    shut down the local output
/// STOP_SENDING                                       read the local connection no more
/// local end of input                                 FIN on the stream
/// stream reset or lost abort the local connection (close it if the code is NO_ERROR)
/// local reset          STOP_SENDING                  RESET behind what is queued; of an exchange unless FIN was sent
/// ```
///
/// A stream that has finished in both directions leaves the local connection to the half-close that waits behind what is
/// queued for it, which closes it.
struct PipeCloseState: Equatable {
    /// What the pipe has to do; each case at most once in its life.
    enum Action: Equatable {
        case nothing
        /// Half-close the local connection behind what is queued for it.
        case finishLocal
        /// Read nothing more from the local connection.
        case stopReadingLocal
        /// Close the local connection without a reset.
        case closeLocal
        /// Close the local connection with a reset, so that the origin does not take the end for a complete message.
        case abortLocal
        /// Half-close the stream behind what is queued for it.
        case finishStream
        /// Ask the edge to send nothing more on the stream.
        case stopReadingStream(ErrorCode)
        /// Tell the edge, behind what is queued, that the stream ends here and incomplete.
        case resetStream(ErrorCode)
    }

    /// What the ends mean to each other.
    enum Traffic: Equatable {
        /// HTTP, where what came before FIN is a complete response: a reset behind it must not cut it off on its way.
        case exchange
        /// Anything else: a reset behind FIN is news, as it is to whoever is connected directly.
        case connection
    }

    private enum ToVisitor {
        case open
        case finished
        case unwanted
    }

    private let traffic: Traffic
    private var isFinishedToOrigin = false
    private var toVisitor = ToVisitor.open
    private var isLocalOutputShut = false
    private var isStreamOver = false
    private var isLocalOver = false

    init(_ traffic: Traffic = .exchange) {
        self.traffic = traffic
    }

    /// The stream received FIN.
    mutating func streamFinished() -> Action {
        guard !self.isFinishedToOrigin, !self.isLocalOver else { return .nothing }
        self.isFinishedToOrigin = true
        return .finishLocal
    }

    /// The edge sent STOP_SENDING: it drops whatever the origin still sends.
    mutating func streamStoppedReading() -> Action {
        guard self.toVisitor == .open, !self.isLocalOver else { return .nothing }
        self.toVisitor = .unwanted
        return .stopReadingLocal
    }

    /// The stream was reset, or lost with its session.
    mutating func streamFailed(_ code: ErrorCode) -> Action {
        guard !self.isStreamOver else { return .nothing }
        self.isStreamOver = true
        guard !self.isLocalOver else { return .nothing }
        self.isLocalOver = true
        return code == .noError ? .closeLocal : .abortLocal
    }

    /// The stream is closed.
    mutating func streamClosed() -> Action {
        guard self.isFinishedToOrigin, self.toVisitor == .finished, !self.isLocalOver else {
            return self.streamFailed(.noError)
        }
        self.isStreamOver = true
        return .nothing
    }

    /// The origin half-closed the local connection.
    mutating func localFinished() -> Action {
        guard self.toVisitor == .open, !self.isStreamOver else { return .nothing }
        self.toVisitor = .finished
        return .finishStream
    }

    /// The local connection was reset, or failed.
    mutating func localFailed(_ code: ErrorCode) -> Action {
        guard !self.isLocalOver else { return .nothing }
        self.isLocalOver = true
        guard !self.isStreamOver else { return .nothing }
        switch self.toVisitor {
        case .open:
            self.toVisitor = .finished
            return .resetStream(code)
        case .finished, .unwanted:
            guard !self.isFinishedToOrigin else { return .nothing }
            // The response is complete, or not wanted; only the rest of the request has no reader any more.
            return self.traffic == .exchange ? .stopReadingStream(code) : .resetStream(code)
        }
    }

    /// The half-close that ``Action/finishLocal`` asked for is done.
    mutating func localOutputShut() {
        self.isLocalOutputShut = true
    }

    /// The local connection is closed.
    ///
    /// When both directions have ended, NIO reports the close alone, not the end of input before it. It reports a reset
    /// as an error first, so a close without one after our half-close is the origin's half-close.
    mutating func localClosed() -> Action {
        let finish = self.isLocalOutputShut && !self.isLocalOver ? self.localFinished() : .nothing
        guard finish == .nothing else {
            self.isLocalOver = true
            return finish
        }
        return self.localFailed(.localReset)
    }
}
