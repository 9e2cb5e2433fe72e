// SPDX-License-Identifier: Apache-2.0

/// When to ask for the successor of a token: first at two thirds of its life, a little earlier by a random part, and
/// after a failure again and again until its end; a value without a clock.
///
/// Times are read from a clock that does not go back and goes on while the machine sleeps.
struct RenewalSchedule: Sendable {
    /// What is known of a token's life.
    struct Life: Equatable, Sendable {
        /// From its issue to its end.
        var length: Duration
        /// How much of it is over.
        var age: Duration
    }

    /// No life is counted as longer: what an edge says has a bound.
    static let longestLife = Duration.seconds(10 * 365 * 86_400)
    /// The least time between two attempts, whatever an edge says.
    static let shortestPause = Duration.seconds(1)
    /// The most time between two attempts.
    static let longestPause = Duration.seconds(900)

    /// When the token ends.
    let end: ContinuousClock.Instant
    /// When to ask next.
    private(set) var nextAttempt: ContinuousClock.Instant
    private let length: Duration
    private var failures = 0

    /// Makes the schedule of a token.
    ///
    /// - Parameters:
    ///   - life: What is known of its life.
    ///   - now: The time.
    ///   - draw: A uniform random number from 0 to 1, so that tokens that were issued together are not renewed together.
    init(_ life: Life, now: ContinuousClock.Instant, draw: Double) {
        self.length = max(.zero, min(life.length, Self.longestLife))
        let age = max(.zero, min(life.age, self.length))
        self.end = now + (self.length - age)
        let first = self.length * 2 / 3 - self.length * (0.05 * min(max(draw, 0), 1))
        self.nextAttempt = now + max(first - age, Self.shortestPause)
    }

    /// The time between attempts after a failure: about ten of them before the token ends.
    private var pause: Duration {
        max(Self.shortestPause, min(self.length / 30, Self.longestPause))
    }

    /// Notes that an attempt failed.
    ///
    /// - Returns: Whether to tell a person: after the first one, and when the end is near.
    mutating func failed(now: ContinuousClock.Instant) -> Bool {
        self.failures += 1
        self.nextAttempt = now + self.pause
        return self.failures == 1 || self.end - now < self.length / 10
    }
}

extension RenewalSchedule.Life {
    /// What a token says of its life.
    ///
    /// - Parameters:
    ///   - token: The token.
    ///   - isFresh: Whether the edge has issued it just now, so that no clock has to be trusted.
    ///   - seconds: The time by the machine's own clock, in seconds since 1970.
    /// - Returns: `nil` if the token names no end: it needs no successor.
    init?(of token: TunnelToken, isFresh: Bool, at seconds: Double) {
        guard let end = token.expiresAt, let begin = token.issuedAt, end > begin else { return nil }
        let length = min(end - begin, 1e9)
        // A clock that is before the token's issue is wrong, and says nothing: then the token may be of any age.
        let age = isFresh ? 0 : seconds < begin - 60 ? length : min(max(seconds - begin, 0), length)
        self.init(length: .seconds(length), age: .seconds(age))
    }
}
