// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
import Inspection
import Logging
import NIOConcurrencyHelpers
import Program

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Shows a run: as a panel to a person at a terminal, else as log lines.
final class StatusDisplay: Sendable {
    /// The logger for the run; where there is a panel, its lines appear there.
    let logger: Logger
    private let panel: StatusPanel?
    private let format: LogFormat
    private let traits: TerminalTraits
    private let showsCode: Bool
    private let logsRequests: Bool
    /// What is kept of the traffic, if anything is.
    let inspection: TrafficInspection?
    private let companion: Companion?
    private let state = NIOLockedValueBox(State())

    private struct State {
        var namesTunnels = false
        /// How many runs each tunnel has: while a run is replaced, there are two.
        var runs: [String: Int] = [:]
        /// The URLs that have been printed.
        var announced: Set<String> = []
        var repeated = RepeatedWarnings()
    }

    /// Prepares the display of a run.
    ///
    /// - Parameters:
    ///   - options: What the person asked for.
    ///   - format: How log lines are written.
    ///   - logger: Writes them to standard error.
    ///   - companion: A program that has the terminal, and is told of the URL.
    ///   - environment: The variables that say what the terminal can do.
    ///   - inspection: Says what to keep of the traffic; it is told whether a person watches.
    init(
        options: StatusOptions,
        format: LogFormat,
        logger: Logger,
        companion: Companion? = nil,
        environment: [String: String] = ProgramEnvironment.variables,
        inspection: (_ isWatched: Bool) -> TrafficInspection? = { _ in nil }
    ) {
        let traits = TerminalTraits(environment: environment, isTerminal: isatty(STDOUT_FILENO) == 1)
        let logsToTerminal = isatty(STDERR_FILENO) == 1
        let device = TerminalDevice()
        self.companion = companion
        self.format = format
        self.traits = traits
        self.showsCode = options.showsCode
        self.logsRequests = options.logsRequests
        // With --log-level debug on a terminal, lines are shown and no panel.
        let wantsLines = format == .json || companion != nil || logsToTerminal && logger.logLevel <= .debug
        guard traits.canDraw, !wantsLines, device.isForeground else {
            self.panel = nil
            self.inspection = inspection(false)
            self.logger = logger
            return
        }
        var screen = StatusScreen()
        if !traits.isUnicode { screen.signs = .ascii }
        let panel = StatusPanel(device: device, screen: screen, isColoured: traits.isColoured)
        self.panel = panel
        self.inspection = inspection(true)
        let level = logger.logLevel
        let file = logsToTerminal ? nil : StandardErrorLog(format: format, level: level)
        self.logger = Logger(label: "culvert") { _ in PanelLog(panel: panel, file: file, level: level) }
    }

    /// Whether programs read the lines.
    var isForPrograms: Bool { self.format == .json }

    /// Begins to show the run.
    func open() {
        self.panel?.open()
    }

    /// Shows the final state, and restores the terminal; later output appears below.
    func close(_ ending: StatusEvent) {
        self.panel?.update { $0.take(ending, at: Date()) }
        self.panel?.close()
    }

    /// Takes an event of the whole run.
    func report(_ event: StatusEvent) {
        self.log(event)
        self.panel?.update { $0.take(event, at: Date()) }
    }

    /// The inspector's page can be opened.
    func inspecting(at url: String) {
        self.inspection?.opened(at: url)
        self.report(.inspecting(url: url))
    }

    /// The edge has answered so many requests of a tunnel itself.
    func edgeAnswered(_ answers: EdgeAnswers, of id: String) {
        self.inspection?.directory.edgeAnswered(answers, of: id)
        self.panel?.update { $0.edgeAnswered(answers, of: id) }
    }

    private func take(_ event: StatusEvent, of id: String) {
        // For programs each line names its tunnel, even if there is only one.
        let isNamed = self.format == .json || self.state.withLockedValue { $0.namesTunnels }
        self.log(event, tunnel: isNamed ? id : nil)
        self.panel?.update { $0.take(event, of: id, at: Date()) }
    }

    /// Logs an event; what attempts repeat while an edge is away is thinned out for people, unless they want everything.
    private func log(_ event: StatusEvent, tunnel: String? = nil) {
        let reason: String
        switch event {
        case .waiting(_, _, let text), .retrying(_, let text): reason = text
        case .connected, .resumed:
            self.state.withLockedValue { $0.repeated.reset() }
            return self.logger.report(event, tunnel: tunnel)
        default: return self.logger.report(event, tunnel: tunnel)
        }
        guard self.format == .text, self.logger.logLevel > .debug else {
            return self.logger.report(event, tunnel: tunnel)
        }
        guard let unsaid = self.state.withLockedValue({ $0.repeated.take(reason, at: .now) }) else { return }
        self.logger.report(event, tunnel: tunnel, unsaid: unsaid)
    }

    private func take(_ event: HTTPCapture.Event, of id: String) {
        if self.logsRequests, let exchange = event.end { self.take(.request(exchange), of: id) }
        self.panel?.update { $0.take(event, of: id, at: Date()) }
    }

    private func take(_ event: OriginConnectionEvent, of id: String) {
        if self.logsRequests, case .ended(let summary) = event { self.take(.connection(summary), of: id) }
        self.panel?.update { $0.take(event, of: id) }
    }

    // MARK: The URL

    private func announce(_ url: String) {
        // A tunnel whose settings changed keeps its URL, which is printed once.
        guard self.state.withLockedValue({ $0.announced.insert(url).inserted }) else { return }
        // The edge names the URL, and its text goes to a terminal.
        let url = ShownText.stripped(url)
        if let companion {
            // Standard output is the program's.
            if let fault = companion.start(url: url) { self.logger.error("\(fault).") }
        } else if self.panel == nil {
            StandardStream.output.send(url + "\n")
        }
        guard self.showsCode else { return }
        guard let code = QRCode(url) else {
            self.logger.warning("The URL is too long for a QR code.")
            return
        }
        let text = self.traits.isColoured ? code.terminalText : code.plainText
        if let panel = self.panel {
            panel.print(columns: code.columns, rows: code.rows, text)
        } else if isatty(STDOUT_FILENO) == 1 {
            StandardStream.output.send(text)
        } else if isatty(STDERR_FILENO) == 1, self.format == .text {
            // The reader of standard output gets the URL alone; the person at the terminal sees the code.
            StandardStream.error.send(text)
        }
    }
}

extension StatusDisplay: RunObserver {
    /// With several tunnels, each log line names its tunnel.
    func willServe(tunnelCount: Int) {
        self.state.withLockedValue { $0.namesTunnels = $0.namesTunnels || tunnelCount > 1 }
    }

    /// Drops the warnings that the screen shows.
    func configurationWasRead() {
        self.panel?.update { $0.forgetMessages() }
    }

    func willCallAgain(in delay: Duration, reason: String) {
        self.report(.retrying(retryIn: delay, reason: reason))
    }

    func opened(_ tunnel: ServedTunnel) -> TunnelObserver {
        let (id, url, target) = (tunnel.token.tunnelID, tunnel.publicURL, tunnel.target)
        self.inspection?.directory.opened(tunnel)
        self.state.withLockedValue { $0.runs[id, default: 0] += 1 }
        self.panel?.update { $0.opened(tunnel: id, url: url, target: "\(target)", kind: target.kind) }
        let status = ConnectionStatus(
            publicURL: url,
            target: target,
            report: { event in self.take(event, of: id) },
            announce: { url in self.announce(url) }
        )
        let isWatched = self.panel != nil || self.logsRequests
        let exchange: @Sendable (HTTPCapture.Event) -> Void = { event in self.take(event, of: id) }
        let connection: @Sendable (OriginConnectionEvent) -> Void = { event in self.take(event, of: id) }
        return TunnelObserver(
            connection: { event in
                self.panel?.take(event, of: id)
                self.inspection?.directory.take(event, of: id)
                status.take(event)
            },
            origin: OriginObserver(
                report: { event in
                    self.inspection?.directory.take(event, of: id)
                    self.take(StatusEvent(event), of: id)
                },
                listeners: CaptureListeners(
                    report: isWatched ? exchange : nil,
                    recorder: tunnel.isInspected ? self.inspection?.recorder(for: id) : nil
                ),
                connections: isWatched ? connection : nil
            ),
            token: { event in self.take(StatusEvent(event), of: id) }
        )
    }

    /// Removes the tunnel from the panel, unless another run of it goes on.
    func closed(tunnel id: String) {
        self.inspection?.directory.closed(id)
        let isLast = self.state.withLockedValue { state in
            let left = (state.runs[id] ?? 1) - 1
            state.runs[id] = left > 0 ? left : nil
            return left <= 0
        }
        guard isLast else { return }
        self.panel?.update { $0.closed(tunnel: id) }
    }
}
