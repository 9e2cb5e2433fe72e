// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Connector

/// A source of "randomness" that always draws the same extreme.
private struct FixedGenerator: RandomNumberGenerator {
    var value: UInt64
    mutating func next() -> UInt64 { self.value }
}

@Suite("The back-off between attempts")
struct ReconnectBackoffTests {
    @Test("The ceiling doubles from 0.25 s to 30 s and stays there")
    func ceilings() {
        var backoff = ReconnectBackoff()
        var generator = SystemRandomNumberGenerator()
        var ceilings: [Duration] = []
        for _ in 0..<9 {
            ceilings.append(backoff.ceiling)
            _ = backoff.nextDelay(using: &generator)
        }
        #expect(ceilings == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30].map { .seconds($0) })
    }

    @Test("A draw is anything from nothing to the ceiling")
    func fullJitter() {
        var low = FixedGenerator(value: 0)
        var high = FixedGenerator(value: .max)
        var backoff = ReconnectBackoff()
        #expect(backoff.nextDelay(using: &low) == .zero)
        #expect(backoff.nextDelay(using: &high) > .milliseconds(499))
        #expect(backoff.nextDelay(using: &high) <= .seconds(1))
    }

    @Test("Years of failure neither overflow nor exceed the limit")
    func manyFailures() {
        var backoff = ReconnectBackoff()
        var high = FixedGenerator(value: .max)
        for _ in 0..<100_000 { #expect(backoff.nextDelay(using: &high) <= .seconds(30)) }
    }

    @Test("What the edge asks for is waited first, and the draw comes on top")
    func retryAfter() {
        var backoff = ReconnectBackoff()
        var low = FixedGenerator(value: 0)
        var high = FixedGenerator(value: .max)
        #expect(backoff.nextDelay(atLeast: .seconds(7), using: &low) == .seconds(7))
        #expect(backoff.nextDelay(atLeast: .seconds(7), using: &high) > .seconds(7))
    }

    @Test("Only a session that lived 60 s starts the back-off anew")
    func health() {
        var backoff = ReconnectBackoff()
        var low = FixedGenerator(value: 0)
        for _ in 0..<5 { _ = backoff.nextDelay(using: &low) }
        backoff.sessionEnded(afterLiving: .seconds(59))
        #expect(backoff.ceiling == .seconds(8))
        backoff.sessionEnded(afterLiving: .seconds(60))
        #expect(backoff.ceiling == .milliseconds(250))
    }
}
