// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers

/// Those who want to be told when something happens, until they have heard enough.
package final class Subscribers: Sendable {
    /// Names one of them, to end the subscription.
    package struct Subscription: Sendable {
        fileprivate let id: UInt64
    }

    private struct State {
        var lastID: UInt64 = 0
        var actions: [UInt64: @Sendable () -> Void] = [:]
    }

    private let state = NIOLockedValueBox(State())

    /// Has the action done each time, on the thread of whoever tells.
    func subscribe(_ action: @escaping @Sendable () -> Void) -> Subscription {
        self.state.withLockedValue { state in
            state.lastID += 1
            state.actions[state.lastID] = action
            return Subscription(id: state.lastID)
        }
    }

    /// Ends a subscription.
    func cancel(_ subscription: Subscription) {
        self.state.withLockedValue { _ = $0.actions.removeValue(forKey: subscription.id) }
    }

    /// Tells everybody at once.
    func tell() {
        for action in self.state.withLockedValue({ Array($0.actions.values) }) { action() }
    }
}
