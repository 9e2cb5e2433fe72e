// SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging
import NIOConcurrencyHelpers
import Terminal

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What is shown of a run: a panel to a person at a terminal, lines to everybody else.
final class StatusDisplay: Sendable {
    /// For whatever is worth a line; where there is a panel, the line appears in it.
    let logger: Logger
    private let panel: StatusPanel?
    private let format: LogFormat
    private let traits: TerminalTraits
    private let showsCode: Bool
    private let logsRequests: Bool
    private let state = NIOLockedValueBox(State())

    private struct State {
        var namesTunnels = false
        /// How many runs each tunnel has: one that is replaced has two for a moment.
        var runs: [String: Int] = [:]
        /// The URLs that have been printed.
        var announced: Set<String> = []
    }

    /// Prepares the display of a run.
    ///
    /// - Parameters:
    ///   - options: What the person asked for.
    ///   - format: How log lines are written.
    ///   - logger: Writes them to standard error.
    ///   - environment: The variables that say what the terminal can do.
    init(
        options: StatusOptions,
        format: LogFormat,
        logger: Logger,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) {
        let traits = TerminalTraits(environment: environment, isTerminal: isatty(STDOUT_FILENO) == 1)
        let logsToTerminal = isatty(STDERR_FILENO) == 1
        let device = TerminalDevice()
        self.format = format
        self.traits = traits
        self.showsCode = options.showsCode
        self.logsRequests = options.logsRequests
        // Who asks for every detail on the terminal wants lines.
        let wantsLines = format == .json || logsToTerminal && logger.logLevel <= .debug
        guard traits.canDraw, !wantsLines, device.isForeground else {
            self.panel = nil
            self.logger = logger
            return
        }
        var screen = StatusScreen()
        if !traits.isUnicode { screen.signs = .ascii }
        let panel = StatusPanel(device: device, screen: screen, isColoured: traits.isColoured)
        self.panel = panel
        let level = logger.logLevel
        let file = logsToTerminal ? nil : StandardErrorLog(format: format, level: level)
        self.logger = Logger(label: "culvert") { _ in PanelLog(panel: panel, file: file, level: level) }
    }

    /// Whether a program reads the lines.
    var isForPrograms: Bool { self.format == .json }

    /// Says how many tunnels there are going to be; of several, each line names its own.
    func expect(tunnelCount: Int) {
        self.state.withLockedValue { $0.namesTunnels = $0.namesTunnels || tunnelCount > 1 }
    }

    /// Drops the warnings that the screen shows: what they told of is over.
    func forgetWarnings() {
        self.panel?.update { $0.forgetMessages() }
    }

    /// Begins to show the run.
    func open() {
        self.panel?.open()
    }

    /// Shows the last of the run, and gives the terminal back.
    ///
    /// What is printed after that stands below.
    func close(_ ending: StatusEvent) {
        self.panel?.update { $0.take(ending, at: Date()) }
        self.panel?.close()
    }

    /// Takes an event of the whole run.
    func report(_ event: StatusEvent) {
        self.logger.report(event)
        self.panel?.update { $0.take(event, at: Date()) }
    }

    /// Takes up a tunnel.
    ///
    /// - Returns: Who takes the reports of its connections, and who hears of its local server.
    func open(
        tunnel id: String,
        url: String,
        target: OriginTarget
    ) -> (report: @Sendable (ConnectionReport) -> Void, observer: OriginObserver) {
        self.state.withLockedValue { $0.runs[id, default: 0] += 1 }
        self.panel?.update { $0.opened(tunnel: id, url: url, target: "\(target)") }
        let hear: @Sendable (StatusEvent) -> Void = { event in self.take(event, of: id) }
        let status = ConnectionStatus(
            publicURL: url,
            target: target,
            report: hear,
            announce: { url in self.announce(url) }
        )
        let report: @Sendable (ConnectionReport) -> Void = { report in
            self.panel?.take(report, of: id)
            status.take(report)
        }
        let exchange: @Sendable (HTTPTap.Event) -> Void = { event in self.take(event, of: id) }
        let isWatched = self.panel != nil || self.logsRequests
        let observer = OriginObserver(report: hear, exchange: isWatched ? exchange : nil)
        return (report, observer)
    }

    /// Forgets a tunnel that is served no more, unless another run of it goes on.
    func close(tunnel id: String) {
        let isLast = self.state.withLockedValue { state in
            let left = (state.runs[id] ?? 1) - 1
            state.runs[id] = left > 0 ? left : nil
            return left <= 0
        }
        guard isLast else { return }
        self.panel?.update { $0.closed(tunnel: id) }
    }

    private func take(_ event: StatusEvent, of id: String) {
        // To a program one tunnel is as good as several.
        let isNamed = self.format == .json || self.state.withLockedValue { $0.namesTunnels }
        self.logger.report(event, tunnel: isNamed ? id : nil)
        self.panel?.update { $0.take(event, of: id, at: Date()) }
    }

    private func take(_ event: HTTPTap.Event, of id: String) {
        if self.logsRequests, case .ended(let exchange) = event { self.take(.request(exchange), of: id) }
        self.panel?.update { $0.take(event, of: id, at: Date()) }
    }

    // MARK: The URL

    private func announce(_ url: String) {
        // A tunnel whose settings were changed is where it was.
        guard self.state.withLockedValue({ $0.announced.insert(url).inserted }) else { return }
        if self.panel == nil { ConnectionStatus.printLine(url) }
        guard self.showsCode else { return }
        guard let code = QRCode(url) else {
            self.logger.warning("The URL is too long for a QR code.")
            return
        }
        let text = self.traits.isColoured ? code.terminalText : code.plainText
        if let panel = self.panel {
            panel.print(columns: code.columns, rows: code.rows, text)
        } else if isatty(STDOUT_FILENO) == 1 {
            StandardStream.output.write(text)
        } else if isatty(STDERR_FILENO) == 1, self.format == .text {
            // Whoever reads standard output wants the URL alone; the person sees the code all the same.
            StandardStream.error.write(text)
        }
    }
}
