// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import Testing

@testable import Mux

/// Two cores over a path whose rate and round trip are given, on a clock of its own (docs/protocol.md §C.2, P4, P5).
@Suite("Two sessions over a simulated path")
struct SimulatedPathTests {
    /// Rates and round trips that one window of 16 MiB can fill.
    static let paths: [(rate: Double, milliseconds: Int64)] = {
        var paths: [(rate: Double, milliseconds: Int64)] = []
        for rate: Double in [1, 10, 100, 1_000] {
            for milliseconds: Int64 in [1, 10, 50, 200] where rate * Double(milliseconds) < 128_000 {
                paths.append((rate, milliseconds))
            }
        }
        return paths
    }()

    @Test(
        "one stream's window grows until the path is full, within eight round trips, and no further (P4)",
        arguments: Self.paths
    )
    func autoTuning(_ rate: Double, _ milliseconds: Int64) throws {
        let roundTrip = TimeAmount.milliseconds(milliseconds)
        var path = SimulatedPath(megabitsPerSecond: rate, roundTrip: roundTrip)
        let key = try path.open(to: "bulk")
        // A message lasts 131 ms at 1 Mbit/s: on slow paths a round trip is no time to measure in.
        let unit = max(roundTrip, .nanoseconds(Int64(40_000 * 8_000 / rate)))
        path.run(for: unit * 10)
        let (before, begun) = (path.taken[key] ?? 0, path.seconds)
        path.run(for: unit * 10)
        let reached = Double((path.taken[key] ?? 0) - before) / (path.seconds - begun) / 125_000
        #expect(reached >= 0.9 * rate, "\(reached) of \(rate) Mbit/s")
        let product = rate * 125 * Double(milliseconds)
        #expect(Double(path.window(of: key)) <= 4 * max(product, 65_536), "the product is \(product)")
        #expect(path.end == nil)
    }

    @Test("1 024 streams that would all take more stay within the budget (P4)")
    func greedyStreams() throws {
        var path = SimulatedPath(megabitsPerSecond: 1_000, roundTrip: .milliseconds(10))
        let keys = try (0..<1_024).map { _ in try path.open(to: "bulk") }
        path.run(for: .milliseconds(400))
        #expect(path.mostCommitted <= path.edge.configuration.budget)
        #expect(path.mostCommitted > path.edge.configuration.budget / 2)
        let shares = keys.map { Double(path.taken[$0] ?? 0) }
        #expect(shares.allSatisfy { $0 > 0 })
        #expect(path.end == nil)
    }

    @Test(
        "beside streams that nobody reads an echo takes no longer than alone (P5)",
        arguments: [1, 10, 100, 1_000, 1_023]
    )
    func isolation(_ count: Int) throws {
        var path = SimulatedPath(megabitsPerSecond: 100, roundTrip: .milliseconds(20))
        let echo = try path.open(to: "echo")
        let alone = (0..<5).compactMap { _ in path.echoTime(echo, bytes: 200) }
        let stalled = try (0..<count).map { _ in try path.open(to: "bulk", isRead: false) }
        // Until their windows are full: what they may pin at most, at the path's rate.
        path.run(for: .seconds(6))
        #expect(path.edge.bufferedByteCount >= stalled.count * 16_384)
        #expect(path.edge.bufferedByteCount <= path.edge.configuration.budget)
        let beside = (0..<5).compactMap { _ in path.echoTime(echo, bytes: 200) }
        #expect(alone.count == 5 && beside.count == 5)
        let (slowest, usual) = (beside.max() ?? .zero, alone.max() ?? .zero)
        #expect(slowest.nanoseconds * 10 <= usual.nanoseconds * 12, "\(slowest) beside, \(usual) alone")
        #expect(path.end == nil)
    }
}
