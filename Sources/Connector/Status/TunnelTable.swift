// SPDX-License-Identifier: Apache-2.0

import Foundation
import Protocol

/// Lists and descriptions of tunnels as text for people.
enum TunnelTable {
    /// One line a tunnel, in columns.
    static func list(_ tunnels: [TunnelStatus]) -> String {
        guard !tunnels.isEmpty else { return "No tunnels." }
        var rows = [["ID", "STATE", "CONNECTIONS", "REQUESTS", "URL"]]
        for tunnel in tunnels {
            rows.append([
                tunnel.tunnelID, tunnel.state.rawValue, "\(tunnel.sessions.count)", "\(tunnel.counters.requests)",
                tunnel.url,
            ])
        }
        return self.columns(rows)
    }

    /// One tunnel with its connections.
    static func details(_ tunnel: TunnelStatus) -> String {
        var rows = [
            ["Tunnel", tunnel.tunnelID],
            ["URL", tunnel.url],
            ["State", tunnel.state.rawValue],
            ["Created", Self.time(tunnel.createdAt)],
            ["Last request", tunnel.lastActiveAt.map(Self.time) ?? "never"],
            ["Requests", "\(tunnel.counters.requests), \(tunnel.counters.errors) of them failed at the edge"],
            ["Body bytes", "\(tunnel.counters.bytesReceived) in, \(tunnel.counters.bytesSent) out"],
        ]
        for session in tunnel.sessions {
            var parts = [session.remoteAddress ?? "unknown address"]
            if let implementation = session.implementation { parts.append(implementation) }
            if let roundTrip = session.roundTripMilliseconds { parts.append(String(format: "%.1f ms", roundTrip)) }
            parts.append("\(session.activeStreams) streams")
            parts.append("since \(Self.time(session.connectedAt))")
            if session.draining { parts.append("leaving") }
            rows.append(["Connection \(session.sessionID)", parts.joined(separator: ", ")])
        }
        return self.columns(rows)
    }

    private static func time(_ date: Date) -> String {
        date.formatted(.iso8601)
    }

    /// Aligns all columns but the last; what comes from the edge is stripped of control characters.
    private static func columns(_ rows: [[String]]) -> String {
        let rows = rows.map { $0.map(PeerText.printable) }
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in rows.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            row.enumerated().map { column, text in
                column == row.count - 1
                    ? text : text + String(repeating: " ", count: widths[column] - text.count + 2)
            }.joined()
        }.joined(separator: "\n")
    }
}
