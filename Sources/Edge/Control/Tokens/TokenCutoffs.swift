// SPDX-License-Identifier: Apache-2.0
import ControlAPI
import EdgeTunnels

/// Which tokens ended before their time: those of a tunnel that were issued up to some moment.
///
/// One entry a tunnel covers every token that it ever had, also those that this edge has not seen. Times are seconds
/// since 1970.
struct TokenCutoffs: Sendable {
    private struct Cutoff {
        var issuedUntil: Double
        var endAt: Double
    }

    private let capacity: Int
    private var cutoffs: [TunnelID: [Cutoff]] = [:]
    private var order: [TunnelID] = []

    /// Makes an empty table.
    ///
    /// - Parameter capacity: The most tunnels that are remembered; the one that was added first is forgotten first.
    init(capacity: Int = 100_000) {
        self.capacity = capacity
    }

    /// The tunnels that are remembered.
    var count: Int { self.cutoffs.count }

    /// Ends the tokens of a tunnel that were issued up to a moment.
    ///
    /// - Parameters:
    ///   - issuedUntil: The last issue time that is affected.
    ///   - endAt: When the tokens end.
    ///   - tunnelID: The tunnel.
    ///   - now: The time.
    mutating func add(issuedUntil: Double, endAt: Double, for tunnelID: TunnelID, now: Double) {
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

    private mutating func forgetOldest() {
        let dropped = max(1, self.capacity / 8)
        for old in self.order.prefix(dropped) { self.cutoffs[old] = nil }
        self.order.removeFirst(min(dropped, self.order.count))
    }

    /// When a token ends, or ended, before its time; `nil` if it does not.
    func end(issuedAt: Double, of tunnelID: TunnelID) -> Double? {
        guard let cutoffs = self.cutoffs[tunnelID] else { return nil }
        return cutoffs.lazy.filter { issuedAt <= $0.issuedUntil }.map(\.endAt).min()
    }

    /// Whether a token has been ended.
    func isEnded(issuedAt: Double, of tunnelID: TunnelID, now: Double) -> Bool {
        self.end(issuedAt: issuedAt, of: tunnelID).map { $0 <= now } ?? false
    }
}
