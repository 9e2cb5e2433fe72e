// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers

/// A list of actions to call when something happens.
package final class Subscribers: Sendable {
    /// Identifies an action, to remove it.
    package struct Subscription: Sendable {
        fileprivate let id: UInt64
    }

    private struct State {
        var lastID: UInt64 = 0
        var actions: [UInt64: @Sendable () -> Void] = [:]
    }

    private let state = NIOLockedValueBox(State())

    /// Adds an action, which is called on the thread that calls ``notify()``.
    func subscribe(_ action: @escaping @Sendable () -> Void) -> Subscription {
        self.state.withLockedValue { state in
            state.lastID += 1
            state.actions[state.lastID] = action
            return Subscription(id: state.lastID)
        }
    }

    /// Removes an action.
    func cancel(_ subscription: Subscription) {
        self.state.withLockedValue { _ = $0.actions.removeValue(forKey: subscription.id) }
    }

    /// Calls all actions.
    func notify() {
        for action in self.state.withLockedValue({ Array($0.actions.values) }) { action() }
    }
}
