// SPDX-License-Identifier: Apache-2.0

/// How long to wait before the next attempt: full-jitter exponential back-off.
///
/// Full jitter (a uniform draw from zero to the current ceiling) spreads a crowd of connectors that lost the same edge
/// better than a fixed part plus a random one. The caller brings the clock and the randomness.
struct ReconnectBackoff: Sendable {
    /// The ceiling of the first wait.
    var initial: Duration = .milliseconds(250)
    /// The highest ceiling.
    var limit: Duration = .seconds(30)
    /// The highest ceiling while attempts succeed, but their sessions don't last.
    ///
    /// The edge answers, and for visitors a path that breaks every few seconds is better than one that is not tried.
    var limitAfterSuccess: Duration = .seconds(4)
    /// A session that lived this long was healthy: the next failure starts from the beginning.
    var healthyAfter: Duration = .seconds(60)
    /// Attempts that failed in a row.
    private(set) var failures = 0

    /// For a session that waits for another connection: what is under way waits for each attempt.
    static let comingBack = ReconnectBackoff(limit: .seconds(2))

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
        guard lifetime > .zero else { return }
        if lifetime >= self.healthyAfter { return self.reset() }
        while self.failures > 0, self.ceiling > self.limitAfterSuccess { self.failures -= 1 }
    }

    /// Starts from the beginning: earlier failures say nothing about the next attempt.
    mutating func reset() {
        self.failures = 0
    }

    /// Gives the wait before the next attempt, and raises the ceiling of the one after it.
    ///
    /// A wait that the edge asked for does not raise the ceiling, and at most a second is added to it.
    ///
    /// - Parameters:
    ///   - minimum: What the edge asked for (`Retry-After`, in whole seconds); the draw is added to it, so that
    ///     connectors that got the same time don't come back in the same instant.
    ///   - draw: A uniform random number from 0 to 1.
    mutating func nextDelay(atLeast minimum: Duration = .zero, draw: Double) -> Duration {
        let draw = min(max(draw, 0), 1)
        if minimum > .zero { return minimum + .seconds(1) * draw }
        let ceiling = self.ceiling
        self.failures += 1
        return ceiling * draw
    }
}
