// SPDX-License-Identifier: Apache-2.0

/// Ids that there was no tunnel of a moment ago, so that guessing costs the directory little.
///
/// Bounded as ``BucketTable`` is: two generations, and what the older one held is forgotten first.
struct RecentAbsences<ID: Hashable & Sendable>: Sendable {
    /// For how long an answer counts, in seconds.
    static var life: Double { 2 }

    private let capacity: Int
    private var young: [ID: Double] = [:]
    private var old: [ID: Double] = [:]

    /// Makes an empty table.
    ///
    /// - Parameter capacity: The most ids that are remembered.
    init(capacity: Int = 16_384) {
        self.capacity = max(2, capacity)
    }

    /// The ids that are remembered.
    var count: Int { self.young.count + self.old.count }

    /// There is no such tunnel now.
    mutating func insert(_ id: ID, now: Double) {
        if self.young[id] == nil, self.young.count >= self.capacity / 2 {
            self.old = self.young
            self.young = [:]
        }
        self.old[id] = nil
        self.young[id] = now + Self.life
    }

    /// Whether there was none a moment ago.
    func contains(_ id: ID, now: Double) -> Bool {
        (self.young[id] ?? self.old[id]).map { $0 > now } ?? false
    }

    /// There is one after all.
    mutating func remove(_ id: ID) {
        self.young[id] = nil
        self.old[id] = nil
    }
}
