// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// What an exchange has in memory.
///
/// Most exchanges are a request without a body, and a response that comes whole. Of such a one there are two blocks, one for
/// each message: when it makes room, long after anybody has looked at it, hardly more than these two have to be fetched
/// from where no cache has them. Its state is made when somebody looks, or when something else happens to it.
struct ExchangeMemory: Sendable {
    /// When the request passed.
    private let began: NIODeadline
    /// The request's head.
    private var request: [UInt8]
    /// What is kept of the response: its head and its body, one behind the other.
    private var response: [UInt8] = []
    /// The response, once it has passed.
    private var answer: Answer?
    /// The state of any other exchange, and of no more than one: it is long, and so has a place of its own.
    private var states: [ExchangeState] = []

    private struct Answer {
        /// How long its head is.
        var head: Int
        /// How long its body was.
        var size: Int
        var moment: NIODeadline
    }

    /// The longest response that is copied for each look at it.
    private static let longestResponse = 4_096

    /// Makes the memory of an exchange whose request has passed, which is its head alone.
    ///
    /// - Parameters:
    ///   - request: The request's head, of which all fields are kept.
    ///   - began: When it passed.
    @inline(__always)
    init(request: [UInt8], began: NIODeadline) {
        self.request = request
        self.began = began
    }

    /// Makes the memory of an exchange whose state is there already.
    init(_ state: consuming ExchangeState) {
        self.began = state.began
        self.request = []
        self.states = [consume state]
    }

    /// What has passed.
    var state: ExchangeState {
        guard self.states.isEmpty else { return self.states[0] }
        var state = ExchangeState(head: self.request, dropped: [], kind: .http, end: self.began, began: self.began)
        guard let answer else { return state }
        self.response.withUnsafeBytes { bytes in
            let body = BodyCapture(whole: [UInt8](bytes.dropFirst(answer.head)), size: UInt64(answer.size))
            state.setResponse(MessageCapture(head: [UInt8](bytes.prefix(answer.head)), body: body), at: answer.moment)
        }
        _ = state.end(.complete, at: answer.moment)
        return state
    }

    /// Whether the exchange has ended.
    var isOver: Bool {
        self.states.isEmpty ? self.answer != nil : self.states[0].ending != .open
    }

    /// Whether there is a request's head and nothing else, so that there is nothing to give back.
    var isHeadAlone: Bool { self.states.isEmpty && self.answer == nil }

    /// What the exchange counts in the budget.
    var counted: Int {
        guard self.states.isEmpty else { return self.states[0].counted }
        return CaptureBudget.exchangeBytes + self.request.count + self.response.count
    }

    /// Changes the state.
    mutating func change<Value>(_ body: (inout ExchangeState) -> Value) -> Value {
        if self.states.isEmpty {
            self.states = [self.state]
            self.request = []
            self.response = []
            self.answer = nil
        }
        return body(&self.states[0])
    }

    /// The whole final response has passed at once, and with it the exchange; there is memory for what is kept of it.
    ///
    /// - Parameters:
    ///   - kept: What is kept of the response: its head and its body, one behind the other.
    ///   - head: How long the head is.
    ///   - size: How long the body was.
    ///   - moment: When.
    /// - Returns: Whether the exchange has ended by that; `nil` if it has left, and nothing is kept.
    mutating func end(with kept: UnsafeRawBufferPointer, head: Int, size: Int, at moment: NIODeadline) -> Bool? {
        if self.states.isEmpty, self.answer == nil, kept.count <= Self.longestResponse {
            self.response = [UInt8](kept)
            self.answer = Answer(head: head, size: size, moment: moment)
            return true
        }
        return self.change { state in
            guard !state.isGone else { return nil }
            state.kind = .http
            let body = BodyCapture(whole: [UInt8](kept.dropFirst(head)), size: UInt64(size))
            state.setResponse(MessageCapture(head: [UInt8](kept.prefix(head)), body: body), at: moment)
            return state.end(.complete, at: moment)
        }
    }
}
