// SPDX-License-Identifier: Apache-2.0

/// How long to wait before the next attempt: full-jitter exponential back-off.
///
/// Full jitter (a uniform draw from zero to the current ceiling) spreads a crowd of connectors that lost the same edge
/// better than a fixed part plus a random one. The clock and the randomness belong to the caller.
struct ReconnectBackoff: Sendable {
    /// The ceiling of the first wait.
    var initial: Duration = .milliseconds(250)
    /// The highest ceiling.
    var limit: Duration = .seconds(30)
    /// A session that lived this long was healthy: the next failure starts from the beginning.
    var healthyAfter: Duration = .seconds(60)
    /// Attempts that failed in a row.
    private(set) var failures = 0

    /// The most that the next wait can be.
    var ceiling: Duration {
        // 2^20 times any useful start is beyond any useful limit, and still far from overflow.
        let doubled = self.initial * (1 << min(self.failures, 20))
        return min(doubled, self.limit)
    }

    /// Notes that a session ended.
    ///
    /// - Parameter lifetime: How long the session was active; zero if it never was.
    mutating func sessionEnded(afterLiving lifetime: Duration) {
        if lifetime >= self.healthyAfter { self.failures = 0 }
    }

    /// Gives the wait before the next attempt, and raises the ceiling of the one after it.
    ///
    /// - Parameters:
    ///   - minimum: What the edge asked for (`Retry-After`); the draw is added to it, so that those who were told the
    ///     same time don't come back in the same instant.
    ///   - draw: A uniform random number from 0 to 1.
    mutating func nextDelay(atLeast minimum: Duration = .zero, draw: Double) -> Duration {
        let ceiling = self.ceiling
        self.failures += 1
        return minimum + ceiling * min(max(draw, 0), 1)
    }
}
