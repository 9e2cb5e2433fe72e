// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import Foundation

/// Lists and descriptions of tunnels as text for people.
enum TunnelTable {
    /// One line a tunnel, in columns.
    ///
    /// - Parameter width: How wide the window is; nothing for a program. Where the URLs find no room, each has a line
    ///   of its own, since of a broken one no terminal makes a link.
    static func list(_ tunnels: [TunnelStatus], width: Int? = nil) -> String {
        guard !tunnels.isEmpty else { return "No tunnels." }
        var rows = [["ID", "STATE", "CONNECTIONS", "REQUESTS", "URL"]]
        for tunnel in tunnels {
            let connections = Self.connections(of: tunnel)
            rows.append([
                tunnel.tunnelID, tunnel.state.rawValue, "\(connections)", "\(tunnel.counters.requests)", tunnel.url,
            ])
        }
        let table = self.columns(rows)
        guard let width, table.split(separator: "\n").contains(where: { $0.displayWidth > width }) else { return table }
        let lines = self.columns(rows.map { Array($0.dropLast()) }).split(separator: "\n").map(String.init)
        let urls = tunnels.map { "\n  " + PeerText.printable($0.url) }
        return zip(lines, [""] + urls).map { $0 + $1 }.joined(separator: "\n")
    }

    /// How many connections a tunnel has at all edges, though only this one describes its own.
    private static func connections(of tunnel: TunnelStatus) -> Int {
        (tunnel.elsewhere ?? []).reduce(tunnel.sessions.count) { known, edge in
            // An edge may say any number.
            let (sum, isTooMuch) = known.addingReportingOverflow(edge.sessions)
            return isTooMuch ? .max : sum
        }
    }

    /// One tunnel with its connections.
    ///
    /// - Parameter width: How wide the window is; nothing for a program.
    static func details(_ tunnel: TunnelStatus, width: Int? = nil) -> String {
        let errors = EdgeAnswers(tunnel.counters.errorsByCode ?? [:]).words
        var rows = [
            ["Tunnel", tunnel.tunnelID],
            ["URL", tunnel.url],
            ["State", tunnel.state.rawValue],
        ]
        if let visitors = tunnel.visitors { rows.append(["Visitors", "\(visitors)"]) }
        rows += [
            ["Created", Self.time(tunnel.createdAt)],
            ["Last request", tunnel.lastActiveAt.map(Self.time) ?? "never"],
            [
                "Requests",
                "\(tunnel.counters.requests); the edge itself answered \(tunnel.counters.errors) with an error"
                    + (errors.isEmpty ? "" : ": \(errors)"),
            ],
            ["Body bytes", "\(tunnel.counters.bytesReceived) in, \(tunnel.counters.bytesSent) out"],
        ]
        for url in tunnel.urls ?? [] where url != tunnel.url { rows.insert(["Also at", url], at: 2) }
        for session in tunnel.sessions {
            var parts = [session.remoteAddress ?? "unknown address"]
            if let implementation = session.implementation { parts.append(implementation) }
            if let roundTrip = session.roundTripMilliseconds { parts.append(String(format: "%.1f ms", roundTrip)) }
            parts.append("\(session.activeStreams) \(session.activeStreams == 1 ? "stream" : "streams")")
            parts.append("since \(Self.time(session.connectedAt))")
            if session.draining { parts.append("leaving") }
            rows.append(["Connection \(session.sessionID)", parts.joined(separator: ", ")])
        }
        for edge in tunnel.elsewhere ?? [] {
            rows.append(["At \(edge.pod)", "\(edge.sessions) \(edge.sessions == 1 ? "connection" : "connections")"])
        }
        return self.columns(rows, width: width)
    }

    private static func time(_ date: Date) -> String {
        date.formatted(.iso8601)
    }

    /// Aligns all columns but the last; what comes from the edge is stripped of control characters.
    static func columns(_ rows: [[String]], width: Int? = nil) -> String {
        let rows = rows.map { $0.map(PeerText.printable) }
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in rows.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            let beginning = row.dropLast().enumerated().map { column, text in
                text + String(repeating: " ", count: widths[column] - text.count + 2)
            }.joined()
            return (row.last ?? "").hanging(from: beginning, columns: width)
        }.joined(separator: "\n")
    }
}
