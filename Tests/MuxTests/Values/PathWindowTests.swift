// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Testing

@testable import Mux

@Suite("How far the credit of a session reaches without a queue on the path (B.15)")
struct PathWindowTests {
    /// A path with a bottleneck whose queue never overflows, and a sender that always has something to send.
    private struct Path {
        var finder = PathWindow()
        var window: Int
        /// Bytes a second through the bottleneck.
        var rate: Double
        /// Seconds for a byte there and back without a queue.
        var roundTrip = 0.05
        /// What others keep in the queue, in seconds.
        var foreign = 0.0
        /// What the sender's own transport lets into the path, in bytes.
        var transport = Double.infinity
        var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
        var received = 0.0

        /// What is on its way.
        private var flight: Double { min(Double(self.window), self.transport) }
        /// What a PING shows, in seconds.
        var measured: Double { max(self.roundTrip + self.foreign, self.flight / self.rate) }
        var throughput: Double { self.flight / self.measured }

        /// A second of bulk, with the PING at its end, and BLOCKED as often as the window held the sender up.
        mutating func second() {
            for _ in 0..<20 {
                self.received += self.throughput / 20
                self.now = self.now + .milliseconds(50)
                guard self.flight >= Double(self.window) else { continue }
                if !self.finder.isFound {
                    // What the session does before a window has been found.
                    self.window = min(2 * self.window, ConnectionReceiveWindow.maximum)
                } else if let window = self.finder.blocked(window: self.window, now: self.now) {
                    self.window = window
                } else {
                    // A PING goes out at once.
                    self.ping()
                }
            }
            self.ping()
        }

        mutating func ping() {
            let sample = TimeAmount.nanoseconds(Int64(self.measured * 1e9))
            let window = self.finder.measured(
                sample,
                received: UInt64(self.received),
                window: self.window,
                now: self.now
            )
            if let window { self.window = window }
        }

        mutating func idlePing() {
            _ = self.finder.measured(
                .nanoseconds(Int64((self.roundTrip + self.foreign) * 1e9)),
                received: UInt64(self.received),
                window: self.window,
                now: self.now
            )
            self.now = self.now + .seconds(1)
        }
    }

    private static func path(rate: Double, window: Int = 16 << 20) -> Path {
        var path = Path(window: window, rate: rate)
        path.idlePing()
        return path
    }

    @Test(
        "a standing queue is gone within five seconds, at no cost in throughput",
        arguments: [1_250_000, 12_500_000, 125_000_000] as [Double]
    )
    func cut(_ rate: Double) {
        var path = Self.path(rate: rate)
        path.transport = rate * 0.15
        #expect(path.measured > 0.13)
        for _ in 0..<5 { path.second() }
        let floor = Double(PathWindow.floor) / rate
        #expect(path.measured <= max(0.0625 + 0.001, floor + 0.001), "\(path.measured)")
        for _ in 0..<60 { path.second() }
        #expect(path.throughput >= 0.99 * rate)
        #expect(path.measured <= max(0.068, floor + 0.001), "\(path.measured)")
    }

    @Test("a path without a queue is left alone, whatever its rate")
    func noQueue() {
        var path = Self.path(rate: 125_000_000)
        path.transport = 5_000_000
        for _ in 0..<60 { path.second() }
        #expect(path.window == 16 << 20)
        #expect(!path.finder.isFound)
    }

    @Test("when the path becomes faster, the window follows")
    func faster() {
        var path = Self.path(rate: 1_250_000 * 4)
        for _ in 0..<10 { path.second() }
        #expect(path.finder.isFound)
        let before = path.window
        path.rate *= 8
        for _ in 0..<10 { path.second() }
        #expect(path.throughput >= 0.95 * path.rate, "\(path.throughput / path.rate)")
        #expect(path.window > 6 * before)
    }

    @Test("a queue that others keep is not paid for twice: the window comes back")
    func foreignQueue() {
        var path = Self.path(rate: 12_500_000)
        path.transport = 2_000_000
        path.second()
        path.foreign = 0.1
        for _ in 0..<6 { path.second() }
        #expect(!path.finder.isFound)
        #expect(path.throughput >= 0.9 * min(path.rate, path.transport / 0.15))
    }

    @Test("a path that has become longer keeps its throughput")
    func longer() {
        var path = Self.path(rate: 12_500_000)
        path.transport = 4_000_000
        for _ in 0..<10 { path.second() }
        path.roundTrip = 0.2
        for _ in 0..<40 { path.second() }
        #expect(path.throughput >= 0.9 * path.rate, "\(path.throughput / path.rate)")
    }

    @Test("one long round trip is chance")
    func chance() {
        var path = Self.path(rate: 12_500_000)
        path.transport = 600_000
        for _ in 0..<10 {
            path.second()
            path.foreign = 0.2
            path.second()
            path.foreign = 0
            path.second()
        }
        #expect(path.window == 16 << 20)
    }

    @Test("on a short path nothing is looked for")
    func short() {
        var path = Path(window: 16 << 20, rate: 1_000_000_000, roundTrip: 0.000_1)
        path.idlePing()
        for _ in 0..<20 { path.second() }
        #expect(!path.finder.isFound)
        #expect(path.window >= 16 << 20)
    }
}
