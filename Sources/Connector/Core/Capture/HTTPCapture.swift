// SPDX-License-Identifier: Apache-2.0

import HTTP1
import NIOCore

/// Reads the bytes of one connection as they pass, and reports which requests are made and how they are answered.
///
/// It parses the heads of HTTP/1.1 messages and skips their bodies. It keeps one line of each direction and a few open
/// requests, however long the connection lives. After anything that it can't parse, and after an upgrade, it stops
/// reading; the requests that are open then end with the connection.
package struct HTTPCapture {
    /// A request and its response, as far as they have passed.
    package struct Exchange: Equatable, Sendable {
        package var method: String
        /// Without the query.
        package var path: String
        /// The response's status; `nil` if there was no response.
        package var status: Int?
        /// From the end of the request's head to the end of the response's head.
        package var responseTime: TimeAmount?
        /// From the end of the request's head to the end of the response.
        package var duration: TimeAmount?
        /// Whether the response was complete.
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

    /// What the capture reports.
    package enum Event: Equatable, Sendable {
        /// A request's head has passed.
        case began
        /// The response's head has passed.
        case responded(Exchange)
        /// The response has passed, or the connection is closed.
        case ended(Exchange)
    }

    private enum State {
        case reading
        /// What follows can't be parsed, or belongs to another protocol.
        case stopped
        case closed
    }

    private struct Open {
        var exchange: Exchange
        let began: NIODeadline
    }

    private var state = State.reading
    private var requests = MessageReader(.requests)
    private var responses = MessageReader(.responses)
    private var open: [Open] = []

    /// The most requests that may be unanswered on one connection; with more of them the capture stops reading.
    static let maximumOpen = 16

    /// Takes bytes on their way to the origin.
    mutating func requestBytes(_ bytes: ByteBuffer, now: NIODeadline) -> [Event] {
        guard self.state == .reading else { return [] }
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
                    self.stopReading()
                    return events
                }
                self.open.append(Open(exchange: Exchange(method: method, path: path), began: now))
                events.append(.began)
                self.requests.begin(body)
            case .unreadable:
                self.stopReading()
                return events
            }
        }
    }

    /// Takes bytes on their way to the visitor.
    mutating func responseBytes(_ bytes: ByteBuffer, now: NIODeadline) -> [Event] {
        guard self.state == .reading else { return [] }
        var bytes = bytes
        var events: [Event] = []
        while self.state == .reading {
            switch self.responses.next(&bytes) {
            case .needsMore:
                return events
            case .end:
                events.append(self.endFirst(isComplete: true, now: now))
            case .head(let head):
                if let event = self.answered(head, now: now) { events.append(event) }
            case .unreadable:
                self.stopReading()
            }
        }
        return events
    }

    /// The origin has closed its direction, which ends a response that has no length (RFC 9112 §6.3).
    mutating func responsesFinished(now: NIODeadline) -> [Event] {
        guard self.state == .reading, self.responses.endsWithConnection else { return [] }
        defer { self.stopReading() }
        return [self.endFirst(isComplete: true, now: now)]
    }

    /// The connection is closed.
    ///
    /// - Parameters:
    ///   - isClean: Whether it was closed without an error.
    ///   - now: The time.
    mutating func closed(isClean: Bool, now: NIODeadline) -> [Event] {
        guard self.state != .closed else { return [] }
        // Where the capture has stopped reading, all it knows of a response is that no error ended it.
        let isComplete = isClean && self.state == .stopped
        self.state = .closed
        var events: [Event] = []
        while let first = self.open.first {
            events.append(self.endFirst(isComplete: isComplete && first.exchange.status != nil, now: now))
        }
        return events
    }

    private mutating func answered(_ head: MessageOutline, now: NIODeadline) -> Event? {
        guard case .response(let status) = head.start, let first = self.open.first, first.exchange.status == nil else {
            self.stopReading()
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
            // What follows belongs to another protocol.
            self.stopReading()
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

    private mutating func stopReading() {
        self.state = .stopped
        // Frees the lines that were kept.
        self.requests = MessageReader(.requests)
        self.responses = MessageReader(.responses)
    }

    /// How a request's body ends (RFC 9112 §6.3); `nil` if it has no end that can be found.
    private static func requestBody(_ head: MessageOutline) -> MessageReader.Body? {
        switch head.length {
        case .unstated: MessageReader.Body.none
        case .bytes(let count): .length(count)
        case .chunked: .chunked
        case .untilClose: nil
        }
    }

    /// How a response's body ends (RFC 9112 §6.3).
    private static func responseBody(_ head: MessageOutline, status: Int, method: String) -> MessageReader.Body {
        if method == "HEAD" || status == 204 || status == 304 { return .none }
        switch head.length {
        case .unstated, .untilClose: return .untilClose
        case .bytes(let count): return .length(count)
        case .chunked: return .chunked
        }
    }
}
