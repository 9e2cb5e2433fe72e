// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import HTTP1

/// One visitor's connection, from request to request, and what each event means for it.
///
/// | event \ phase | head | body | awaitingAnswer | raw | lingering |
/// |---|---|---|---|---|---|
/// | a head came | body, or awaitingAnswer if there is none | | | | |
/// | the body is complete | | awaitingAnswer | | | |
/// | the rest of the body has no reader | | awaitingAnswer, the last | | | |
/// | the origin switches protocols | | raw | raw | | |
/// | the answer is complete | | lingering | head if the answer said so, else lingering | lingering | |
/// | the input ended, and all of it is taken | lingering | close | tell the responder when the time comes | tell the responder | close once the output has ended |
/// | the listener leaves | say close in answers | the same | the same | | |
/// | the listener closes | lingering if nothing of a request is there, but not before a first one had its time | as above | as above | | |
///
/// A value without channel or clock: the handler performs the actions that its functions return.
struct VisitorConnectionState: Equatable {
    enum Phase: Equatable {
        /// The head of the next request.
        case head
        /// The body of the request.
        case body
        /// Nothing more of the request; the rest of the answer.
        case awaitingAnswer
        /// Bytes both ways, after a 101.
        case raw
        /// Our direction is being closed; what still comes is dropped.
        case lingering
        case closed
    }

    /// How far our direction has been closed.
    enum Output: Equatable {
        case open
        /// As soon as what was written is out.
        case ending
        case ended
    }

    /// What the handler has to do.
    enum Action: Equatable {
        case nothing
        /// Give the responder the end of the visitor's direction.
        case tellInputEnd
        /// Tell the responder that the edge leaves.
        case tellLeaving
        /// Close our direction after what was written.
        case endOutput
        case close
    }

    /// What an answer says of itself when its head is written.
    struct Answer: Equatable {
        enum Author: Equatable {
            case edge
            case origin
        }

        let author: Author
        /// Whether the visitor can tell the end of the body from the end of the connection.
        private(set) var isDelimited = true
        /// Whether whoever answers goes on to take the rest of the request's body.
        private(set) var takesRest = false
        /// Whether the request was at fault in a way that leaves unclear where the next one begins.
        private(set) var isFault = false
    }

    private(set) var phase = Phase.head
    private(set) var output = Output.open
    private(set) var stage = VisitorConnections.Stage.serving
    /// The visitor will send no more.
    private(set) var hasInputEnded = false
    private var request: RequestTraits?
    /// Whether the visitor was told that the connection goes on after this answer.
    private var isKept = false
    private var isBodyAbandoned = false
    /// Whether the visitor is likely to be sending what nobody reads.
    private var leavesUnread = false
    private var isInputEndTold = false
    /// Whether a visitor who closed its direction has been found to be there, or can no longer be asked.
    private var isHalfCloseExamined = false
    private var hasWrittenSinceInputEnded = false

    // MARK: Requests

    /// A whole head came.
    mutating func began(_ request: RequestTraits) {
        self.request = request
        self.isKept = false
        self.isBodyAbandoned = false
        self.phase = request.hasBody ? .body : .awaitingAnswer
    }

    /// The last byte of the body was passed on.
    mutating func completedBody() {
        guard self.phase == .body else { return }
        self.phase = .awaitingAnswer
    }

    /// Nobody takes the rest of the body.
    mutating func abandonedBody() {
        guard self.phase == .body else { return }
        self.isBodyAbandoned = true
        self.phase = .awaitingAnswer
    }

    /// A head came that can't be understood, so that nothing after it can be.
    mutating func beganUnreadable() {
        self.request = nil
        self.leavesUnread = true
        self.isKept = false
        self.phase = .awaitingAnswer
    }

    // MARK: Answers

    /// Decides whether the connection goes on after an answer: the one place that does.
    ///
    /// A body that nobody reads would be in the way of the next request, and after a refused upgrade other things than
    /// requests may come (RFC 9931). A visitor with HTTP/1.0 is told of keeping the connection only by an origin that
    /// speaks of it.
    mutating func decide(_ answer: Answer) -> ResponseRewrite.Connection {
        self.isKept = self.mayKeep(answer)
        guard self.isKept else { return .close }
        return self.request?.version == .http10 ? .keepAlive : .kept
    }

    private func mayKeep(_ answer: Answer) -> Bool {
        guard let request, request.isKeepAlive, !request.isUpgrade, self.stage == .serving else { return false }
        guard answer.isDelimited, !answer.isFault, !self.isBodyAbandoned else { return false }
        guard self.phase == .awaitingAnswer || answer.takesRest else { return false }
        return request.version == .http11 || answer.author == .origin
    }

    /// Bytes of an answer were written.
    mutating func wrote() {
        if self.hasInputEnded { self.hasWrittenSinceInputEnded = true }
    }

    /// Everything that follows is bytes.
    mutating func switchedProtocols() {
        guard self.phase == .body || self.phase == .awaitingAnswer else { return }
        self.phase = .raw
    }

    /// The answer is complete.
    ///
    /// - Parameter hasUnread: Whether bytes are there that nobody took.
    mutating func answered(hasUnread: Bool) -> Action {
        switch self.phase {
        case .head, .lingering, .closed: return .nothing
        case .body:
            self.leavesUnread = true
            return self.end(isVisitorDone: false)
        case .raw: return self.end(isVisitorDone: false)
        case .awaitingAnswer: self.leavesUnread = self.leavesUnread || self.isBodyAbandoned
        }
        guard self.isKept, !self.isBodyAbandoned else {
            return self.end(isVisitorDone: self.request?.isVisitorsLast == true && !hasUnread)
        }
        self.phase = .head
        return self.stage == .closing && !hasUnread ? self.end(isVisitorDone: false) : .nothing
    }

    // MARK: Ends

    /// The responder ends our direction alone, after a 101.
    mutating func endsOutput() -> Action {
        guard self.phase == .raw, self.output == .open else { return .nothing }
        self.output = .ending
        return .endOutput
    }

    /// Closes the connection so that what was written arrives: our direction first, then, once the visitor has closed
    /// its own or a moment has passed, the rest (RFC 9112 §9.6).
    ///
    /// - Parameter isVisitorDone: Whether the visitor has said that it sends nothing more, so that nothing that it
    ///   might have sent meanwhile can turn the end of the connection into a reset.
    private mutating func end(isVisitorDone: Bool) -> Action {
        if isVisitorDone { self.hasInputEnded = true }
        self.phase = .lingering
        switch self.output {
        case .open:
            self.output = .ending
            return .endOutput
        case .ending: return .nothing
        case .ended: return self.hasInputEnded ? .close : .nothing
        }
    }

    /// Our direction is closed, and all that was written is out.
    mutating func outputEnded() -> Action {
        self.output = .ended
        return self.phase == .lingering && self.hasInputEnded ? .close : .nothing
    }

    /// The visitor has closed its direction, or is gone: which of the two only shows when something is written.
    mutating func inputEnded() -> Action {
        self.hasInputEnded = true
        return self.phase == .lingering && self.output == .ended ? .close : .nothing
    }

    /// All that came is taken as far as it can be.
    mutating func ranDry() -> Action {
        guard self.hasInputEnded else { return .nothing }
        switch self.phase {
        case .head: return self.end(isVisitorDone: false)
        case .body: return .close
        case .raw:
            guard !self.isInputEndTold else { return .nothing }
            self.isInputEndTold = true
            return .tellInputEnd
        case .awaitingAnswer, .lingering, .closed: return .nothing
        }
    }

    /// The time between two requests is over.
    mutating func idledOut() -> Action {
        self.phase == .head ? self.end(isVisitorDone: false) : .nothing
    }

    /// The listener has come to a later stage.
    ///
    /// - Parameter hasUnread: Whether bytes of a request are there.
    mutating func entered(_ stage: VisitorConnections.Stage, hasUnread: Bool) -> Action {
        guard stage > self.stage else { return .nothing }
        self.stage = stage
        switch self.phase {
        case .head:
            // The first request of a connection that was accepted just now is on its way: it gets a moment.
            guard stage == .closing, !hasUnread, self.request != nil else { return .nothing }
            return self.end(isVisitorDone: false)
        case .body, .awaitingAnswer: return .tellLeaving
        case .raw, .lingering, .closed: return .nothing
        }
    }

    /// The connection is over, or no longer a visitor's.
    mutating func closed() {
        self.phase = .closed
    }

    // MARK: Time

    /// What the connection waits for.
    ///
    /// - Parameters:
    ///   - hasUnread: Whether bytes are there that nobody took.
    ///   - isWritable: Whether the visitor takes what is written.
    ///   - turn: Whose turn it is, as the responder sees it.
    func wait(hasUnread: Bool, isWritable: Bool, turn: Turn) -> ConnectionDeadlines.Kind? {
        switch self.phase {
        case .closed: return nil
        case .lingering:
            guard self.output == .ended else { return .stalledDownload }
            return self.leavesUnread ? .unreadUpload : .lingering
        case .head:
            guard isWritable else { return .stalledDownload }
            if hasUnread { return .head }
            return self.stage == .closing ? .firstRequest : .idle
        case .body, .awaitingAnswer, .raw:
            guard isWritable else { return .stalledDownload }
            if self.phase == .awaitingAnswer, self.hasInputEnded, !self.isHalfCloseExamined { return .halfClosed }
            switch turn {
            case .visitor(let minimum): return .upload(minimum: minimum)
            case .visitorAtOnce: return .body
            case .origin(let time): return .response(time)
            case .neither: return nil
            }
        }
    }

    /// The time is over in which a visitor who closed its direction gets an answer, since most who do that have left.
    ///
    /// - Parameter hasQueued: Whether bytes wait for the visitor, who may be slow to take what it asked for.
    mutating func examinedHalfClose(hasQueued: Bool) -> Action {
        guard self.hasWrittenSinceInputEnded || hasQueued else { return .close }
        self.isHalfCloseExamined = true
        return .nothing
    }
}

/// Whose turn it is in an exchange, and whose time therefore runs.
enum Turn: Equatable {
    /// The visitor's, to send more of its body: at least so many bytes each time.
    case visitor(minimum: Int)
    /// The visitor's, to send all of a body that the edge itself reads.
    case visitorAtOnce
    /// The origin's, to begin its response.
    case origin(ConnectionDeadlines.Time)
    /// Nobody's in particular: a response may be silent for as long as it likes.
    case neither
}
