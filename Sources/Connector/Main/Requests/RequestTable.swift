// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
import Inspection

/// Lines of a list of requests, for people.
struct RequestTable {
    /// The tunnels that requests may be of.
    let tunnels: Set<String>
    /// How wide the column of the tunnels' names is; `nil` without one.
    var tunnelWidth: Int?
    /// How wide the window is; nothing for a program.
    var columns: Int?
    /// In which zone times of day are shown.
    var timeZone = TimeZone.current
    /// Whether secrets are shown.
    var reveals = false

    /// A longer name would push the paths out of the window.
    private static let widestTunnel = 24

    /// - Parameters:
    ///   - tunnels: The tunnels that requests may be of; a single one needs no column.
    ///   - columns: How wide the window is; nothing for a program.
    ///   - timeZone: In which zone times of day are shown.
    init(tunnels: some Sequence<String> = [], columns: Int? = nil, timeZone: TimeZone = .current) {
        let names = Set(tunnels)
        let longest = names.map { PeerText.printable($0).count }.max() ?? 0
        self.tunnels = names
        self.tunnelWidth = names.count > 1 ? min(Self.widestTunnel, max(Self.tunnelTitle.count, longest)) : nil
        self.columns = columns
        self.timeZone = timeZone
    }

    private static let tunnelTitle = "TUNNEL"

    /// The names of the columns.
    var heading: String {
        self.line(
            [
                Self.padded("ID", 16), Self.padded("TIME", 8), Self.padded("STATUS", 6), Self.padded("METHOD", 7),
                Self.padded("RESPONSE", 8, isRight: true), Self.padded("TOOK", 7, isRight: true),
            ],
            tunnel: Self.tunnelTitle,
            rest: "REQUEST"
        )
    }

    /// One request: its id, time, status, method, size of the response, time taken, tunnel if there are several, and path.
    func line(_ summary: ExchangeSummary) -> String {
        let date = Date(timeIntervalSince1970: summary.start / 1_000)
        let style = Date.ISO8601FormatStyle(timeZone: self.timeZone).time(includingFractionalSeconds: false)
        let status = summary.status.map { "\($0)" } ?? (summary.state == "open" ? "..." : "-")
        let method = PeerText.printable(summary.method.isEmpty ? summary.kind.uppercased() : summary.method)
        let query = (self.reveals ? summary : summary.masked).query.map { "?" + $0 } ?? ""
        return self.line(
            [
                summary.id, date.formatted(style), Self.padded(status, 6), Self.padded(method, 7),
                Self.padded(Self.size(summary.responseSize), 8, isRight: true),
                Self.padded(summary.durationMS.map(Self.duration) ?? "...", 7, isRight: true),
            ],
            tunnel: summary.tunnelName,
            rest: PeerText.printable(summary.path + query) + (summary.replayOf == nil ? "" : "  (replay)")
        )
    }

    private func line(_ fields: [String], tunnel: String, rest: String) -> String {
        var line = fields.joined(separator: " ") + "  "
        if let tunnelWidth {
            let name = PeerText.printable(tunnel)
            let shown = name.count > tunnelWidth ? name.prefix(tunnelWidth - 1) + "…" : name
            line += Self.padded(shown, tunnelWidth) + "  "
        }
        line += rest
        guard let columns, line.count > columns else { return line }
        return String(line.prefix(max(1, columns - 1))) + "…"
    }

    /// A number of bytes with three digits.
    static func size(_ bytes: UInt64) -> String {
        switch bytes {
        case ..<1_000: "\(bytes) B"
        case ..<1_000_000: String(format: "%.1f kB", Double(bytes) / 1e3)
        case ..<1_000_000_000: String(format: "%.1f MB", Double(bytes) / 1e6)
        default: String(format: "%.2f GB", Double(bytes) / 1e9)
        }
    }

    private static func duration(_ milliseconds: Double) -> String {
        switch milliseconds {
        case ..<9.95: String(format: "%.1f ms", milliseconds)
        case ..<999.5: String(format: "%.0f ms", milliseconds)
        default: String(format: "%.1f s", milliseconds / 1_000)
        }
    }

    private static func padded(_ text: String, _ width: Int, isRight: Bool = false) -> String {
        let space = String(repeating: " ", count: max(0, width - text.count))
        return isRight ? space + text : text + space
    }
}
