// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Looks at the bytes of one connection as they pass, and tells which requests were made and how they were answered.
///
/// It reads the heads of HTTP/1.1 messages and passes over their bodies. It keeps a line of either direction and a
/// few open requests, however long the connection lives. On anything it does not understand, and after an upgrade, it
/// goes blind: it looks at nothing more, and the requests that are open end with the connection.
package struct HTTPCapture {
    /// A request and its answer, as far as it is known.
    package struct Exchange: Equatable, Sendable {
        package var method: String
        /// Without the query.
        package var path: String
        /// The status of the answer; nothing if there was none.
        package var status: Int?
        /// From the end of the request's head to the end of the answer's.
        package var responseTime: TimeAmount?
        /// From the end of the request's head to the end of the answer.
        package var duration: TimeAmount?
        /// Whether the answer came to its end.
        package var isComplete: Bool

        /// Makes an exchange; of one that has just begun the request alone is known.
        package init(
            method: String,
            path: String,
            status: Int? = nil,
            responseTime: TimeAmount? = nil,
            duration: TimeAmount? = nil,
            isComplete: Bool = false
        ) {
            self.method = method
            self.path = path
            self.status = status
            self.responseTime = responseTime
            self.duration = duration
            self.isComplete = isComplete
        }
    }

    /// What there is to tell.
    package enum Event: Equatable, Sendable {
        /// A request's head has passed.
        case began
        /// The head of its answer has passed.
        case responded(Exchange)
        /// The answer has passed, or the connection is over.
        case ended(Exchange)
    }

    private enum State {
        case looking
        case blind
        case over
    }

    private struct Open {
        var exchange: Exchange
        let began: NIODeadline
    }

    private var state = State.looking
    private var requests = MessageReader(isRequest: true)
    private var responses = MessageReader(isRequest: false)
    private var open: [Open] = []

    /// Most requests that may wait for an answer on one connection.
    static let maximumOpen = 16

    /// Takes bytes on their way to the origin.
    mutating func requestBytes(_ bytes: ByteBuffer, now: NIODeadline) -> [Event] {
        guard self.state == .looking else { return [] }
        var bytes = bytes
        var events: [Event] = []
        while true {
            switch self.requests.next(&bytes) {
            case .needsMore:
                return events
            case .end:
                break
            case .head(let head):
                guard let body = Self.requestBody(head), case .request(let method, let path) = head.start,
                    self.open.count < Self.maximumOpen
                else {
                    self.goBlind()
                    return events
                }
                self.open.append(Open(exchange: Exchange(method: method, path: path), began: now))
                events.append(.began)
                self.requests.begin(body)
            case .unreadable:
                self.goBlind()
                return events
            }
        }
    }

    /// Takes bytes on their way to the visitor.
    mutating func responseBytes(_ bytes: ByteBuffer, now: NIODeadline) -> [Event] {
        guard self.state == .looking else { return [] }
        var bytes = bytes
        var events: [Event] = []
        while self.state == .looking {
            switch self.responses.next(&bytes) {
            case .needsMore:
                return events
            case .end:
                events.append(self.endFirst(isComplete: true, now: now))
            case .head(let head):
                if let event = self.answered(head, now: now) { events.append(event) }
            case .unreadable:
                self.goBlind()
            }
        }
        return events
    }

    /// Takes the origin's end of its direction, which is the end of an answer without a length.
    mutating func responsesFinished(now: NIODeadline) -> [Event] {
        guard self.state == .looking, self.responses.endsWithConnection else { return [] }
        defer { self.goBlind() }
        return [self.endFirst(isComplete: true, now: now)]
    }

    /// Takes the end of the connection.
    ///
    /// - Parameters:
    ///   - isClean: Whether it ended in good order.
    ///   - now: The time.
    mutating func closed(isClean: Bool, now: NIODeadline) -> [Event] {
        guard self.state != .over else { return [] }
        // Of what went by unseen nobody can say more than that it ended in good order.
        let isComplete = isClean && self.state == .blind
        self.state = .over
        var events: [Event] = []
        while let first = self.open.first {
            events.append(self.endFirst(isComplete: isComplete && first.exchange.status != nil, now: now))
        }
        return events
    }

    private mutating func answered(_ head: MessageHead, now: NIODeadline) -> Event? {
        guard case .response(let status) = head.start, let first = self.open.first, first.exchange.status == nil else {
            self.goBlind()
            return nil
        }
        if (100...199).contains(status), status != 101 {
            self.responses.skipInterim()
            return nil
        }
        self.open[0].exchange.status = status
        self.open[0].exchange.responseTime = now - first.began
        let method = first.exchange.method
        if status == 101 || method == "CONNECT" && (200...299).contains(status) {
            // What follows is another protocol's.
            self.goBlind()
        } else {
            self.responses.begin(Self.responseBody(head, status: status, method: method))
        }
        return .responded(self.open[0].exchange)
    }

    private mutating func endFirst(isComplete: Bool, now: NIODeadline) -> Event {
        let first = self.open.removeFirst()
        var exchange = first.exchange
        exchange.duration = now - first.began
        exchange.isComplete = isComplete
        return .ended(exchange)
    }

    private mutating func goBlind() {
        self.state = .blind
        // What was kept of a line is of no use any more.
        self.requests = MessageReader(isRequest: true)
        self.responses = MessageReader(isRequest: false)
    }

    /// Tells how a request's body ends (RFC 9112 §6.3); nothing if it can't.
    private static func requestBody(_ head: MessageHead) -> MessageReader.Body? {
        switch head.length {
        case .unstated: MessageReader.Body.none
        case .bytes(let count): .length(count)
        case .chunked: .chunked
        case .untilClose: nil
        }
    }

    /// Tells how an answer's body ends (RFC 9112 §6.3).
    private static func responseBody(_ head: MessageHead, status: Int, method: String) -> MessageReader.Body {
        if method == "HEAD" || status == 204 || status == 304 { return .none }
        switch head.length {
        case .unstated, .untilClose: return .untilClose
        case .bytes(let count): return .length(count)
        case .chunked: return .chunked
        }
    }
}
