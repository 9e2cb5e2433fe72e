// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import Edge

@Suite("The life of an edge")
struct EdgeLifecycleTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private static let delay = TimeAmount.seconds(5)
    private static let grace = TimeAmount.seconds(30)

    private static func after(_ seconds: Int64) -> NIODeadline { Self.start + .seconds(seconds) }

    /// One that has heard the events that lead to a phase.
    private func lifecycle(_ events: [(EdgeLifecycle.Event, at: NIODeadline)]) -> EdgeLifecycle {
        var lifecycle = EdgeLifecycle(delay: Self.delay, grace: Self.grace)
        for (event, now) in events { _ = lifecycle.handle(event, now: now) }
        return lifecycle
    }

    /// The shortest way to each phase.
    private static let ways: [(name: String, events: [(EdgeLifecycle.Event, at: NIODeadline)])] = {
        let ready: [(EdgeLifecycle.Event, at: NIODeadline)] = [(.listening, at: start)]
        let leaving = ready + [(.signalled, at: start)]
        let lastRequests = leaving + [(.timePassed, at: after(5))]
        let lastWords = lastRequests + [(.visitorsGone, at: after(9))]
        let stopped = lastWords + [(.sessionsGone, at: after(9))]
        return [
            ("starting", []), ("ready", ready), ("leaving", leaving), ("last requests", lastRequests),
            ("last words", lastWords), ("stopped", stopped),
        ]
    }()

    private struct Outcome: Equatable {
        var phase: EdgeLifecycle.Phase
        var actions: [EdgeLifecycle.Action]
    }

    /// What changes anything; whatever is not here leaves the phase as it is and asks for nothing.
    private static func change(_ way: String, _ event: EdgeLifecycle.Event, _ now: NIODeadline) -> Outcome? {
        switch (way, event) {
        case ("starting", .listening): Outcome(phase: .ready, actions: [.becomeReady])
        case ("starting", .signalled): Outcome(phase: .stopped, actions: [.stop(isCutOff: false)])
        case ("ready", .signalled):
            Outcome(
                phase: .leaving(until: now + delay),
                actions: [
                    .becomeUnready, .keepAliveOff, .drainSessions(gracePeriod: .seconds(35), lingering: .seconds(5)),
                ]
            )
        case ("leaving", .timePassed) where now >= after(5):
            Outcome(phase: .lastRequests(until: after(35)), actions: [.closeListener, .closeIdleVisitors])
        case ("last requests", .timePassed) where now >= after(35):
            Outcome(phase: .stopped, actions: [.stop(isCutOff: true)])
        case ("last requests", .visitorsGone):
            Outcome(phase: .lastWords(until: now + .milliseconds(100)), actions: [.awaitSessions])
        case ("last words", .timePassed) where now >= after(9) + .milliseconds(100):
            Outcome(phase: .stopped, actions: [.stop(isCutOff: false)])
        case ("last words", .sessionsGone): Outcome(phase: .stopped, actions: [.stop(isCutOff: false)])
        default: nil
        }
    }

    @Test("Every event in every phase, before and after its time, does what the table says")
    func table() {
        for (name, events) in Self.ways {
            for event in EdgeLifecycle.Event.allCases {
                for now in [Self.after(0), Self.after(4), Self.after(5), Self.after(9), Self.after(34), Self.after(35)]
                {
                    var lifecycle = self.lifecycle(events)
                    let before = Outcome(phase: lifecycle.phase, actions: [])
                    let actions = lifecycle.handle(event, now: now)
                    let expected = Self.change(name, event, now) ?? before
                    #expect(Outcome(phase: lifecycle.phase, actions: actions) == expected, "\(name), \(event), \(now)")
                }
            }
        }
    }

    @Test("A deadline is named in each phase that time ends, and in no other")
    func deadlines() {
        let deadlines = Self.ways.map { self.lifecycle($0.events).deadline }
        #expect(
            deadlines == [nil, nil, Self.after(5), Self.after(35), Self.after(9) + .milliseconds(100), nil]
        )
    }

    @Test("Without a delay and a grace the edge is gone as soon as time is looked at")
    func atOnce() {
        var lifecycle = EdgeLifecycle(delay: .zero, grace: .zero)
        var actions = lifecycle.handle(.listening, now: Self.start)
        actions += lifecycle.handle(.signalled, now: Self.start)
        actions += lifecycle.handle(.timePassed, now: Self.start)
        actions += lifecycle.handle(.timePassed, now: Self.start)
        #expect(actions.last == .stop(isCutOff: true))
        #expect(lifecycle.phase == .stopped)
    }

    @Test("Whatever happens in whatever order, the edge stops once at most, and does nothing afterwards")
    func anyOrder() {
        let seed = UInt64.random(in: 0 ... .max)
        var generator = Generator(state: seed)
        for _ in 0..<2_000 {
            var lifecycle = EdgeLifecycle(delay: Self.delay, grace: Self.grace)
            var now = Self.start
            var actions: [EdgeLifecycle.Action] = []
            for _ in 0..<40 {
                now = now + .seconds(Int64.random(in: 0...8, using: &generator))
                let event = EdgeLifecycle.Event.allCases.randomElement(using: &generator) ?? .timePassed
                actions += lifecycle.handle(event, now: now)
            }
            let stops = actions.indices.filter { if case .stop = actions[$0] { true } else { false } }
            #expect(stops.count <= 1, "seed \(seed)")
            #expect(stops.first.map { $0 == actions.count - 1 } ?? true, "seed \(seed)")
            let isReady = actions.firstIndex(of: .becomeReady)
            let isUnready = actions.firstIndex(of: .becomeUnready)
            #expect(isUnready == nil || isReady.map { $0 < (isUnready ?? 0) } == true, "seed \(seed)")
        }
    }

    /// SplitMix64: the same numbers for the same seed.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            self.state &+= 0x9e37_79b9_7f4a_7c15
            var value = self.state
            value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
            value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
            return value ^ (value >> 31)
        }
    }
}
