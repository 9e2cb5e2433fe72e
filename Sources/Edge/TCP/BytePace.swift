// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Says when more bytes may be read, so that so many pass in a second.
///
/// It never refuses what was read already: who reads more than there is room for waits the longer. A tenth of a second's
/// bytes may come at once.
struct BytePace: Sendable {
    private let nanosecondsPerByte: Double
    private let burst: Double
    /// The time at which everything that was read would have come at the pace, in nanoseconds.
    private var paidUntil: Double

    /// Makes a pace.
    ///
    /// - Parameters:
    ///   - bytesPerSecond: How many bytes may pass in a second, at least 1.
    ///   - now: The time.
    init(bytesPerSecond: Int, now: NIODeadline) {
        self.nanosecondsPerByte = 1e9 / Double(max(1, bytesPerSecond))
        self.burst = 1e8
        self.paidUntil = Double(now.uptimeNanoseconds) - self.burst
    }

    /// Counts bytes that were read.
    ///
    /// - Returns: How long nothing more may be read.
    mutating func read(_ bytes: Int, now: NIODeadline) -> TimeAmount {
        let now = Double(now.uptimeNanoseconds)
        self.paidUntil = max(self.paidUntil, now - self.burst) + Double(bytes) * self.nanosecondsPerByte
        return .nanoseconds(Int64(max(0, self.paidUntil - now)))
    }
}
