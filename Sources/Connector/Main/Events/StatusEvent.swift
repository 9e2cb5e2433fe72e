// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
import Inspection
import Logging
import NIOCore
import Protocol

/// An event that the connector logs, and shows on the status screen.
///
/// `docs/connector.md` documents the names and members for programs; a test compares the page with them.
enum StatusEvent: Equatable, Sendable {
    /// An attempt to open a connection begins.
    case connecting(connection: Int)
    /// A connection serves requests.
    case connected(connection: Int)
    /// The edge drains the session; another connection is being opened.
    case draining(connection: Int, code: ErrorCode)
    /// A connection was lost, and another one is being opened for the streams that are under way.
    case suspended(connection: Int, streams: Int, reason: String)
    /// Another connection goes on with them after the given time; so many messages were sent again.
    case resumed(connection: Int, pause: Duration, repeated: Int)
    /// A connection was lost or could not be opened; the next attempt begins after the given time.
    case waiting(connection: Int, retryIn: Duration, reason: String)
    /// Another connector has replaced the connection, which is not opened again.
    case replaced(connection: Int)
    /// The tunnel can be reached for the first time.
    case online(url: String, target: String)
    /// A request has ended, with or without a response.
    case request(HTTPCapture.Exchange)
    /// A connection of a tunnel that does not carry HTTP has ended.
    case connection(OriginConnectionSummary)
    /// The local server can't be reached.
    case originUnreachable(target: String, code: ErrorCode, reason: String)
    /// The local server can be reached again.
    case originReachable(target: String)
    /// Other connectors serve the tunnel, too, or no longer do.
    case alsoServed(by: [String])
    /// A call of the control API failed, and will be repeated.
    case retrying(retryIn: Duration, reason: String)
    /// The inspector's page can be opened.
    case inspecting(url: String)
    /// A newer token is in use; it ends at the given time, in seconds since 1970.
    case tokenRenewed(end: Double?, problem: String?)
    /// The token has no successor yet, and ends at the given time.
    case tokenEnding(end: Double, reason: String)
    /// The program was asked to stop.
    case leaving(signal: String)
    /// The program ends. Always the last.
    case stopped(exitCode: Int32, message: String)

    /// The value of the member `event`.
    enum Name: String, CaseIterable, Sendable {
        case connecting
        case connected
        case draining
        case suspended
        case resumed
        case waiting
        case replaced
        case online
        case request
        case connection
        case originUnreachable = "origin_unreachable"
        case originReachable = "origin_reachable"
        case alsoServed = "also_served"
        case retrying
        case tokenRenewed = "token_renewed"
        case inspecting
        case tokenEnding = "token_ending"
        case leaving
        case stopped
    }

    /// What the event is called.
    var name: Name {
        switch self {
        case .connecting: .connecting
        case .connected: .connected
        case .draining: .draining
        case .suspended: .suspended
        case .resumed: .resumed
        case .waiting: .waiting
        case .replaced: .replaced
        case .online: .online
        case .request: .request
        case .connection: .connection
        case .originUnreachable: .originUnreachable
        case .originReachable: .originReachable
        case .alsoServed: .alsoServed
        case .retrying: .retrying
        case .tokenRenewed: .tokenRenewed
        case .inspecting: .inspecting
        case .tokenEnding: .tokenEnding
        case .leaving: .leaving
        case .stopped: .stopped
        }
    }

    /// How important it is.
    var level: Logger.Level {
        switch self {
        case .connecting: .debug
        case .connected, .draining, .resumed, .online, .request, .connection, .originReachable, .alsoServed,
            .inspecting,
            .leaving:
            .info
        case .tokenRenewed(_, let problem): problem == nil ? .info : .warning
        case .suspended, .waiting, .replaced, .originUnreachable, .retrying, .tokenEnding: .warning
        case .stopped(let exitCode, _): exitCode == CommandStatus.success.rawValue ? .info : .error
        }
    }

    /// What a person reads.
    var message: String {
        switch self {
        case .connecting: "connecting"
        case .connected: "connected"
        case .draining: "the edge is leaving; opening another connection"
        case .suspended(_, let streams, let reason):
            "\(PeerText.printable(reason)); reconnecting, \(streams) \(streams == 1 ? "stream" : "streams") kept"
        case .resumed(_, let pause, let repeated):
            "reconnected after \(pause.inMilliseconds) ms, \(repeated) \(repeated == 1 ? "message" : "messages") sent again"
        case .waiting(_, _, let reason): reason
        case .replaced: "Another connector took over this connection; leaving it alone."
        case .online: "forwarding"
        case .request: "request"
        case .connection: "connection"
        case .originUnreachable(_, _, let reason): reason
        case .originReachable: "the local server answers again"
        case .alsoServed(let others):
            others.isEmpty
                ? "no other connector serves this tunnel any more"
                : "requests for this tunnel also go to \(others.joined(separator: ", "))"
        case .retrying(_, let reason): reason
        case .inspecting: "requests can be inspected"
        case .tokenRenewed(_, let problem): "the token was renewed" + (problem.map { ", but \($0)" } ?? "")
        case .tokenEnding(let end, let reason):
            "The token of the tunnel \(end < Date.now.timeIntervalSince1970 ? "ended" : "ends") at "
                + "\(Self.text(of: end)), and could not be renewed: \(reason)"
        case .leaving: "leaving: finishing what is in flight"
        case .stopped(_, let message): message
        }
    }

    /// The members of the JSON line beside time, level, message and event.
    var members: Logger.Metadata {
        switch self {
        case .connecting(let connection), .connected(let connection), .replaced(let connection):
            ["connection": .stringConvertible(connection)]
        case .draining(let connection, let code):
            ["connection": .stringConvertible(connection), "code": "\(code)"]
        case .suspended(let connection, let streams, _):
            ["connection": .stringConvertible(connection), "streams": .stringConvertible(streams)]
        case .resumed(let connection, let pause, let repeated):
            [
                "connection": .stringConvertible(connection), "pause_ms": .stringConvertible(pause.inMilliseconds),
                "messages_again": .stringConvertible(repeated),
            ]
        case .waiting(let connection, let delay, _):
            ["connection": .stringConvertible(connection), "retry_in": .stringConvertible(delay)]
        case .online(let url, let target):
            ["url": "\(url)", "to": "\(target)"]
        case .request(let exchange):
            Self.members(of: exchange)
        case .connection(let summary):
            [
                "complete": .stringConvertible(summary.isComplete),
                "duration_ms": .stringConvertible(summary.duration.inMilliseconds),
                "received": .stringConvertible(summary.bytesIn),
                "sent": .stringConvertible(summary.bytesOut),
            ]
        case .originUnreachable(let target, let code, _):
            ["target": "\(target)", "code": "\(code)"]
        case .originReachable(let target):
            ["target": "\(target)"]
        case .alsoServed(let others):
            ["by": .array(others.map { "\($0)" })]
        case .retrying(let delay, _):
            ["retry_in": .stringConvertible(delay)]
        case .inspecting(let url):
            ["url": "\(url)"]
        case .tokenRenewed(let end, _):
            end.map { ["expires_at": "\(Self.text(of: $0))"] } ?? [:]
        case .tokenEnding(let end, _):
            ["expires_at": "\(Self.text(of: end))"]
        case .leaving(let signal):
            ["signal": "\(signal)"]
        case .stopped(let exitCode, _):
            ["exit_code": .stringConvertible(exitCode)]
        }
    }

    /// A time as ISO 8601 writes it, in UTC.
    private static func text(of seconds: Double) -> String {
        // What an edge says may lie beyond what a calendar can show.
        Date(timeIntervalSince1970: min(max(seconds, 0), 253_402_300_799)).formatted(.iso8601)
    }

    private static func members(of exchange: HTTPCapture.Exchange) -> Logger.Metadata {
        var members: Logger.Metadata = [
            "method": "\(exchange.method)",
            "path": "\(PeerText.printable(exchange.path))",
            "complete": .stringConvertible(exchange.isComplete),
        ]
        if let status = exchange.status { members["status"] = .stringConvertible(status) }
        if let time = exchange.responseTime { members["response_ms"] = .stringConvertible(time.inMilliseconds) }
        if let time = exchange.duration { members["duration_ms"] = .stringConvertible(time.inMilliseconds) }
        return members
    }
}

extension StatusEvent {
    /// The event for what the core reports of the local server.
    init(_ event: OriginEvent) {
        self =
            switch event {
            case .unreachable(let target, let code, let reason):
                .originUnreachable(target: target, code: code, reason: reason)
            case .reachable(let target): .originReachable(target: target)
            case .alsoServed(let others): .alsoServed(by: others)
            }
    }
}

extension Logger {
    /// Logs an event.
    ///
    /// - Parameters:
    ///   - event: What happened.
    ///   - tunnel: The tunnel of the event, if the line names it.
    ///   - unsaid: How often the same happened since it was last logged.
    func report(_ event: StatusEvent, tunnel: String? = nil, unsaid: Int = 0) {
        guard event.level >= self.logLevel else { return }
        var metadata = event.members
        metadata["event"] = "\(event.name.rawValue)"
        if let tunnel { metadata["tunnel"] = "\(tunnel)" }
        let again = unsaid > 0 ? " (and \(unsaid) \(unsaid == 1 ? "attempt" : "attempts") before this one)" : ""
        self.log(level: event.level, "\(event.message)\(again)", metadata: metadata)
    }
}

extension Duration {
    /// The time in whole milliseconds.
    fileprivate var inMilliseconds: Int64 { Int64(self / .milliseconds(1)) }
}

extension TimeAmount {
    /// The time in milliseconds, to the microsecond.
    var inMilliseconds: Double { Double(self.nanoseconds / 1_000) / 1_000 }
}

extension StatusEvent {
    /// The event for what the core reports of a tunnel's token.
    init(_ event: TokenEvent) {
        self =
            switch event {
            case .renewed(let end, let problem): .tokenRenewed(end: end, problem: problem)
            case .ending(let end, let reason): .tokenEnding(end: end, reason: PeerText.printable(reason))
            }
    }
}
