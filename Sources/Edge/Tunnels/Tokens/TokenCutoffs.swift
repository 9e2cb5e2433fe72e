// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// Which tokens ended before their time: those of a tunnel that were issued up to some moment.
///
/// One entry a tunnel covers every token that it ever had, also those that this edge has not seen. Times are seconds
/// since 1970.
package struct TokenCutoffs: Sendable {
    /// The end of all tokens of a tunnel that were issued up to some moment.
    package struct Cutoff: Hashable, Sendable {
        /// The last issue time that is affected.
        package var issuedUntil: Double
        /// When the tokens end.
        package var endAt: Double

        /// Ends tokens.
        package init(issuedUntil: Double, endAt: Double) {
            self.issuedUntil = issuedUntil
            self.endAt = endAt
        }

        /// Ends tokens at once at every edge, however far its clock is behind.
        package init(issuedUntil: Double) {
            self.init(issuedUntil: issuedUntil, endAt: 0)
        }
    }

    private let capacity: Int
    private var cutoffs: [TunnelID: [Cutoff]] = [:]
    private var order: [TunnelID] = []

    /// Makes an empty table.
    ///
    /// - Parameter capacity: The most tunnels that are remembered; the one that was added first is forgotten first.
    package init(capacity: Int = 100_000) {
        self.capacity = capacity
    }

    /// The tunnels that are remembered.
    package var count: Int { self.cutoffs.count }

    /// The tunnels that something is remembered of.
    package var tunnels: [TunnelID] { self.order }

    /// What is remembered of a tunnel.
    package subscript(tunnelID: TunnelID) -> [Cutoff] { self.cutoffs[tunnelID] ?? [] }

    /// Ends the tokens of a tunnel that were issued up to a moment.
    ///
    /// - Parameters:
    ///   - issuedUntil: The last issue time that is affected.
    ///   - endAt: When the tokens end.
    ///   - tunnelID: The tunnel.
    ///   - now: The time.
    package mutating func add(issuedUntil: Double, endAt: Double, for tunnelID: TunnelID, now: Double) {
        if self.cutoffs[tunnelID] == nil {
            if self.order.count >= self.capacity { self.forgetOldest() }
            self.order.append(tunnelID)
        }
        // A new cut-off reaches furthest, so those that end later than it say nothing more; and of those that have
        // already ended only the furthest one says anything.
        var kept = (self.cutoffs[tunnelID] ?? []).filter { $0.endAt < endAt }
        let ended = kept.filter { $0.endAt <= now }.max { $0.issuedUntil < $1.issuedUntil }
        kept.removeAll { $0.endAt <= now }
        // Somebody who asks for new tokens over and over shortens the overlap of the older ones.
        if kept.count > 7 { kept.removeFirst(kept.count - 7) }
        self.cutoffs[tunnelID] = (ended.map { [$0] } ?? []) + kept + [Cutoff(issuedUntil: issuedUntil, endAt: endAt)]
    }

    /// Takes up cut-offs that others know of, in whatever order they were made.
    package mutating func merge(_ others: [Cutoff], for tunnelID: TunnelID, now: Double) {
        let known = Set(self[tunnelID])
        guard !known.isSuperset(of: others) else { return }
        if self.cutoffs[tunnelID] != nil { self.cutoffs[tunnelID] = [] }
        for cutoff in known.union(others).sorted(by: { $0.issuedUntil < $1.issuedUntil }) {
            self.add(issuedUntil: cutoff.issuedUntil, endAt: cutoff.endAt, for: tunnelID, now: now)
        }
    }

    private mutating func forgetOldest() {
        let dropped = max(1, self.capacity / 8)
        for old in self.order.prefix(dropped) { self.cutoffs[old] = nil }
        self.order.removeFirst(min(dropped, self.order.count))
    }

    /// When a token ends, or ended, before its time; `nil` if it does not.
    package func end(issuedAt: Double, of tunnelID: TunnelID) -> Double? {
        guard let cutoffs = self.cutoffs[tunnelID] else { return nil }
        return cutoffs.lazy.filter { issuedAt <= $0.issuedUntil }.map(\.endAt).min()
    }

    /// Whether a token has been ended.
    package func isEnded(issuedAt: Double, of tunnelID: TunnelID, now: Double) -> Bool {
        self.end(issuedAt: issuedAt, of: tunnelID).map { $0 <= now } ?? false
    }
}
