// SPDX-License-Identifier: Apache-2.0

/// What a limit allows.
package struct RateLimit: Equatable, Sendable {
    /// The most calls at once; also what a caller who has been quiet may do.
    package var burst: Double
    /// How fast calls are given back, in calls per second.
    package var perSecond: Double

    /// So many calls in so many seconds.
    package init(_ count: Int, perSeconds seconds: Double) {
        self.burst = Double(count)
        self.perSecond = Double(count) / seconds
    }

    /// What one of several edges allows that can't tell each other.
    func divided(among edges: Int) -> RateLimit {
        var share = self
        share.burst = max(1, self.burst / Double(max(1, edges)))
        share.perSecond = self.perSecond / Double(max(1, edges))
        return share
    }
}

/// Whether a call may go ahead.
package struct RateDecision: Equatable, Sendable {
    /// Whether it may.
    package var isAllowed: Bool
    /// How many more calls may follow at once.
    package var remaining: Int
    /// Until the next call is allowed (if this one was not) or the bucket is full again, in whole seconds.
    package var resetSeconds: Int
}

extension RateDecision {
    /// What a bucket with so many tokens left decided.
    package init(isAllowed: Bool, left: Double, of limit: RateLimit) {
        let missing = isAllowed ? limit.burst - left : 1 - left
        self.init(
            isAllowed: isAllowed,
            remaining: max(0, Int(left)),
            resetSeconds: Int((missing / limit.perSecond).rounded(.up))
        )
    }
}

/// A token bucket: a value, with the time given to it in seconds of any clock that does not go back.
struct TokenBucket: Sendable {
    private var tokens: Double
    private var updatedAt: Double

    /// Makes a full bucket.
    init(_ limit: RateLimit, now: Double) {
        self.tokens = limit.burst
        self.updatedAt = now
    }

    /// Makes a bucket with so many tokens; fewer than none are owed.
    init(holding tokens: Double, now: Double) {
        self.tokens = tokens
        self.updatedAt = now
    }

    /// Takes a token if there is one.
    mutating func take(_ limit: RateLimit, now: Double) -> RateDecision {
        self.refill(limit, now: now)
        guard self.tokens >= 1 else { return self.decision(isAllowed: false, limit) }
        self.tokens -= 1
        return self.decision(isAllowed: true, limit)
    }

    /// Gives a token back that was taken and not used.
    mutating func giveBack(_ limit: RateLimit) {
        self.tokens = min(limit.burst, self.tokens + 1)
    }

    /// Takes what there is beyond so many tokens.
    mutating func lower(to tokens: Double, _ limit: RateLimit, now: Double) {
        self.refill(limit, now: now)
        self.tokens = min(self.tokens, tokens)
    }

    /// What ``take(_:now:)`` would say, without taking.
    mutating func peek(_ limit: RateLimit, now: Double) -> RateDecision {
        self.refill(limit, now: now)
        return self.decision(isAllowed: self.tokens >= 1, limit)
    }

    private mutating func refill(_ limit: RateLimit, now: Double) {
        self.tokens = min(limit.burst, self.tokens + max(0, now - self.updatedAt) * limit.perSecond)
        self.updatedAt = max(self.updatedAt, now)
    }

    private func decision(isAllowed: Bool, _ limit: RateLimit) -> RateDecision {
        RateDecision(isAllowed: isAllowed, left: self.tokens, of: limit)
    }
}
