// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// How many connections an edge that has more than others gives up, and how fast.
///
/// A value without sockets or clocks.
struct ConnectorBalance: Sendable {
    /// How far from the mean nothing is done, as a part of it: load balancers do not deal evenly either.
    private static let tolerance = 0.1
    /// What is moved in a second, as a part of the mean: nobody shall notice.
    private static let pace = 0.01
    /// A pause that is longer, of a process that was frozen, counts as this.
    private static let longestPause = TimeAmount.seconds(10)

    private var last: NIODeadline?
    /// What has been allowed and not been used, less than one connection of which stays.
    private var allowed = 0.0

    /// Makes a balance of which nothing is known.
    init() {}

    /// How many connections are to go elsewhere now.
    ///
    /// - Parameters:
    ///   - own: How many this edge has.
    ///   - others: How many each of the others has.
    mutating func excess(own: Int, others: [Int], now: NIODeadline) -> Int {
        let pause = self.last.map { min(now - $0, Self.longestPause) } ?? .zero
        self.last = now
        let mean = Double(others.reduce(own, +)) / Double(others.count + 1)
        let excess = Double(own) - mean
        guard excess >= max(2, mean * Self.tolerance) else {
            self.allowed = 0
            return 0
        }
        self.allowed += mean * Self.pace * Double(pause.nanoseconds) / 1e9
        let count = min(Int(self.allowed), Int(excess))
        self.allowed -= Double(count)
        return count
    }
}
