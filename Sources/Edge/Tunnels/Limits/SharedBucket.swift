// SPDX-License-Identifier: Apache-2.0

/// A bucket that several edges take from, as one of them knows it.
///
/// Nobody waits for the others: an edge takes by what it knows, tells what it took a moment later, and learns what is left
/// for all. What was taken too much meanwhile is owed, so that over a second or more all together get what one would.
///
/// A value: the time is given to it, in seconds of any clock that does not go back.
struct SharedBucket: Sendable {
    private var bucket: TokenBucket?
    /// What was taken and not told.
    private var spent = 0
    private var isTold = false
    /// How many edges share the limit without being able to tell each other.
    private var shares = 1

    /// Takes a token if there is one, as far as this edge knows.
    mutating func take(_ limit: RateLimit, now: Double) -> RateDecision {
        let own = limit.divided(among: self.shares)
        var bucket = self.bucket ?? TokenBucket(own, now: now)
        let decision = bucket.take(own, now: now)
        self.bucket = bucket
        if decision.isAllowed { self.spent += 1 }
        return decision
    }

    /// Forgets everything: the limit is another one.
    mutating func restart() {
        self.bucket = nil
        self.spent = 0
    }

    // MARK: Telling

    /// Whether somebody has to begin to tell what was taken.
    mutating func beginTelling() -> Bool {
        guard self.spent > 0, !self.isTold else { return false }
        self.isTold = true
        return true
    }

    /// What is to be told; `nil` once there is nothing, after which somebody has to begin anew.
    mutating func takeSpent() -> Int? {
        guard self.spent > 0 else {
            self.isTold = false
            return nil
        }
        defer { self.spent = 0 }
        return self.spent
    }

    /// What is left for all, after what was told.
    mutating func learn(left: Double, now: Double) {
        self.shares = 1
        self.bucket = TokenBucket(holding: left - Double(self.spent), now: now)
    }

    /// It can't be told: each edge takes its share alone.
    ///
    /// - Parameter edges: How many there are.
    mutating func divide(among edges: Int) { self.shares = edges }
}
