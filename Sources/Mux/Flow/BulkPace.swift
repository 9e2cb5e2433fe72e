// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Whether so much passes that fewer and larger steps make it cheaper: from 2 Gbit/s on, and no more below half of that.
struct BulkPace {
    private(set) var isFast = false
    private let sample: UInt64
    private let fastTime: TimeAmount
    private var since: NIODeadline?
    private var before: UInt64 = 0

    /// - Parameters:
    ///   - sample: How much passes before the pace is judged, in bytes.
    ///   - fastTime: In which time a sample passes where it is fast; it is fast no more after twice as long.
    ///   - since: When the first sample begins; by itself with what passes first.
    init(sample: UInt64, within fastTime: TimeAmount, since: NIODeadline? = nil) {
        self.sample = sample
        self.fastTime = fastTime
        self.since = since
    }

    /// - Parameters:
    ///   - total: How much has passed in all, in bytes.
    ///   - now: The time.
    mutating func reached(_ total: UInt64, now: NIODeadline) {
        let elapsed = now - (self.since ?? now)
        if self.isFast, elapsed > self.fastTime * 2 {
            self.isFast = false
        } else if total - self.before >= self.sample {
            self.isFast = elapsed <= (self.isFast ? self.fastTime * 2 : self.fastTime)
        } else {
            self.since = self.since ?? now
            return
        }
        self.since = now
        self.before = total
    }
}
