// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Keeps the calls for successors apart: ten a second of all tunnels of the program together, whatever their edges say.
final class RenewalPace: Sendable {
    /// The least time between two calls.
    static let distance = Duration.milliseconds(100)

    private let next = Mutex<ContinuousClock.Instant?>(nil)

    /// Takes the next turn.
    ///
    /// - Returns: How long to wait for it.
    func take(now: ContinuousClock.Instant) -> Duration {
        self.next.withLock { next in
            let turn = max(next ?? now, now)
            next = turn + Self.distance
            return turn - now
        }
    }
}
