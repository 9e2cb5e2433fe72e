// SPDX-License-Identifier: Apache-2.0

/// Token buckets by key, in bounded memory.
///
/// Two generations: what is used is in the young one; when that is full it becomes the old one, and what the old one
/// held is forgotten. So a key that is in use is never forgotten by the arrival of up to ``capacity`` / 2 others, and a
/// million keys take no more memory than ``capacity``. A forgotten key starts again with a full bucket.
package struct BucketTable<Key: Hashable & Sendable>: Sendable {
    /// The limit of each key.
    package let limit: RateLimit
    /// The most keys that are remembered.
    package let capacity: Int

    private var young: [Key: TokenBucket] = [:]
    private var old: [Key: TokenBucket] = [:]

    /// Makes an empty table.
    package init(_ limit: RateLimit, capacity: Int) {
        self.limit = limit
        self.capacity = max(2, capacity)
    }

    /// The keys that are remembered.
    package var count: Int { self.young.count + self.old.count }

    /// Takes a token from a key's bucket.
    ///
    /// - Parameter edges: How many edges share the limit without being able to tell each other.
    package mutating func take(_ key: Key, now: Double, among edges: Int = 1) -> RateDecision {
        var bucket = self.bucket(for: key, now: now)
        defer { self.store(bucket, for: key) }
        return bucket.take(self.limit.divided(among: edges), now: now)
    }

    /// Gives a token back to a key's bucket that was taken and not used.
    package mutating func giveBack(_ key: Key, now: Double) {
        var bucket = self.bucket(for: key, now: now)
        bucket.giveBack(self.limit)
        self.store(bucket, for: key)
    }

    /// Takes what a key's bucket has beyond so many tokens; fewer than none are owed.
    mutating func lower(_ key: Key, to tokens: Double, now: Double) {
        var bucket = self.bucket(for: key, now: now)
        bucket.lower(to: tokens, self.limit, now: now)
        self.store(bucket, for: key)
    }

    /// What a key's bucket would allow; a key that is not remembered stays so.
    func peek(_ key: Key, now: Double) -> RateDecision {
        var bucket = self.bucket(for: key, now: now)
        return bucket.peek(self.limit, now: now)
    }

    private func bucket(for key: Key, now: Double) -> TokenBucket {
        self.young[key] ?? self.old[key] ?? TokenBucket(self.limit, now: now)
    }

    private mutating func store(_ bucket: TokenBucket, for key: Key) {
        if self.young[key] == nil, self.young.count >= self.capacity / 2 {
            self.old = self.young
            self.young = [:]
        }
        self.old[key] = nil
        self.young[key] = bucket
    }
}
