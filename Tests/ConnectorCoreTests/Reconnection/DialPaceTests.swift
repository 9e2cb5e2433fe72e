// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ConnectorCore

@Suite("How often a connection is dialled")
struct DialPaceTests {
    @Test("After a burst attempts keep their distance, whatever the reason, and a quiet while gives the burst back")
    func pace() {
        var pace = DialPace()
        var now = ContinuousClock.now
        for _ in 0..<DialPace.burst { #expect(pace.next(now: now) == .zero) }
        for _ in 0..<1_000 {
            let wait = pace.next(now: now)
            #expect(wait == DialPace.interval)
            now += wait
        }
        now += DialPace.interval * DialPace.burst
        for _ in 0..<DialPace.burst { #expect(pace.next(now: now) == .zero) }
        #expect(pace.next(now: now) > .zero)
    }

    @Test("Of the sessions that an edge drains and does not end, the oldest ends for the newest")
    func leaving() {
        var sessions = LeavingSessions<Int>()
        for number in 0..<100 {
            let ended = sessions.add(number)
            #expect(ended == (number < 8 ? nil : number - 8))
        }
    }

    @Test("The wait that a draining edge asks for has a bound, and a random part")
    func drain() {
        let wait = { (asked: Duration, draw: Double) in ReconnectPolicy.drainWait(asked: asked, draw: draw) }
        #expect(wait(.milliseconds(100), 0) == .milliseconds(100))
        #expect(wait(.milliseconds(100), 1) == .milliseconds(200))
        #expect(wait(.zero, 1) == .zero)
        #expect(wait(.milliseconds(Int64(UInt32.max)), 0) == .seconds(5))
        #expect(wait(.milliseconds(Int64(UInt32.max)), 1) == .seconds(10))
    }
}
