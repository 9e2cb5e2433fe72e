// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Foundation
import Logging
import NIOCore
import ServiceLifecycle
import UnixSignals

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Runs a service until the program is asked to stop.
///
/// ``LeaveRule`` says what follows a SIGTERM, SIGINT or SIGHUP.
struct RunUntilSignal: Sendable {
    /// What SIGHUP means.
    enum HangUp: Sendable {
        /// The terminal was closed: drain and end, unless the program runs under `nohup`.
        case leave
        /// The configuration is to be read again.
        case reload(@Sendable () -> Void)
    }

    let hangUp: HangUp
    let display: StatusDisplay
    /// The program whose end ends the run, if there is one.
    var companion: Companion?

    /// Runs the service.
    ///
    /// - Throws: What the service throws, or the exit code of the companion, if that is not 0.
    func run(_ service: some Service) async throws {
        let lifecycle = ServiceGroup(running: service)
        // A reader of our output that exits must not end the program.
        signal(SIGPIPE, SIG_IGN)
        let trapped = await UnixSignalsSequence(trapping: self.trappedSignals())
        let display = self.display
        display.open()
        let stopped = StatusEvent.stopped(exitCode: CommandStatus.success.rawValue, message: "stopped")
        let signals = Task {
            var rule = LeaveRule()
            for await signal in trapped {
                if case .reload(let reload) = self.hangUp, signal == .sighup {
                    reload()
                    continue
                }
                switch rule.take(isHangUp: signal == .sighup, now: .now()) {
                case .nothing: continue
                case .drain: break
                case .endAtOnce:
                    if display.isForPrograms { display.report(stopped) }
                    display.close(stopped)
                    _ = self.companion?.pass(SIGKILL)
                    Foundation.exit(CommandStatus.success.rawValue)
                }
                display.report(.leaving(signal: "\(signal)"))
                // Its end ends the run: it may want to say something through the tunnel.
                if self.pass(signal) { continue }
                await lifecycle.triggerGracefulShutdown()
            }
        }
        defer { signals.cancel() }
        let ending = Task { () -> Int32? in
            guard let code = await self.companion?.end() else { return nil }
            await lifecycle.triggerGracefulShutdown()
            return code
        }
        // Whatever ends the run, the terminal is restored before anything else is printed.
        defer { display.close(stopped) }
        do {
            try await lifecycle.run()
        } catch {
            // Without its tunnel the companion has no reason to run.
            if self.companion?.pass(SIGTERM) == true { _ = await ending.value }
            throw error
        }
        let code = await ending.value
        guard let code, code != CommandStatus.success.rawValue else {
            if display.isForPrograms { display.report(stopped) }
            return
        }
        if display.isForPrograms {
            display.report(.stopped(exitCode: code, message: "the program ended with \(code)"))
        }
        throw ExitCode(code)
    }

    /// Passes a signal on to the companion.
    ///
    /// - Returns: Whether there is one that runs.
    private func pass(_ signal: UnixSignal) -> Bool {
        guard let companion else { return false }
        let number: Int32 =
            switch signal {
            case .sigint: SIGINT
            case .sighup: SIGHUP
            default: SIGTERM
            }
        // Ctrl-C reaches every program of the terminal's group.
        return companion.pass(number, isFromTerminal: signal == .sigint && TerminalDevice(.error).isForeground)
    }

    private func trappedSignals() -> [UnixSignal] {
        switch self.hangUp {
        case .leave:
            return Self.isIgnored(SIGHUP) ? [.sigterm, .sigint] : [.sigterm, .sigint, .sighup]
        case .reload:
            // Under nohup, too, SIGHUP reloads the file.
            signal(SIGHUP, SIG_DFL)
            return [.sigterm, .sigint, .sighup]
        }
    }

    private static func isIgnored(_ number: Int32) -> Bool {
        let before = signal(number, SIG_IGN)
        signal(number, before)
        // The two are pointers to functions, which only compare as numbers.
        return unsafeBitCast(before, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }
}
