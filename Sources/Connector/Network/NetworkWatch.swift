// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOConcurrencyHelpers

/// Tells those who care that the connections of this machine may have become something else: it woke from sleep, or its
/// addresses or links have changed.
///
/// Where nobody runs it, it tells nothing.
final class NetworkWatch: Sendable {
    /// What happened.
    enum Change: String, Sendable {
        case clockJump = "the clock jumped: this machine slept, or the program did not run"
        case network = "the network of this machine changed"
    }

    /// Somebody who is told until it says that it has heard enough.
    struct Subscription: Sendable {
        fileprivate let id: UInt64
    }

    private struct State {
        var pace = ProbePace()
        var lastID: UInt64 = 0
        var subscribers: [UInt64: @Sendable () -> Void] = [:]
    }

    private let state = NIOLockedValueBox(State())

    /// Has the action done on every change, on some thread.
    func subscribe(_ action: @escaping @Sendable () -> Void) -> Subscription {
        self.state.withLockedValue { state in
            state.lastID += 1
            state.subscribers[state.lastID] = action
            return Subscription(id: state.lastID)
        }
    }

    /// Ends a subscription.
    func cancel(_ subscription: Subscription) {
        self.state.withLockedValue { _ = $0.subscribers.removeValue(forKey: subscription.id) }
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
                    self.tell()
                }
            }
            await group.waitForAll()
        }
    }

    /// Tells everybody at once.
    func tell() {
        for action in self.state.withLockedValue({ Array($0.subscribers.values) }) { action() }
    }

    /// Waits until there may be another probe; false if the task was cancelled.
    ///
    /// What happens meanwhile is in the stream's one place, and so followed up once.
    private func waitForTurn() async -> Bool {
        guard case .wait(let delay) = self.state.withLockedValue({ $0.pace.event(at: .now) }) else { return true }
        do {
            try await Task.sleep(for: delay)
        } catch {
            return false
        }
        self.state.withLockedValue { $0.pace.waited(at: .now) }
        return true
    }

    private static func watchClocks(_ jumped: () -> Void) async {
        var jump = ClockJump()
        while true {
            if jump.observe(.now) { jumped() }
            do {
                // The sleep is measured by the clock that stands still while the machine sleeps: it is never overdue by
                // hours, and ends within the interval after the machine wakes.
                try await Task.sleep(for: ClockJump.interval, clock: .suspending)
            } catch {
                return
            }
        }
    }
}
