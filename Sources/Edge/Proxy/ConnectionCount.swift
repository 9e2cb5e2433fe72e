// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Counts the open connections of a listener up to a limit; thread-safe.
package final class ConnectionCount: Sendable {
    private let limit: Int
    private let count = Atomic<Int>(0)

    /// - Parameter limit: The most connections that are allowed.
    package init(limit: Int) {
        self.limit = limit
    }

    /// Whether one more is allowed; if so ``leave()`` must follow.
    package func enter() -> Bool {
        let (_, now) = self.count.add(1, ordering: .relaxed)
        guard now <= self.limit else {
            self.leave()
            return false
        }
        return true
    }

    /// One connection less.
    package func leave() {
        self.count.subtract(1, ordering: .relaxed)
    }
}
