// SPDX-License-Identifier: Apache-2.0

/// How often one connection of a bundle may be dialled, whatever the reason: a failure, a drain, a changed network.
///
/// A few attempts may follow each other at once, as when an edge hands its connectors over to the next one. After them
/// attempts keep a distance, so that no edge and no network makes a connector dial without end.
struct DialPace: Sendable {
    /// Attempts that may follow each other at once.
    static let burst = 5
    /// The time in which one more is allowed.
    static let interval = Duration.seconds(2)

    /// When the burst is whole again.
    private var fullAt: ContinuousClock.Instant?

    /// Counts an attempt.
    ///
    /// - Returns: How long to wait before it.
    mutating func next(now: ContinuousClock.Instant) -> Duration {
        let full = max(self.fullAt ?? now, now) + Self.interval
        self.fullAt = full
        return max(.zero, full - now - Self.interval * Self.burst)
    }
}
