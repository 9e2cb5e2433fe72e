// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// The tunnels that are here because visitors came for them, and a lookup found them: no connector has to be here.
///
/// A value without clocks. It has a bound; the longest unused go first, many at a time so that few come for free.
struct Guests: Sendable {
    /// One that was not used for so long goes, in seconds.
    static let patience = 600.0

    private var since: [TunnelID: Double] = [:]
    private let limit: Int

    /// - Parameter limit: The most of them.
    init(limit: Int) {
        self.limit = max(1, limit)
    }

    /// How many there are.
    var count: Int { self.since.count }

    /// Whether a tunnel is one of them.
    func contains(_ id: TunnelID) -> Bool { self.since[id] != nil }

    /// One was found.
    mutating func insert(_ id: TunnelID, now: Double) {
        self.since[id] = now
    }

    /// One is here for another reason, or no more.
    mutating func remove(_ id: TunnelID) {
        self.since[id] = nil
    }

    /// Takes those that have to go: who was not used for long, and the longest unused sixteenth if there are too many.
    ///
    /// - Parameter lastUse: When a tunnel was last used, in seconds on the same clock, if it was.
    mutating func takeLeaving(now: Double, lastUse: (TunnelID) -> Double?) -> [TunnelID] {
        let used = self.since.map { id, since in (id, max(since, lastUse(id) ?? since)) }
        var leaving = used.filter { now - $0.1 >= Self.patience }.map(\.0)
        if self.since.count - leaving.count > self.limit {
            let excess = self.since.count - leaving.count - self.limit + self.limit / 16
            let staying = used.filter { now - $0.1 < Self.patience }.sorted { $0.1 < $1.1 }
            leaving += staying.prefix(excess).map(\.0)
        }
        for id in leaving { self.since[id] = nil }
        return leaving
    }

    /// Whether there are more than there may be.
    var isOverfull: Bool { self.since.count > self.limit }
}
