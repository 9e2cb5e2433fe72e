// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Round-trip time from PING and PONG: smoothed, and the least of the last half minute (docs/protocol.md §B.9.3).
struct RoundTripTime: Hashable {
    /// Smoothed with α = 1/8.
    private(set) var smoothed: TimeAmount?
    private var current: TimeAmount?
    private var previous: TimeAmount?
    private var windowStart: NIODeadline

    private static let halfWindow = TimeAmount.seconds(15)

    init(now: NIODeadline) {
        self.windowStart = now
    }

    /// The least of late: queueing must not make it larger.
    var minimum: TimeAmount? {
        switch (self.current, self.previous) {
        case (let current?, let previous?): min(current, previous)
        case (let current, let previous): current ?? previous
        }
    }

    /// Another path: what the earlier one had as its least says nothing of it.
    mutating func pathChanged(now: NIODeadline) {
        self.current = nil
        self.previous = nil
        self.windowStart = now
    }

    mutating func add(_ sample: TimeAmount, now: NIODeadline) {
        if let smoothed {
            self.smoothed = .nanoseconds(smoothed.nanoseconds + (sample.nanoseconds - smoothed.nanoseconds) / 8)
        } else {
            self.smoothed = sample
        }
        if now - self.windowStart >= Self.halfWindow {
            self.previous = self.current
            self.current = nil
            self.windowStart = now
        }
        self.current = min(self.current ?? sample, sample)
    }
}
