// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Finds the window that one stream needs: one and a half to three times what is on its way (docs/protocol.md §B.7.4).
struct WindowTuner {
    /// The window that the stream is to have, in bytes.
    private(set) var window: Int
    private var epochStart: NIODeadline
    private var epochConsumed: UInt64 = 0
    private var lastGrowth: NIODeadline?
    private var idleEpochs = 0
    private var pace: BulkPace
    /// Whether so much is consumed that fewer and larger grants make it cheaper.
    var isFast: Bool { self.pace.isFast }

    /// No window is made smaller than this by tuning, in bytes.
    static let floor = 262_144
    /// No window of a fast stream is made smaller than this by tuning, in bytes: half of it is granted at once, and the other
    /// half is on its way meanwhile.
    static let fastFloor = 524_288
    /// So much is consumed before the rate is judged, in bytes.
    static let sample: UInt64 = 4 << 20
    /// No window is made larger than this, in bytes.
    static let ceiling = 16 << 20

    init(window: Int, now: NIODeadline) {
        self.window = window
        self.epochStart = now
        self.pace = BulkPace(sample: Self.sample, within: .milliseconds(16), since: now)
    }

    /// How many times larger the window should be, if it should.
    ///
    /// - Parameters:
    ///   - consumed: How many bytes of the stream have been consumed in all.
    ///   - roundTrip: The least round-trip time of late, if known.
    mutating func consumed(_ consumed: UInt64, roundTrip: TimeAmount?, now: NIODeadline) -> Int? {
        self.pace.reached(consumed, now: now)
        guard let roundTrip, roundTrip.nanoseconds > 0 else { return nil }
        let elapsed = now - self.epochStart
        guard elapsed >= roundTrip else { return nil }
        let need =
            Double(consumed - self.epochConsumed) * Double(roundTrip.nanoseconds) / Double(elapsed.nanoseconds)
        self.epochStart = now
        self.epochConsumed = consumed
        let floor = self.isFast ? Self.fastFloor : Self.floor
        if need < Double(self.window / 8) {
            self.idleEpochs += 1
            if self.idleEpochs >= 8, self.window > floor {
                // Takes effect by granting later: credit is never taken back.
                self.window = max(self.window / 2, floor)
                self.idleEpochs = 0
            }
        } else {
            self.idleEpochs = 0
        }
        return need >= 0.66 * Double(self.window) || (self.isFast && self.window < floor) ? 2 : nil
    }

    /// How many times larger the window should be when the sender is held up and the consumer is not what holds it.
    var blockedFactor: Int { self.window < 4 << 20 ? 4 : 2 }

    /// Makes the window larger, at most once a round trip; returns by how many bytes.
    ///
    /// - Parameters:
    ///   - factor: How many times larger.
    ///   - limit: The most that the budget allows, in bytes.
    mutating func grow(by factor: Int, limit: Int, roundTrip: TimeAmount?, now: NIODeadline) -> Int {
        guard let roundTrip else { return 0 }
        if let lastGrowth, now - lastGrowth < roundTrip { return 0 }
        let target = min(factor * self.window, Self.ceiling, limit)
        guard target > self.window else { return 0 }
        let growth = target - self.window
        self.window = target
        self.lastGrowth = now
        return growth
    }
}
