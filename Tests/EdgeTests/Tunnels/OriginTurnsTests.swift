// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import EdgeTunnels

@Suite("Origins that serve one connection at a time")
struct OriginTurnsTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    private func time(_ milliseconds: Int64) -> NIODeadline { self.start + .milliseconds(milliseconds) }

    @Test("A new connection has its way once, when it has waited for long enough")
    func due() {
        var turns = OriginTurns()
        #expect(!turns.isDue(since: self.start, now: self.time(199)))
        #expect(turns.isDue(since: self.start, now: self.time(200)))
        turns.gaveUp(now: self.time(200))
        #expect(!turns.isDue(since: self.start, now: self.time(5_000)))
        #expect(turns.isDue(since: self.time(201), now: self.time(401)))
    }

    @Test("Two answers in a row that had waited for the idle connections to go, and no fewer, tell the kind")
    func learned() {
        for delays in [[100, 50], [100], [100, 101], [101, 100, 30], [100, 101, 0], [100, 101, 100, 0]] as [[Int64]] {
            var turns = OriginTurns()
            for (index, delay) in delays.enumerated() {
                let since = Int64(index) * 10_000
                turns.gaveUp(now: self.time(since + 200))
                turns.answered(since: self.time(since), now: self.time(since + 200 + delay))
            }
            let isLearned = delays.count >= 2 && delays.suffix(2).allSatisfy { $0 <= 100 }
            let end = self.time(Int64(delays.count - 1) * 10_000 + 200 + (delays.last ?? 0)) + OriginTurns.memory
            #expect(turns.keepsNoneUntil == (isLearned ? end : nil), "\(delays)")
        }
    }

    @Test("An answer that nothing was given up for says nothing")
    func unrelated() {
        var turns = OriginTurns()
        turns.gaveUp(now: self.start)
        for since in 1...5 as ClosedRange<Int64> {
            turns.answered(since: self.time(since), now: self.time(since + 5))
        }
        #expect(turns.keepsNoneUntil == nil)
    }
}
