// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
import Logging
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
/// The first SIGTERM or SIGINT ends the run in good order, the second at once.
struct RunUntilSignal: Sendable {
    /// What SIGHUP means.
    enum HangUp: Sendable {
        /// The terminal was closed: leave in good order, unless `nohup` says that it should not matter.
        case leave
        /// The configuration is to be read again.
        case reload(@Sendable () -> Void)
    }

    let hangUp: HangUp
    let display: StatusDisplay

    /// Runs the service.
    ///
    /// - Throws: What the service throws.
    func run(_ service: some Service) async throws {
        let lifecycle = ServiceGroup(running: service)
        // A reader of our output that goes away must not take the tunnel with it.
        signal(SIGPIPE, SIG_IGN)
        let trapped = await UnixSignalsSequence(trapping: self.trappedSignals())
        let display = self.display
        display.open()
        let stopped = StatusEvent.stopped(exitCode: CommandStatus.success.rawValue, message: "stopped")
        let signals = Task {
            var isLeaving = false
            for await signal in trapped {
                if case .reload(let reload) = self.hangUp, signal == .sighup {
                    reload()
                    continue
                }
                if isLeaving {
                    // A shell and the system both say that the terminal is gone: that is no second wish to leave.
                    guard signal != .sighup else { continue }
                    if display.isForPrograms { display.report(stopped) }
                    display.close(stopped)
                    Foundation.exit(CommandStatus.success.rawValue)
                }
                isLeaving = true
                display.report(.leaving(signal: "\(signal)"))
                await lifecycle.triggerGracefulShutdown()
            }
        }
        defer { signals.cancel() }
        // Whatever ends the run, the terminal is given back before anything else is printed.
        defer { display.close(stopped) }
        try await lifecycle.run()
        if display.isForPrograms { display.report(stopped) }
    }

    private func trappedSignals() -> [UnixSignal] {
        switch self.hangUp {
        case .leave:
            return Self.isIgnored(SIGHUP) ? [.sigterm, .sigint] : [.sigterm, .sigint, .sighup]
        case .reload:
            // Whoever starts it with nohup still wants it to read its file again.
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
