// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Allows so many events a second, with a burst.
package struct TokenBucket: Hashable, Sendable {
    private let rate: Double
    private let burst: Double
    private var tokens: Double
    private var updated: NIODeadline

    /// Makes a full bucket.
    ///
    /// - Parameters:
    ///   - rate: Tokens added a second.
    ///   - burst: The most tokens that it holds.
    package init(rate: Double, burst: Double, now: NIODeadline) {
        self.rate = rate
        self.burst = burst
        self.tokens = burst
        self.updated = now
    }

    /// Takes tokens if there are enough.
    package mutating func take(_ count: Double = 1, now: NIODeadline) -> Bool {
        if now > self.updated {
            let seconds = Double((now - self.updated).nanoseconds) / 1e9
            self.tokens = min(self.burst, self.tokens + seconds * self.rate)
            self.updated = now
        }
        guard self.tokens >= count else { return false }
        self.tokens -= count
        return true
    }
}
