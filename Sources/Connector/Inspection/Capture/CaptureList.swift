// SPDX-License-Identifier: Apache-2.0

import DequeModule

/// The exchanges of a ring by age, which is the order of their ids: found by halving, with no hash of an id.
struct CaptureList {
    private struct Slot {
        var id: CaptureID
        /// `nil` if it has left.
        var exchange: ExchangeCapture?
    }

    private var slots: Deque<Slot> = []
    private var lastID: UInt64 = 0
    /// How many exchanges there are.
    private(set) var count = 0

    /// The oldest.
    var oldest: CaptureID? { self.slots.first?.id }

    /// All of them, oldest first.
    var exchanges: [ExchangeCapture] { self.slots.compactMap(\.exchange) }

    /// How many there are of each tunnel.
    ///
    /// Pages ask each second: neighbours have the same tunnel mostly, whose name is hashed once for all of them.
    var countsByTunnel: [String: Int] {
        var counts: [String: Int] = [:]
        var (tunnel, count) = ("", 0)
        for index in self.slots.indices {
            guard let exchange = self.slots[index].exchange else { continue }
            if exchange.tunnel != tunnel {
                if count > 0 { counts[tunnel, default: 0] += count }
                (tunnel, count) = (exchange.tunnel, 0)
            }
            count += 1
        }
        if count > 0 { counts[tunnel, default: 0] += count }
        return counts
    }

    /// The id of the next exchange, which is younger than all before.
    mutating func nextID(from least: UInt64) -> CaptureID {
        self.lastID = max(self.lastID + 1, least)
        return CaptureID(self.lastID)
    }

    /// Adds the youngest.
    mutating func append(_ exchange: ExchangeCapture) {
        self.slots.append(Slot(id: exchange.id, exchange: exchange))
        self.count += 1
    }

    /// The exchange with an id.
    func exchange(_ id: CaptureID) -> ExchangeCapture? {
        self.index(of: id).flatMap { self.slots[$0].exchange }
    }

    /// Removes the exchange with an id.
    ///
    /// - Returns: Whether it was there.
    mutating func remove(_ id: CaptureID) -> Bool {
        guard let index = self.index(of: id), self.slots[index].exchange != nil else { return false }
        self.slots[index].exchange = nil
        self.count -= 1
        while !self.slots.isEmpty, self.slots[0].exchange == nil { self.slots.removeFirst() }
        // Holes stay behind an open exchange that is older: they are dropped when they are more than half.
        if self.slots.count > 2 * self.count + 64 { self.slots.removeAll { $0.exchange == nil } }
        return true
    }

    /// Removes all of them; ids go on rising.
    mutating func removeAll() {
        self.slots = []
        self.count = 0
    }

    /// How many slots at either end are looked at first.
    private static let nearby = 64

    private func index(of id: CaptureID) -> Int? {
        // Who makes room is the oldest mostly.
        if !self.slots.isEmpty, self.slots[0].id == id { return 0 }
        var (low, high) = (0, self.slots.count)
        // What is asked for is almost always among the youngest, which end, or among the oldest, which make room.
        if high > 2 * Self.nearby {
            if self.slots[high - Self.nearby].id <= id {
                low = high - Self.nearby
            } else if self.slots[Self.nearby].id > id {
                high = Self.nearby
            }
        }
        while low < high {
            let middle = (low + high) / 2
            if self.slots[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low < self.slots.count && self.slots[low].id == id ? low : nil
    }
}
