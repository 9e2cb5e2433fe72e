// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// What has passed of an exchange so far.
package struct ExchangeState: Sendable {
    /// What the exchange has turned out to be.
    package enum Kind: String, Sendable {
        case http
        /// Messages of RFC 6455 after a 101.
        case websocket
        /// A response of `text/event-stream`.
        case events
        /// Another protocol after a 101, or a tunnel after CONNECT.
        case upgrade
        /// A connection whose bytes are not HTTP/1.
        case opaque
    }

    /// Whether it is over, and how.
    package enum Ending: Equatable, Sendable {
        case open
        case complete
        /// It ended before its time; why, in a sentence.
        case failed(String)
    }

    /// An interim response (RFC 9110 §15.2).
    package struct Interim: Sendable {
        /// Its head, byte for byte.
        package var head: [UInt8]
        /// When it passed.
        package var moment: NIODeadline
    }

    /// What the exchange has turned out to be.
    package var kind = Kind.http
    /// When the request's head passed.
    package var began: NIODeadline
    /// The request.
    package var request: MessageCapture
    /// Interim responses, as many as are kept.
    package var interim: [Interim] = []
    /// The final response.
    package var response: MessageCapture?
    /// The messages of a WebSocket.
    package var frames: FrameLog?
    /// When the request's end passed.
    package var requestEnd: NIODeadline?
    /// When the final response's head passed.
    package var responseHead: NIODeadline?
    /// When the exchange was over.
    package var end: NIODeadline?
    /// Whether it is over, and how.
    package var ending = Ending.open
    /// Why what followed could not be read, for a connection whose bytes are no longer looked at.
    package var fault: String?
    /// What the exchange counts in the budget.
    var counted: Int
    /// Whether the exchange has left the ring.
    var isGone = false

    /// Makes the state of an exchange whose request's head has passed.
    package init(request: consuming MessageCapture, began: NIODeadline) {
        self.began = began
        self.counted = CaptureBudget.exchangeBytes + request.head.count + request.body.kept.count
        self.request = consume request
    }

    /// Makes the same in place.
    ///
    /// - Parameters:
    ///   - head: The request's head.
    ///   - dropped: The names of its fields that are not kept.
    ///   - kind: What the exchange is, as far as is known.
    ///   - end: When the request's end passed, if that was at once.
    ///   - began: When the head passed.
    @inline(__always)
    init(head: [UInt8], dropped: [String], kind: Kind, end: NIODeadline?, began: NIODeadline) {
        self.kind = kind
        self.began = began
        self.counted = CaptureBudget.exchangeBytes + head.count
        self.request = MessageCapture(head: head, dropped: dropped, isComplete: end != nil)
        self.requestEnd = end
    }

    /// The request's end has passed.
    mutating func endRequest(at moment: NIODeadline) {
        self.request.body.isComplete = true
        self.requestEnd = moment
    }

    /// Ends the exchange, if it is open.
    ///
    /// - Returns: Whether it was.
    mutating func end(_ ending: Ending, at moment: NIODeadline) -> Bool {
        guard case .open = self.ending else { return false }
        self.ending = ending
        self.end = moment
        return true
    }

    /// How much memory has to be reserved before bytes of a body can be kept.
    func growth(of side: CaptureSide, for count: Int, expected: UInt64?, limit: Int) -> Int {
        switch side {
        case .visitor: self.request.body.growth(for: count, expected: expected, limit: limit)
        case .server: self.response?.body.growth(for: count, expected: expected, limit: limit) ?? 0
        }
    }

    /// Counts bytes of a body, and keeps those that fit.
    mutating func append(
        _ bytes: UnsafeRawBufferPointer,
        from side: CaptureSide,
        growth: Int,
        isRefused: Bool,
        limit: Int
    ) {
        switch side {
        case .visitor: self.request.body.append(bytes, growth: growth, isRefused: isRefused, limit: limit)
        case .server: self.response?.body.append(bytes, growth: growth, isRefused: isRefused, limit: limit)
        }
    }

    /// Keeps a message of a WebSocket.
    ///
    /// - Parameters:
    ///   - frame: The message.
    ///   - growth: How much memory was reserved for it.
    /// - Returns: How much of the memory is given back.
    mutating func append(_ frame: FrameCapture, growth: Int) -> Int {
        let freed = self.frames?.append(frame, growth: growth) ?? growth
        self.counted += growth - freed
        return freed
    }

    /// Sets a response that was not captured here.
    mutating func setResponse(_ response: MessageCapture, at moment: NIODeadline) {
        self.response = response
        self.responseHead = moment
        self.counted += response.head.count + response.body.kept.count
    }

    /// Takes fields out of what was not captured here.
    mutating func drop(_ fields: DroppedFields) {
        let before = self.headBytes
        self.request.drop(fields)
        self.response?.drop(fields)
        for index in self.interim.indices { _ = fields.remove(from: &self.interim[index].head) }
        self.counted -= before - self.headBytes
    }

    private var headBytes: Int {
        let messages = [self.request, self.response].compactMap(\.self)
        return messages.reduce(0) { $0 + $1.head.count + $1.trailers.count }
    }

    /// Drops bodies and messages, and keeps no more of them.
    mutating func shed() {
        self.request.body.shed()
        self.request.trailers = []
        self.response?.body.shed()
        self.response?.trailers = []
        self.interim = []
        self.frames?.shed()
    }

    /// Whether everything that passed is kept, of what is kept at all of such an exchange.
    package var isWhole: Bool {
        switch self.kind {
        case .http, .events: self.request.body.isWhole && self.response?.body.isWhole ?? true
        case .websocket: self.frames.map { $0.total == $0.count } ?? true
        case .upgrade, .opaque: true
        }
    }
}

/// An exchange as it was at one moment.
package struct ExchangeSnapshot: Sendable {
    /// Identifies the exchange.
    package var id: CaptureID
    /// The tunnel that it came through.
    package var tunnel: String
    /// Requests of one connection share it.
    package var connection: UInt64
    /// Turns moments into dates.
    package var clock: CaptureClock
    /// What it repeats.
    package var replayOf: CaptureID?
    /// Whether it comes from an archive.
    package var isImported: Bool
    /// What has passed.
    package var state: ExchangeState

    /// The time from the request's head to a moment.
    package func span(to moment: NIODeadline) -> TimeAmount { moment - self.state.began }

    /// When the request's head passed, in milliseconds since 1970.
    package var start: Double { self.clock.milliseconds(self.state.began) }
}
