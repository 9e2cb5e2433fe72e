// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ConnectorCore

@Suite("The back-off between attempts")
struct ReconnectBackoffTests {
    @Test("The ceiling doubles from 0.25 s to 30 s and stays there")
    func ceilings() {
        var backoff = ReconnectBackoff()
        var ceilings: [Duration] = []
        for _ in 0..<9 {
            ceilings.append(backoff.ceiling)
            _ = backoff.nextDelay(draw: 0.5)
        }
        #expect(ceilings == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30].map { .seconds($0) })
    }

    @Test("A draw is anything from nothing to the ceiling")
    func fullJitter() {
        var backoff = ReconnectBackoff()
        #expect(backoff.nextDelay(draw: 0) == .zero)
        #expect(backoff.nextDelay(draw: 0.5) == .milliseconds(250))
        #expect(backoff.nextDelay(draw: 1) == .seconds(1))
    }

    @Test("A year of failures neither overflows nor exceeds the limit")
    func manyFailures() {
        var backoff = ReconnectBackoff()
        for _ in 0..<1_000_000 { _ = backoff.nextDelay(draw: 1) }
        #expect(backoff.nextDelay(draw: 1) == .seconds(30))
    }

    @Test("What the edge asks for is waited first, and the draw comes on top")
    func retryAfter() {
        var backoff = ReconnectBackoff()
        #expect(backoff.nextDelay(atLeast: .seconds(7), draw: 0) == .seconds(7))
        #expect(backoff.nextDelay(atLeast: .seconds(7), draw: 1) == .seconds(8))
    }

    @Test("A wait that the edge asks for is no failure")
    func noFailure() {
        var backoff = ReconnectBackoff()
        for _ in 0..<10 { _ = backoff.nextDelay(atLeast: .seconds(3), draw: 1) }
        #expect(backoff.ceiling == .milliseconds(250))
    }

    @Test("A session that lived 60 s starts the back-off anew, a shorter one brings it down to 4 s")
    func health() {
        var backoff = ReconnectBackoff()
        for _ in 0..<9 { _ = backoff.nextDelay(draw: 0) }
        backoff.sessionEnded(afterLiving: .zero)
        #expect(backoff.ceiling == .seconds(30), "it never was active")
        backoff.sessionEnded(afterLiving: .milliseconds(1))
        #expect(backoff.ceiling == .seconds(4))
        backoff.sessionEnded(afterLiving: .seconds(59))
        #expect(backoff.ceiling == .seconds(4))
        backoff.sessionEnded(afterLiving: .seconds(60))
        #expect(backoff.ceiling == .milliseconds(250))
        backoff.sessionEnded(afterLiving: .seconds(1))
        #expect(backoff.ceiling == .milliseconds(250))
    }

    @Test("When the network is another one, earlier failures say nothing")
    func reset() {
        var backoff = ReconnectBackoff()
        for _ in 0..<9 { _ = backoff.nextDelay(draw: 0) }
        backoff.reset()
        #expect(backoff.ceiling == .milliseconds(250))
    }
}
