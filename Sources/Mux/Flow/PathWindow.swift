// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Finds how far the session's credit may reach without keeping a queue standing on the path.
///
/// A connection that is always busy fills the buffers of the path: each byte then waits behind them, also the few bytes
/// of a small answer. The receiver sees it, since its PINGs take longer than they once did, and grants only what the
/// path holds without a queue. Less throughput for the same round trip shows that the queue was not the session's own;
/// then it lets go (docs/protocol.md §B.15).
struct PathWindow {
    /// The least round trip since the path was last taken for another.
    private var base: TimeAmount?
    private var latest: (roundTrip: TimeAmount, at: NIODeadline)?
    private var interval: (received: UInt64, start: NIODeadline)?
    private var wasQueued = false
    /// The last cut, until it is known whether it was right.
    private var pending: (rate: Double, window: Int)?
    private var restUntil: NIODeadline?
    private var lastGrowth: NIODeadline?
    /// Whether the window is what the path holds, rather than what it was at the start.
    private(set) var isFound = false

    /// No window is cut below this, in bytes.
    static let floor = 262_144
    /// Shorter paths hold so little that it is not worth a look.
    private static let shortest = TimeAmount.milliseconds(5)
    private static let restAfterMistake = TimeAmount.seconds(30)

    /// The round trip at which the queue of a path is worth a cut, one at which it is as it should be, and one at which
    /// there is none.
    private static func limits(_ base: TimeAmount) -> (standing: TimeAmount, wanted: TimeAmount, free: TimeAmount) {
        let base = base.nanoseconds
        return (
            .nanoseconds(base + base / 8) + .milliseconds(10),
            .nanoseconds(base + base / 8) + .milliseconds(5),
            .nanoseconds(base + base / 16) + .milliseconds(3)
        )
    }

    /// Takes a round trip into account.
    ///
    /// - Parameters:
    ///   - roundTrip: What a PING showed.
    ///   - received: How many DATA bytes came in all.
    ///   - window: The session's window, in bytes.
    /// - Returns: What the window should be, in bytes, if it should be another.
    mutating func measured(_ roundTrip: TimeAmount, received: UInt64, window: Int, now: NIODeadline) -> Int? {
        let base = min(self.base ?? roundTrip, roundTrip)
        self.base = base
        self.latest = (roundTrip, now)
        guard let interval else {
            self.interval = (received, now)
            return nil
        }
        let elapsed = now - interval.start
        guard elapsed >= .milliseconds(500) else { return nil }
        self.interval = (received, now)
        let rate = Double(received - interval.received) / (Double(elapsed.nanoseconds) / 1e9)
        let limits = Self.limits(base)
        let isQueued = roundTrip > limits.standing
        defer { self.wasQueued = isQueued }

        if let pending {
            self.pending = nil
            if rate < 0.85 * pending.rate, isQueued {
                // Fewer bytes, and they wait as long: the path is another, or the queue somebody else's.
                self.base = roundTrip
                self.restUntil = now + Self.restAfterMistake
                self.isFound = false
                return pending.window
            }
        }
        // One long round trip may be chance, and the first interval of a busy time is only partly busy.
        guard isQueued, self.wasQueued, base >= Self.shortest, self.restUntil.map({ now >= $0 }) ?? true else {
            return nil
        }
        let holds = max(Self.floor, Int(rate * Double(limits.wanted.nanoseconds) / 1e9))
        guard holds < window / 10 * 9 else { return nil }
        self.pending = (rate, window)
        self.isFound = true
        return holds
    }

    /// Takes into account that the peer would send more, had it more credit.
    ///
    /// - Parameter window: The session's window, in bytes.
    /// - Returns: What the window should be, in bytes, or nil until another round trip has been measured.
    mutating func blocked(window: Int, now: NIODeadline) -> Int? {
        guard let base, let latest else { return nil }
        if let lastGrowth, latest.at <= lastGrowth { return nil }
        guard latest.roundTrip <= Self.limits(base).free else { return nil }
        self.lastGrowth = now
        return window + window / 8
    }
}
