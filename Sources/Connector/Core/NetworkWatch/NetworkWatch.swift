// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOConcurrencyHelpers

/// Reports that the connections of this machine may be dead: it woke from sleep, or its addresses or links changed.
///
/// It reports nothing while ``run(logger:)`` does not run.
package final class NetworkWatch: Sendable {
    /// What changed.
    enum Change: String, Sendable {
        case clockJump = "the clock jumped: this machine slept, or the program did not run"
        case network = "the network of this machine changed"
    }

    private let pace = NIOLockedValueBox(ProbePace())
    private let subscribers = Subscribers()

    /// Makes a watch that does not run yet.
    package init() {}

    /// Calls the action on every change, on any thread.
    func subscribe(_ action: @escaping @Sendable () -> Void) -> Subscribers.Subscription {
        self.subscribers.subscribe(action)
    }

    /// Ends a subscription.
    func cancel(_ subscription: Subscribers.Subscription) {
        self.subscribers.cancel(subscription)
    }

    /// Watches until the task is cancelled.
    func run(logger: Logger) async {
        await withTaskGroup(of: Void.self) { group in
            let (changes, continuation) = AsyncStream.makeStream(of: Change.self, bufferingPolicy: .bufferingNewest(1))
            group.addTask { await Self.watchClocks { continuation.yield(.clockJump) } }
            #if os(Linux)
            group.addTask { await NetlinkMonitor.watch(logger: logger) { continuation.yield(.network) } }
            #endif
            group.addTask {
                for await change in changes {
                    guard await self.waitForTurn() else { return }
                    logger.debug("\(change.rawValue): asking whether the connections still work")
                    self.notify()
                }
            }
            await group.waitForAll()
        }
    }

    /// Calls all subscribers.
    func notify() {
        self.subscribers.notify()
    }

    /// Waits until there may be another probe; false if the task was cancelled.
    ///
    /// Changes that happen meanwhile share the stream's one buffered element, and so lead to one probe.
    private func waitForTurn() async -> Bool {
        guard case .wait(let delay) = self.pace.withLockedValue({ $0.event(at: .now) }) else { return true }
        do {
            try await Task.sleep(for: delay)
        } catch {
            return false
        }
        self.pace.withLockedValue { $0.waited(at: .now) }
        return true
    }

    private static func watchClocks(_ jumped: () -> Void) async {
        var jump = ClockJump()
        while true {
            if jump.observe(.now) { jumped() }
            do {
                // The suspending clock stops while the machine sleeps, so the pause ends within an interval after the
                // machine wakes.
                try await Task.sleep(for: ClockJump.interval, clock: .suspending)
            } catch {
                return
            }
        }
    }
}
