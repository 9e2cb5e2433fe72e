// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import Foundation
import Inspection
import NIOCore
import Program

/// Draws the live status as lines of text, for a window of a given size.
struct StatusScreen: Sendable {
    /// The signs that not every terminal can show.
    struct Signs: Sendable {
        var connected = "●"
        var connecting = "◐"
        var waiting = "○"
        var replaced = "–"
        var arrow = "→"
        var dot = "·"
        var rule = "─"
        var ellipsis = "…"
        var nothing = "—"

        /// For a terminal whose character set is not Unicode.
        static let ascii = Signs(
            connected: "*",
            connecting: "~",
            waiting: "o",
            replaced: "-",
            arrow: "->",
            dot: "-",
            rule: "-",
            ellipsis: "...",
            nothing: "-"
        )
    }

    var signs = Signs()
    /// What the program calls itself on the first line.
    var title = "culvert \(ProgramVersion.current)"
    /// In which zone times of day are shown.
    var timeZone = TimeZone.current

    /// How many requests are shown in a window that has the room.
    static let shownRequests = 12
    private static let label = 12

    /// Draws the status.
    ///
    /// Every line fits the window, except for a URL that is wider than the window: it is of no use when truncated.
    ///
    /// - Parameters:
    ///   - state: What to draw.
    ///   - size: The size of the window. One line stays free for the cursor, one column for terminals that wrap early.
    ///   - date: The time.
    func lines(_ state: StatusState, size: TerminalSize, at date: Date) -> [StyledLine] {
        let width = max(1, size.columns - 1)
        let height = max(1, size.rows - 1)
        var lines = self.head(state, width: width)
        let totals = self.fitted(
            self.inspector(state) + self.totals(state, width: width) + self.messages(state, width: width),
            to: width
        )
        // However many tunnels there are, the latest request stays visible.
        let room = height - lines.count - totals.count - (state.requests.isEmpty ? 0 : 2)
        lines += self.tunnels(state, size: size, room: room, at: date)
        lines += totals
        let left = height - Self.rows(lines, width: size.columns) - 1
        let requests = self.requests(state, width: width, count: min(Self.shownRequests, left))
        if !requests.isEmpty { lines += [StyledLine()] + requests }
        // A window that is too low for this shows the first lines.
        while lines.count > 1, Self.rows(lines, width: size.columns) > height { lines.removeLast() }
        return lines
    }

    private func fitted(_ lines: [StyledLine], to width: Int) -> [StyledLine] {
        lines.map { self.isURL($0) ? $0 : $0.fitted(to: width, ellipsis: self.signs.ellipsis) }
    }

    /// How many rows of a window the lines take.
    static func rows(_ lines: [StyledLine], width: Int) -> Int {
        lines.reduce(0) { $0 + max(1, ($1.width + width - 1) / width) }
    }

    // MARK: The parts

    private func head(_ state: StatusState, width: Int) -> [StyledLine] {
        var line = StyledLine(self.title, .strong)
        let hint =
            switch state.phase {
            case .starting, .serving: "Ctrl-C ends it"
            case .leaving: "Ctrl-C ends it at once"
            case .over: ""
            }
        if line.width + hint.count + 2 <= width {
            line.pad(to: width - hint.count)
            line.append(hint, .faint)
        }
        return self.fitted([line, StyledLine(String(repeating: self.signs.rule, count: width), .faint)], to: width)
    }

    private func tunnels(_ state: StatusState, size: TerminalSize, room: Int, at date: Date) -> [StyledLine] {
        let width = max(1, size.columns - 1)
        guard !state.tunnels.isEmpty else { return self.fitted(self.start(state, width: width, at: date), to: width) }
        var lines: [StyledLine] = []
        for (index, tunnel) in state.tunnels.enumerated() {
            let section = self.fitted(
                self.forwarding(tunnel, width: width)
                    + self.session(tunnel, phase: state.phase, width: width, at: date),
                to: width
            )
            let rest = state.tunnels.count - index
            if index > 0, Self.rows(lines + section, width: size.columns) + min(1, rest - 1) > room {
                let text = "and \(rest) more \(rest == 1 ? "tunnel" : "tunnels")"
                return lines + self.fitted([self.row("", StyledLine(text, .faint))], to: width)
            }
            lines += section
        }
        return lines
    }

    /// The section of the session before there is a tunnel.
    private func start(_ state: StatusState, width: Int, at date: Date) -> [StyledLine] {
        if state.phase == .over { return [self.row("Session", StyledLine("ended", .faint))] }
        guard let retry = state.retry else {
            var line = StyledLine(self.signs.connecting, .warning)
            line.append(" reaching the edge")
            return [self.row("Session", line)]
        }
        let countdown = StyledLine("\(self.signs.waiting) \(Self.countdown(to: retry.date, from: date))", .bad)
        return self.failure("Session", countdown, reason: retry.reason, width: width)
    }

    private func session(
        _ tunnel: StatusState.Tunnel,
        phase: StatusState.Phase,
        width: Int,
        at date: Date
    ) -> [StyledLine] {
        let connections = tunnel.connections.sorted { $0.key < $1.key }.map(\.value)
        switch phase {
        case .over: return [self.row("Session", StyledLine("ended", .faint))]
        case .leaving:
            return [self.row("Session", StyledLine("leaving: finishing what is in flight"))]
        case .starting, .serving: break
        }
        var summary = StyledLine()
        for connection in connections { summary.append(self.sign(of: connection)) }
        if !connections.isEmpty { summary.append(" ") }
        let connected = connections.count { $0 == .connected || $0 == .draining }
        let isOffline = !connections.isEmpty && connections.allSatisfy(\.isWaiting)
        summary.append(self.summary(connections), connected > 0 ? .good : isOffline ? .bad : .plain)
        var parts = [summary]
        if connected > 0, connected < connections.count {
            parts.append(StyledLine("\(connected) of \(connections.count) connections"))
        }
        if let roundTrip = tunnel.roundTrips.values.min() {
            parts.append(StyledLine("\(Self.text(of: roundTrip)) round trip"))
        }
        var lines = self.flow("Session", parts, width: width)
        let waiting = connections.compactMap { connection -> (Date, String)? in
            if case .waiting(let date, let reason) = connection { (date, reason) } else { nil }
        }
        // The connections of a bundle dial one address and fail for one reason: the soonest attempt is shown.
        if let next = waiting.min(by: { $0.0 < $1.0 }) {
            let countdown = StyledLine(Self.countdown(to: next.0, from: date), connected > 0 ? .plain : .bad)
            lines += self.failure("", countdown, reason: next.1, width: width)
        }
        if let end = tunnel.tokenEnd {
            let line = StyledLine("ends \(self.dateAndTime(end.date)), and could not be renewed", .bad)
            lines += self.failure("Token", line, reason: end.reason, width: width)
        }
        return lines
    }

    private func summary(_ connections: [StatusState.Connection]) -> String {
        if connections.contains(.connected) { return "online" }
        if connections.contains(.draining) { return "online, the edge is leaving" }
        let kept = connections.reduce(into: nil as Int?) { kept, connection in
            if case .suspended(let streams) = connection { kept = (kept ?? 0) + streams }
        }
        if let kept { return "reconnecting · \(kept) \(kept == 1 ? "stream" : "streams") kept" }
        if !connections.isEmpty, connections.allSatisfy({ $0 == .replaced }) {
            return "another connector took over"
        }
        return connections.contains(.connecting) || connections.isEmpty ? "connecting" : "offline"
    }

    private func sign(of connection: StatusState.Connection) -> StyledLine {
        switch connection {
        case .connected: StyledLine(self.signs.connected, .good)
        case .connecting, .suspended: StyledLine(self.signs.connecting, .warning)
        case .draining: StyledLine(self.signs.connected, .warning)
        case .waiting: StyledLine(self.signs.waiting, .bad)
        case .replaced: StyledLine(self.signs.replaced, .faint)
        }
    }

    private func forwarding(_ tunnel: StatusState.Tunnel, width: Int) -> [StyledLine] {
        let url = StyledLine(tunnel.url, .notable)
        var target = StyledLine("\(self.signs.arrow) \(tunnel.target)")
        if tunnel.originFailure != nil { target = StyledLine("\(self.signs.arrow) \(tunnel.target)", .bad) }
        var lines: [StyledLine] = []
        if Self.label + url.width + 1 + target.width <= width {
            var line = url
            line.append(" ")
            line.append(target)
            lines = [self.row("Forwarding", line)]
        } else if Self.label + url.width <= width {
            lines = [self.row("Forwarding", url), self.row("", target)]
        } else {
            // Terminals recognise a URL that is alone on its line as one link, and copy it in one piece.
            lines = [StyledLine("Forwarding", .faint), url, self.row("", target)]
        }
        if let failure = tunnel.originFailure {
            lines += failure.wrapped(to: width - Self.label, limit: 2).map {
                self.row("", StyledLine($0, .bad))
            }
        }
        if !tunnel.others.isEmpty {
            lines += self.flow("Shared with", tunnel.others.map { StyledLine($0, .warning) }, width: width)
        }
        return lines
    }

    private func inspector(_ state: StatusState) -> [StyledLine] {
        guard let url = state.inspector, state.phase == .serving, !state.tunnels.isEmpty else { return [] }
        return [self.row("Inspect", StyledLine(url, .notable))]
    }

    private func totals(_ state: StatusState, width: Int) -> [StyledLine] {
        guard !state.tunnels.isEmpty else { return [] }
        let carriesHTTP = state.tunnels.contains { $0.kind == .http }
        let connections = state.tunnels.allSatisfy { $0.kind == .http } ? [] : self.connections(state, width: width)
        return (carriesHTTP ? self.requestTotals(state, width: width) : []) + connections
    }

    private func connections(_ state: StatusState, width: Int) -> [StyledLine] {
        let connections = state.connections
        var parts = [StyledLine(Self.grouped(connections.count))]
        if connections.open > 0 { parts.append(StyledLine("\(connections.open) open")) }
        if connections.broken > 0 { parts.append(StyledLine("\(Self.grouped(connections.broken)) reset", .bad)) }
        if connections.bytesIn + connections.bytesOut > 0 {
            parts.append(StyledLine("\(Self.size(connections.bytesIn)) in, \(Self.size(connections.bytesOut)) out"))
        }
        return self.flow("Connections", parts, width: width)
    }

    /// A number of bytes with two or three digits.
    private static func size(_ bytes: Int) -> String {
        let units = ["KiB", "MiB", "GiB", "TiB"]
        var value = Double(bytes)
        var unit = "B"
        for next in units where value >= 999.5 { (value, unit) = (value / 1024, next) }
        return String(format: value < 9.95 && unit != "B" ? "%.1f %@" : "%.0f %@", value, unit)
    }

    private func requestTotals(_ state: StatusState, width: Int) -> [StyledLine] {
        var requests = [StyledLine(Self.grouped(state.requestCount))]
        if state.openCount > 0 { requests.append(StyledLine("\(state.openCount) open")) }
        if state.errorCount > 0 { requests.append(StyledLine("\(Self.grouped(state.errorCount)) failed", .bad)) }
        let edgeAnswers = state.tunnels.reduce(EdgeAnswers()) { $0 + $1.edgeAnswers }
        if edgeAnswers.count > 0 {
            let kinds = edgeAnswers.words.isEmpty ? "" : ": \(edgeAnswers.words)"
            requests.append(StyledLine("\(Self.grouped(edgeAnswers.count)) answered by the edge\(kinds)"))
        }
        let percentiles = [50, 90, 99].compactMap { percent in
            state.responseTimes.percentile(percent).map { StyledLine("p\(percent) \(Self.text(of: $0))") }
        }
        return self.flow("Requests", requests, width: width) + self.flow("Response", percentiles, width: width)
    }

    private func messages(_ state: StatusState, width: Int) -> [StyledLine] {
        state.messages.flatMap { message in
            let time = self.time(message.date) + "  "
            return message.text.wrapped(to: width - time.count, limit: 3).enumerated().map { index, text in
                var line = StyledLine(index == 0 ? time : "", .faint)
                line.pad(to: time.count)
                line.append(text, message.isError ? .bad : .plain)
                return line
            }
        }
    }

    private func requests(_ state: StatusState, width: Int, count: Int) -> [StyledLine] {
        let showsTime = width >= 55
        let namesTunnel = state.tunnels.count > 1
        let shown = state.requests.prefix(max(0, count))
        let methodWidth = shown.map { min($0.exchange.method.displayWidth, Self.widestMethod) }.max() ?? 0
        return shown.map { request in
            let exchange = request.exchange
            var line = StyledLine()
            if showsTime { line.append(self.time(request.date) + "  ", .faint) }
            line.append(exchange.status.map { "\($0)" } ?? " \(self.signs.nothing) ", Self.style(of: exchange.status))
            line.append("  ")
            let pathColumn = line.width + methodWidth + 2
            line.append(String(exchange.method.prefix(Self.widestMethod)))
            line.pad(to: pathColumn)
            if namesTunnel { line.append("\(request.tunnel) ", .faint) }
            line.append(exchange.path)
            let time = (exchange.responseTime ?? exchange.duration).map(Self.text) ?? ""
            line = line.fitted(to: max(width - Self.timeWidth - 1, 1), ellipsis: self.signs.ellipsis)
            line.pad(to: width - time.displayWidth)
            line.append(time, .faint)
            return line.fitted(to: width, ellipsis: self.signs.ellipsis)
        }
    }

    /// As wide as `OPTIONS`.
    private static let widestMethod = 7
    /// As wide as `999 ms` and a space.
    private static let timeWidth = 7

    // MARK: Pieces

    private func row(_ label: String, _ content: StyledLine) -> StyledLine {
        var line = StyledLine(label, .faint)
        line.pad(to: Self.label)
        line.append(content)
        return line
    }

    /// Puts parts beside each other with dots between them, as many on a line as fit.
    private func flow(_ label: String, _ parts: [StyledLine], width: Int) -> [StyledLine] {
        var lines: [StyledLine] = []
        for part in parts {
            if var last = lines.last, last.width + self.signs.dot.count + 2 + part.width <= width - Self.label {
                last.append(" \(self.signs.dot) ")
                last.append(part)
                lines[lines.count - 1] = last
            } else {
                lines.append(part)
            }
        }
        return lines.enumerated().map { self.row($0.offset == 0 ? label : "", $0.element) }
    }

    private func failure(_ label: String, _ line: StyledLine, reason: String, width: Int) -> [StyledLine] {
        [self.row(label, line)]
            + reason.wrapped(to: width - Self.label, limit: 3).map { self.row("", StyledLine($0)) }
    }

    private func isURL(_ line: StyledLine) -> Bool {
        line.pieces.count == 1 && line.pieces[0].style == .notable
    }

    private func time(_ date: Date) -> String {
        var style = Date.ISO8601FormatStyle(timeZone: self.timeZone)
        style = style.time(includingFractionalSeconds: false)
        return date.formatted(style)
    }

    /// To the minute: a token lives for days.
    private func dateAndTime(_ date: Date) -> String {
        var style = Date.ISO8601FormatStyle(timeZone: self.timeZone).year().month().day()
        style = style.dateTimeSeparator(.space).time(includingFractionalSeconds: false)
        return String(date.formatted(style).dropLast(3))
    }

    private static func countdown(to date: Date, from now: Date) -> String {
        let seconds = Int(date.timeIntervalSince(now).rounded(.up))
        return seconds > 0 ? "next attempt in \(seconds) s" : "trying again"
    }

    private static func style(of status: Int?) -> TextStyle {
        switch status {
        case .some(100...299): .good
        case .some(300...399): .notable
        case .some(400...499): .warning
        default: .bad
        }
    }

    /// A time with two or three digits.
    static func text(of time: TimeAmount) -> String {
        let milliseconds = Double(time.nanoseconds) / 1e6
        switch milliseconds {
        case ..<9.95: return String(format: "%.1f ms", milliseconds)
        case ..<999.5: return String(format: "%.0f ms", milliseconds)
        case ..<9_950: return String(format: "%.1f s", milliseconds / 1_000)
        case ..<99_500: return String(format: "%.0f s", milliseconds / 1_000)
        default: return String(format: "%.0f min", milliseconds / 60_000)
        }
    }

    /// A count with commas between its thousands.
    private static func grouped(_ count: UInt64) -> String {
        var text = ""
        for (index, digit) in String(count).reversed().enumerated() {
            if index > 0, index.isMultiple(of: 3) { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }
}
