// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
// Dispatch's sources may be used from any thread, but on Linux their protocols do not say so.
@preconcurrency import Dispatch
import Foundation
import NIOConcurrencyHelpers
import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The live status on a terminal: takes events on any thread, and draws on a queue of its own.
///
/// A terminal may accept no output for any length of time. Only the queue waits for it: events change the state behind
/// a lock that is never held while the panel is drawn.
final class StatusPanel: Sendable {
    private struct Shared {
        var state = StatusState()
        var sessions: [SessionKey: TunnelSession] = [:]
        var nextDraw: Date?
        var lastDraw = Date.distantPast
        var isClosed = false
        /// The modes of the terminal before the panel, while they are changed.
        var modes: termios?
    }

    private struct SessionKey: Hashable {
        var tunnel: String
        var connection: Int
    }

    private struct Surface {
        var frames: PanelFrames
        var hasDrawn = false
        /// Whether another program has used the terminal since the last frame.
        var isAway = true
        /// The rows that are kept free for text that was printed above the panel.
        var reservedRows = 0
    }

    private let device: TerminalDevice
    private let screen: StatusScreen
    private let queue = DispatchQueue(label: "culvert.status")
    private let shared = NIOLockedValueBox(Shared())
    private let surface: NIOLockedValueBox<Surface>
    private let signals = NIOLockedValueBox<[any DispatchSourceSignal]>([])

    /// Shortest time between two frames.
    private static let interval = 0.25
    /// How long a run may have no tunnel before the panel appears: a run that fails at once shows its error alone.
    private static let appearanceDelay = 0.4
    /// How often the round-trip time is asked for, in seconds.
    private static let roundTripInterval = 2.0
    /// How long after a connection is active its first round-trip time should be known, in seconds.
    private static let firstRoundTrip = 0.3
    /// How long drawing the final state may take.
    private static let closingTime = DispatchTimeInterval.seconds(1)

    init(device: TerminalDevice, screen: StatusScreen, isColoured: Bool) {
        self.device = device
        self.screen = screen
        self.surface = NIOLockedValueBox(Surface(frames: PanelFrames(isColoured: isColoured)))
    }

    /// Begins to watch the terminal and to draw.
    func open() {
        self.watch(SIGWINCH) { panel in
            // The text above the panel has moved.
            panel.surface.withLockedValue { $0.reservedRows = 0 }
            panel.schedule(in: 0)
        }
        self.watch(SIGCONT) { $0.schedule(in: 0) }
        // By default these signals stop or end the program with the cursor hidden.
        signal(SIGTSTP, SIG_IGN)
        self.watch(SIGTSTP) { panel in
            panel.leaveTerminal()
            // Unlike kill(), raise() stops this thread before it draws again.
            raise(SIGSTOP)
        }
        signal(SIGQUIT, SIG_IGN)
        self.watch(SIGQUIT) { panel in
            panel.leaveTerminal()
            signal(SIGQUIT, SIG_DFL)
            kill(getpid(), SIGQUIT)
        }
        self.schedule(in: Self.appearanceDelay)
        self.measure()
    }

    /// Changes what is shown.
    func update(_ change: (inout StatusState) -> Void) {
        let needsFrame = self.shared.withLockedValue { shared in
            change(&shared.state)
            guard shared.state.phase != .starting else { return false }
            // Of thousands of requests a second, few find no frame planned: the others ask no clock.
            return shared.nextDraw.map { $0 > shared.lastDraw + Self.interval } ?? true
        }
        if needsFrame { self.schedule(in: 0) }
    }

    /// Takes an event of a connection, and keeps its session to ask for round-trip times.
    func take(_ report: ConnectionEvent, of tunnel: String) {
        self.shared.withLockedValue { shared in
            switch report {
            case .opened(let index, let session):
                shared.sessions[SessionKey(tunnel: tunnel, connection: index)] = session
            case .waiting(let index, _, _), .replaced(let index):
                shared.sessions[SessionKey(tunnel: tunnel, connection: index)] = nil
            case .connecting, .active, .replacing, .suspended, .stillAway, .resumed:
                break
            }
        }
        if case .active = report { self.queue.asyncAfter(deadline: .now() + Self.firstRoundTrip) { self.look() } }
    }

    /// Prints a text once, above the panel.
    ///
    /// - Parameters:
    ///   - columns: How wide the window has to be for it.
    ///   - rows: How many lines it has; the panel stays small enough to leave them in sight, if that is possible.
    ///   - text: The lines.
    func print(columns: Int, rows: Int, _ text: String) {
        self.queue.async {
            self.surface.withLockedValue { surface in
                let size = self.device.size
                guard self.device.isForeground, columns < size.columns else { return }
                self.device.write(surface.frames.removal(size: size) + text)
                surface.reservedRows = rows
            }
            self.draw()
        }
    }

    /// Draws the final state and restores the terminal; nothing is drawn afterwards.
    func close() {
        let wasClosed = self.shared.withLockedValue { shared in
            defer { shared.isClosed = true }
            return shared.isClosed
        }
        guard !wasClosed else { return }
        for source in self.signals.withLockedValue({ $0 }) { source.cancel() }
        self.device.resumeOutput()
        let done = DispatchSemaphore(value: 0)
        self.queue.async {
            self.draw(isLast: true)
            self.leaveTerminal()
            done.signal()
        }
        // A terminal that accepts no output must not keep the program from ending.
        if done.wait(timeout: .now() + Self.closingTime) == .timedOut { self.restoreModes() }
        signal(SIGTSTP, SIG_DFL)
        signal(SIGQUIT, SIG_DFL)
    }

    // MARK: Drawing

    private func schedule(in delay: TimeInterval) {
        let now = Date()
        let wait = self.shared.withLockedValue { shared -> TimeInterval? in
            let date = max(now + delay, shared.lastDraw + Self.interval)
            if shared.isClosed { return nil }
            if let next = shared.nextDraw, next <= date { return nil }
            shared.nextDraw = date
            return max(0, date.timeIntervalSince(now))
        }
        if let wait { self.queue.asyncAfter(deadline: .now() + wait) { self.draw() } }
    }

    private func draw(isLast: Bool = false) {
        let now = Date()
        let state = self.shared.withLockedValue { shared -> StatusState? in
            shared.nextDraw = nil
            guard !shared.isClosed || isLast else { return nil }
            shared.lastDraw = now
            return shared.state
        }
        guard let state else { return }
        let isDrawn = self.surface.withLockedValue { self.draw(state, on: &$0, at: now, isLast: isLast) }
        if !isDrawn || state.isCountingDown { self.schedule(in: 1) }
    }

    /// Draws, if the program is in the foreground and the terminal accepts output.
    private func draw(_ state: StatusState, on surface: inout Surface, at date: Date, isLast: Bool) -> Bool {
        // A run whose tunnels were never online leaves only its final message on the screen.
        if isLast, !state.hasBeenOnline {
            guard surface.hasDrawn, self.device.isForeground, !surface.isAway else { return true }
            self.device.write(surface.frames.removal(size: self.device.size))
            return true
        }
        guard self.device.isForeground else {
            surface.isAway = true
            return true
        }
        guard self.device.isWritable else { return false }
        if surface.isAway {
            surface.isAway = false
            surface.frames.forget()
            let modes = self.device.muteKeys()
            self.shared.withLockedValue { $0.modes = modes }
        }
        surface.hasDrawn = true
        let size = self.device.size
        var room = size
        if size.rows - surface.reservedRows >= Self.fewestRows { room.rows -= surface.reservedRows }
        if let text = surface.frames.frame(self.screen.lines(state, size: room, at: date), size: size) {
            self.device.write(text)
        }
        return true
    }

    /// The fewest rows that the panel is drawn in.
    private static let fewestRows = 8

    /// Restores the terminal, at the end or while the program is suspended.
    private func leaveTerminal() {
        let wasAway = self.surface.withLockedValue { surface in
            defer { surface.isAway = true }
            return surface.isAway
        }
        guard !wasAway, self.device.isForeground else { return }
        self.device.write(PanelFrames.showCursor)
        self.restoreModes()
    }

    private func restoreModes() {
        let modes = self.shared.withLockedValue { shared in
            defer { shared.modes = nil }
            return shared.modes
        }
        if let modes, self.device.isForeground { self.device.restore(modes) }
    }

    // MARK: Signals and round trips

    private func watch(_ signal: Int32, _ body: @escaping @Sendable (StatusPanel) -> Void) {
        let source = DispatchSource.makeSignalSource(signal: signal, queue: self.queue)
        source.setEventHandler { [weak self] in
            if let self { body(self) }
        }
        source.resume()
        self.signals.withLockedValue { $0.append(source) }
    }

    /// Asks the sessions for their round-trip times at intervals.
    private func measure() {
        guard self.look() else { return }
        self.queue.asyncAfter(deadline: .now() + Self.roundTripInterval) { [weak self] in self?.measure() }
    }

    /// Asks the sessions for their round-trip times; returns whether the panel is open.
    @discardableResult
    private func look() -> Bool {
        let sessions = self.shared.withLockedValue { $0.isClosed ? nil : $0.sessions }
        guard let sessions else { return false }
        for (key, session) in sessions {
            session.withRoundTripTime { [weak self] time in self?.measured(time, key) }
        }
        return true
    }

    private func measured(_ time: TimeAmount, _ key: SessionKey) {
        let isNew = self.shared.withLockedValue {
            $0.state.measured(time, connection: key.connection, of: key.tunnel)
        }
        if isNew { self.schedule(in: 0) }
    }
}
