// SPDX-License-Identifier: Apache-2.0

/// Spreads connectors that arrive all at once, as they do after a restart of the edge or of what is in front of it.
///
/// A few are let in at once, so that a small edge has its connectors back immediately. The rest are told when to come:
/// so many a second, each second of the near future filled in turn. When even these are full, every second takes more,
/// so that any crowd is back within the ``horizon`` and some seconds.
package struct ConnectPacing: Sendable {
    /// What to do with a connector.
    package enum Decision: Equatable, Sendable {
        case admit
        /// It is expected after so many seconds, and within the second that follows.
        case comeBack(afterSeconds: Int)
    }

    /// The furthest that a connector is put off, in seconds.
    static let horizon = 20
    /// Connectors come a little early or late: so much of each second is given away beforehand.
    private static let promised = 0.8

    private let perSecond: Double
    private let burst: Double
    private var tokens: Double
    private var updatedAt: Double
    /// How many are expected in each second from ``firstSecond`` on.
    private var expected = [Int](repeating: 0, count: ConnectPacing.horizon + 2)
    private var firstSecond: Int

    /// Makes the pacing of an edge that nobody has connected to.
    ///
    /// - Parameters:
    ///   - perSecond: How many are let in a second while there is a crowd.
    ///   - now: The time in seconds of a clock that does not go back.
    init(perSecond: Int, now: Double) {
        self.perSecond = Double(max(1, perSecond))
        self.burst = max(1, self.perSecond * 2 / 3)
        self.tokens = self.burst
        self.updatedAt = now
        self.firstSecond = Int(now)
    }

    /// A connector wants to be let in.
    mutating func arrive(now: Double) -> Decision {
        self.advance(to: max(now, self.updatedAt))
        if self.tokens >= 1 {
            self.tokens -= 1
            return .admit
        }
        let room = Int((self.perSecond * Self.promised).rounded(.up))
        var best = 1
        for offset in 1...Self.horizon {
            if self.expected[offset] < self.expected[best] { best = offset }
            if self.expected[offset] < room {
                best = offset
                break
            }
        }
        self.expected[best] += 1
        return .comeBack(afterSeconds: best)
    }

    private mutating func advance(to now: Double) {
        if now - self.updatedAt > Double(Self.horizon) {
            // Longer ago than anybody was expected.
            for index in self.expected.indices { self.expected[index] = 0 }
            self.tokens = self.burst
            self.firstSecond = Int(now)
            self.updatedAt = now
            return
        }
        while self.updatedAt < now {
            let end = min(now, Double(self.firstSecond + 1))
            let rate = max(self.perSecond, Double(self.expected[0]) / Self.promised)
            self.tokens = min(max(self.burst, rate), self.tokens + (end - self.updatedAt) * rate)
            self.updatedAt = end
            guard end >= Double(self.firstSecond + 1) else { return }
            self.firstSecond += 1
            self.expected.removeFirst()
            self.expected.append(0)
        }
    }
}
