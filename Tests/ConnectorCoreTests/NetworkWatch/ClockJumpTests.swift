// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ConnectorCore

@Suite("Waking up, and events in bursts")
struct ClockJumpTests {
    private func jumps(_ steps: [(awake: Double, elapsed: Double, wall: Double)]) -> [Bool] {
        var jump = ClockJump()
        var reading = ClockReading(awake: .seconds(100), elapsed: .seconds(500), wall: .seconds(1_800_000_000))
        var seen = [jump.observe(reading)]
        for step in steps {
            reading.awake += .seconds(step.awake)
            reading.elapsed += .seconds(step.elapsed)
            reading.wall += .seconds(step.wall)
            seen.append(jump.observe(reading))
        }
        return seen
    }

    @Test("Time that passes as it should is no jump, nor is a clock that is corrected by a little, or set back")
    func steady() {
        let steps = [
            (1.0, 1.0, 1.0), (1.1, 1.1, 1.1), (1.0, 1.0, 2.5), (1.0, 1.0, 0.2), (1.0, 1.0, -3_600), (3.9, 3.9, 3.9),
        ]
        #expect(self.jumps(steps).allSatisfy { !$0 })
    }

    @Test("Sleep, a pause from without and a process that was stopped are each noticed once")
    func jumps() {
        // The machine slept for an hour, and its clock of the time of day was read again afterwards.
        #expect(self.jumps([(1, 3_601, 3_601), (1, 1, 1)]) == [false, true, false])
        // It slept, and nobody has set the time of day yet.
        #expect(self.jumps([(1, 5, 1)]) == [false, true])
        // A virtual machine was paused: only the time of day knows.
        #expect(self.jumps([(1, 1, 301), (1, 1, 1)]) == [false, true, false])
        // The process was stopped.
        #expect(self.jumps([(60, 60, 60), (1, 1, 1)]) == [false, true, false])
    }

    @Test("Of a burst the first event acts at once and one more at the end of the interval")
    func burst() {
        var pace = ProbePace(interval: .seconds(1))
        let start = ContinuousClock.now
        #expect(pace.event(at: start) == .act)
        #expect(pace.event(at: start + .milliseconds(300)) == .wait(.milliseconds(700)))
        for _ in 0..<1_000 { #expect(pace.event(at: start + .milliseconds(400)) == .none) }
        pace.waited(at: start + .seconds(1))
        #expect(pace.event(at: start + .milliseconds(1_500)) == .wait(.milliseconds(500)))
        pace.waited(at: start + .seconds(2))
        #expect(pace.event(at: start + .seconds(3)) == .act)
    }
}
