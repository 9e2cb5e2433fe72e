// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
import Inspection

/// Lines of a list of requests, for people.
enum RequestTable {
    /// One request: its id, time, status, method, size, time taken, and path.
    ///
    /// - Parameters:
    ///   - summary: The request.
    ///   - columns: How wide the window is; nothing for a program.
    ///   - timeZone: In which zone times of day are shown.
    static func line(_ summary: ExchangeSummary, columns: Int? = nil, timeZone: TimeZone = .current) -> String {
        let date = Date(timeIntervalSince1970: summary.start / 1_000)
        let time = date.formatted(Date.ISO8601FormatStyle(timeZone: timeZone).time(includingFractionalSeconds: false))
        let status = summary.status.map { "\($0)" } ?? (summary.state == "open" ? "..." : "-")
        let method = PeerText.printable(summary.method.isEmpty ? summary.kind.uppercased() : summary.method)
        let query = summary.query.map { "?" + SecretNames.maskedMembers($0) } ?? ""
        var line = [
            summary.id, time, self.padded(status, 3), self.padded(method, 7),
            self.padded(self.size(summary.responseSize), 8, isRight: true),
            self.padded(summary.durationMS.map(self.duration) ?? "...", 7, isRight: true),
        ].joined(separator: " ")
        line += "  " + PeerText.printable(summary.path + query)
        if summary.replayOf != nil { line += "  (replay)" }
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
