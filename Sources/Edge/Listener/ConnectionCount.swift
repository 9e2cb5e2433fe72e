// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Counts the open connections of a listener up to a limit; thread-safe.
final class ConnectionCount: Sendable {
    private let limit: Int
    private let count = Atomic<Int>(0)

    init(limit: Int) {
        self.limit = limit
    }

    /// Whether one more is allowed; if so ``leave()`` must follow.
    func enter() -> Bool {
        let (_, now) = self.count.add(1, ordering: .relaxed)
        guard now <= self.limit else {
            self.leave()
            return false
        }
        return true
    }

    func leave() {
        self.count.subtract(1, ordering: .relaxed)
    }
}
