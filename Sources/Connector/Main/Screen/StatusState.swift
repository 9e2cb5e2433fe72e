// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import DequeModule
import Foundation
import Inspection
import NIOCore

/// What the live status shows, collected from events; its size is bounded, however long the program runs.
struct StatusState: Sendable {
    /// How far the program is.
    enum Phase: Equatable, Sendable {
        case starting
        case serving
        case leaving
        case over
    }

    /// How one connection to the edge is.
    enum Connection: Equatable, Sendable {
        case connecting
        case connected
        case draining
        /// The connection was lost; another one is being opened for so many streams.
        case suspended(streams: Int)
        case waiting(until: Date, reason: String)
        case replaced
    }

    /// One tunnel.
    struct Tunnel: Sendable {
        let id: String
        let url: String
        let target: String
        let kind: TunnelKind
        /// By the index in the bundle.
        var connections: [Int: Connection] = [:]
        var roundTrips: [Int: TimeAmount] = [:]
        /// Why the local server can't be reached.
        var originFailure: String?
        /// The other connectors that serve it.
        var others: [String] = []
        /// How many requests the edge has answered itself.
        var edgeAnswers = EdgeAnswers()
        /// When the token ends, and why it has no successor yet.
        var tokenEnd: (date: Date, reason: String)?
    }

    /// The connections of tunnels that don't carry HTTP.
    struct Connections: Equatable, Sendable {
        var count: UInt64 = 0
        var open = 0
        /// How many ended by a reset.
        var broken: UInt64 = 0
        /// The bytes of those that are over: to the local server, and from it.
        var bytesIn = 0
        var bytesOut = 0
    }

    /// A request that has a response, or ended without one.
    struct Request: Equatable, Sendable {
        let date: Date
        let tunnel: String
        let exchange: HTTPCapture.Exchange
    }

    /// A line of the log that a person ought to see.
    struct Message: Equatable, Sendable {
        let date: Date
        let text: String
        let isError: Bool
    }

    private(set) var phase = Phase.starting
    /// Ordered by id, since edges answer in any order.
    private(set) var tunnels: [Tunnel] = []
    /// When the call of the control API that creates the tunnels is repeated, and why.
    private(set) var retry: (date: Date, reason: String)?
    /// Where the inspector's page is.
    private(set) var inspector: String?
    private(set) var requestCount: UInt64 = 0
    private(set) var openCount = 0
    /// How many requests got no response, or a 5xx.
    private(set) var errorCount: UInt64 = 0
    /// The connections of tunnels that don't carry HTTP.
    private(set) var connections = Connections()
    private(set) var responseTimes = ResponseTimes()
    /// The latest first.
    private(set) var requests: Deque<Request> = []
    /// The latest last.
    private(set) var messages: [Message] = []
    /// Whether a tunnel has been online.
    private(set) var hasBeenOnline = false

    /// How many requests are remembered.
    static let maximumRequests = 64
    /// How many lines of the log are remembered.
    static let maximumMessages = 4

    /// Whether the screen shows a countdown.
    var isCountingDown: Bool {
        guard self.phase == .starting || self.phase == .serving else { return false }
        return self.retry != nil || self.tunnels.contains { $0.connections.values.contains { $0.isWaiting } }
    }

    /// Adds a tunnel; one with the same id is replaced.
    mutating func opened(tunnel id: String, url: String, target: String, kind: TunnelKind = .http) {
        self.retry = nil
        if self.phase == .starting { self.phase = .serving }
        let tunnel = Tunnel(id: id, url: url, target: target, kind: kind)
        if let index = self.index(of: id) {
            self.tunnels[index] = tunnel
        } else {
            self.tunnels.insert(tunnel, at: self.tunnels.firstIndex { $0.id > id } ?? self.tunnels.endIndex)
        }
    }

    /// Removes a tunnel that is no longer served; the final state keeps the last one.
    mutating func closed(tunnel id: String) {
        guard self.phase == .serving, self.tunnels.count > 1 else { return }
        self.tunnels.removeAll { $0.id == id }
    }

    /// Takes an event of the whole run.
    mutating func take(_ event: StatusEvent, at date: Date) {
        switch event {
        case .retrying(let delay, let reason): self.retry = (date + delay.inTimeInterval, reason)
        case .inspecting(let url): self.inspector = url
        case .leaving: self.phase = .leaving
        case .stopped: self.phase = .over
        default: break
        }
    }

    /// Takes an event of a tunnel.
    mutating func take(_ event: StatusEvent, of id: String, at date: Date) {
        guard let index = self.index(of: id) else { return }
        switch event {
        case .connecting(let connection):
            self.tunnels[index].connections[connection] = .connecting
        case .connected(let connection):
            self.tunnels[index].connections[connection] = .connected
            self.hasBeenOnline = true
        case .draining(let connection, _):
            self.tunnels[index].connections[connection] = .draining
        case .suspended(let connection, let streams, _):
            self.tunnels[index].connections[connection] = .suspended(streams: streams)
            self.tunnels[index].roundTrips[connection] = nil
        case .resumed(let connection, _, _):
            self.tunnels[index].connections[connection] = .connected
        case .waiting(let connection, let delay, let reason):
            self.tunnels[index].connections[connection] = .waiting(until: date + delay.inTimeInterval, reason: reason)
            self.tunnels[index].roundTrips[connection] = nil
        case .replaced(let connection):
            self.tunnels[index].connections[connection] = .replaced
            self.tunnels[index].roundTrips[connection] = nil
        case .originUnreachable(_, _, let reason):
            self.tunnels[index].originFailure = reason
        case .originReachable:
            self.tunnels[index].originFailure = nil
        case .alsoServed(let others):
            self.tunnels[index].others = others
        case .tokenRenewed:
            self.tunnels[index].tokenEnd = nil
        case .tokenEnding(let end, let reason):
            self.tunnels[index].tokenEnd = (Date(timeIntervalSince1970: end), reason)
        case .request, .connection, .online, .retrying, .inspecting, .leaving, .stopped:
            break
        }
    }

    /// Takes a round-trip time; returns whether it has changed.
    mutating func measured(_ roundTrip: TimeAmount, connection: Int, of id: String) -> Bool {
        guard let index = self.index(of: id), self.tunnels[index].roundTrips[connection] != roundTrip else {
            return false
        }
        self.tunnels[index].roundTrips[connection] = roundTrip
        return true
    }

    /// Takes how many requests the edge has answered itself.
    mutating func edgeAnswered(_ answers: EdgeAnswers, of id: String) {
        if let index = self.index(of: id) { self.tunnels[index].edgeAnswers = answers }
    }

    /// Takes an event of the capture; only of a request that is shown the date is asked for.
    mutating func take(_ event: HTTPCapture.Event, of id: String, at date: @autoclosure () -> Date) {
        switch event {
        case .began:
            self.requestCount += 1
            self.openCount += 1
        case .responded(let exchange):
            self.responded(exchange, of: id, at: date())
        case .answered(let exchange):
            self.responded(exchange, of: id, at: date())
            self.openCount = max(0, self.openCount - 1)
        case .ended(let exchange):
            self.openCount = max(0, self.openCount - 1)
            guard exchange.status == nil else { return }
            self.errorCount += 1
            self.remember(Request(date: date(), tunnel: id, exchange: exchange))
        }
    }

    private mutating func responded(_ exchange: HTTPCapture.Exchange, of id: String, at date: Date) {
        if let time = exchange.responseTime { self.responseTimes.add(time) }
        if let status = exchange.status, status >= 500 { self.errorCount += 1 }
        self.remember(Request(date: date, tunnel: id, exchange: exchange))
        // The local server has answered, so it can be reached.
        if let index = self.index(of: id), self.tunnels[index].originFailure != nil {
            self.tunnels[index].originFailure = nil
        }
    }

    /// Takes an event of a connection.
    mutating func take(_ event: OriginConnectionEvent, of id: String) {
        switch event {
        case .began:
            self.connections.count += 1
            self.connections.open += 1
            // The local server has answered, so it can be reached.
            if let index = self.index(of: id) { self.tunnels[index].originFailure = nil }
        case .ended(let summary):
            self.connections.open = max(0, self.connections.open - 1)
            self.connections.bytesIn += summary.bytesIn
            self.connections.bytesOut += summary.bytesOut
            if !summary.isComplete { self.connections.broken += 1 }
        }
    }

    /// Takes a line of the log.
    mutating func take(message text: String, isError: Bool, at date: Date) {
        self.messages.append(Message(date: date, text: text, isError: isError))
        if self.messages.count > Self.maximumMessages { self.messages.removeFirst() }
    }

    /// Drops the lines of the log, which are no longer true.
    mutating func forgetMessages() {
        self.messages = []
    }

    private mutating func remember(_ request: Request) {
        if self.requests.count == Self.maximumRequests { self.requests.removeLast() }
        self.requests.prepend(request)
    }

    private func index(of id: String) -> Int? {
        self.tunnels.firstIndex { $0.id == id }
    }
}

extension StatusState.Connection {
    /// Whether the next attempt has yet to begin.
    var isWaiting: Bool {
        if case .waiting = self { true } else { false }
    }
}

extension Duration {
    /// The duration as Foundation counts time.
    var inTimeInterval: TimeInterval { self / .seconds(1) }
}
