// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import Testing

@testable import Mux

@Suite("Credit for sending")
struct SendWindowTests {
    @Test("sending uses credit up, a higher offset gives more")
    func credit() throws {
        var window = SendWindow(limit: 100)
        window.send(60)
        #expect(window.credit == 40)
        let isRaised = try window.raise(to: 150)
        #expect(isRaised)
        #expect(window.credit == 90)
        #expect(window.sent == 60)
    }

    @Test("an offset that is not higher changes nothing", arguments: [0, 99, 100] as [UInt64])
    func notHigher(_ offset: UInt64) throws {
        var window = SendWindow(limit: 100)
        let isRaised = try window.raise(to: offset)
        #expect(!isRaised)
        #expect(window.limit == 100)
    }

    @Test("credit of 2^31 and more beyond what was sent is a FLOW_CONTROL_ERROR")
    func tooMuch() throws {
        var window = SendWindow(limit: 0)
        let isRaised = try window.raise(to: (1 << 31) - 1)
        #expect(isRaised)
        window.send(1_000)
        #expect(throws: ProtocolViolation.self) { try window.raise(to: 1_000 + 1 << 31) }
        #expect(throws: ProtocolViolation.self) { try window.raise(to: 1 << 62) }
        #expect(throws: ProtocolViolation.self) { try window.raise(to: .max) }
    }
}

@Suite("Credit given to the peer of a stream")
struct ReceiveWindowTests {
    @Test("bytes up to the grant are taken, one more is a FLOW_CONTROL_ERROR")
    func bounds() throws {
        var window = ReceiveWindow(granted: 100)
        try window.receive(100)
        let violation = #expect(throws: ProtocolViolation.self) { try window.receive(1) }
        #expect(violation?.code == .flowControlError)
        #expect(window.received == 100)
    }

    @Test("a grant is due when a quarter of the window has been consumed")
    func quarter() throws {
        var window = ReceiveWindow(granted: 65_536)
        try window.receive(40_000)
        window.consume(16_383)
        #expect(!window.isGrantDue(window: 65_536, isFast: false, roundTrip: nil))
        window.consume(1)
        #expect(window.isGrantDue(window: 65_536, isFast: false, roundTrip: nil))
        let offset = window.grant(window: 65_536)
        #expect(offset == 65_536 + 16_384)
        #expect(window.committed == 65_536)
    }

    @Test("on a path below 1 ms half of the size that tuning never goes below is consumed first")
    func floor() throws {
        for (window, step) in [(262_144, 131_072), (400_000, 131_072), (524_288, 131_072), (1 << 20, 262_144)] {
            var received = ReceiveWindow(granted: UInt64(window))
            try received.receive(step)
            received.consume(step - 1)
            let isQuarter = step - 1 >= window / 4
            let isDue = received.isGrantDue(window: window, isFast: false, roundTrip: .milliseconds(1))
            #expect(isDue == isQuarter, "\(window)")
            #expect(!received.isGrantDue(window: window, isFast: false, roundTrip: .microseconds(999)), "\(window)")
            received.consume(1)
            #expect(received.isGrantDue(window: window, isFast: false, roundTrip: .microseconds(999)), "\(window)")
        }
    }

    @Test("of a fast stream half of the window is consumed first, if it is not small")
    func fast() throws {
        for (window, step) in [(131_072, 32_768), (262_144, 131_072), (524_288, 262_144), (1 << 20, 524_288)] {
            var received = ReceiveWindow(granted: UInt64(window))
            try received.receive(step)
            received.consume(step - 1)
            #expect(!received.isGrantDue(window: window, isFast: true, roundTrip: .milliseconds(1)), "\(window)")
            received.consume(1)
            #expect(received.isGrantDue(window: window, isFast: true, roundTrip: .milliseconds(1)), "\(window)")
        }
    }

    @Test("no grant is smaller than 4096 bytes")
    func sillyWindow() throws {
        var window = ReceiveWindow(granted: 8_192)
        try window.receive(8_192)
        window.consume(4_095)
        #expect(!window.isGrantDue(window: 8_192, isFast: false, roundTrip: nil))
        window.consume(1)
        #expect(window.isGrantDue(window: 8_192, isFast: false, roundTrip: nil))
    }

    @Test("a smaller window never takes a grant back")
    func shrink() throws {
        var window = ReceiveWindow(granted: 100_000)
        try window.receive(1_000)
        window.consume(1_000)
        let offset = window.grant(window: 50_000)
        #expect(offset == 100_000)
    }

    @Test("discarding counts everything as consumed")
    func discard() throws {
        var window = ReceiveWindow(granted: 100)
        try window.receive(70)
        window.discardAll()
        #expect(window.consumed == 70)
        #expect(window.committed == 30)
    }
}

@Suite("Credit given for the session")
struct ConnectionReceiveWindowTests {
    @Test("bytes up to the grant are taken, one more is a FLOW_CONTROL_ERROR")
    func bounds() throws {
        var window = ConnectionReceiveWindow(window: 1_000)
        try window.receive(1_000)
        let violation = #expect(throws: ProtocolViolation.self) { try window.receive(1) }
        #expect(violation?.code == .flowControlError)
    }

    @Test("a grant is due when a sixteenth has been given back, and reaches a window beyond it")
    func grant() throws {
        var window = ConnectionReceiveWindow(window: 1_600)
        try window.receive(400)
        window.release(99)
        #expect(!window.isGrantDue)
        window.release(1)
        #expect(window.isGrantDue)
        let offset = window.grant()
        #expect(offset == 1_700)
        #expect(!window.isGrantDue)
    }

    @Test("it grows up to 64 MiB, and one that is larger from the start stays so")
    func grow() {
        var window = ConnectionReceiveWindow(window: 40 << 20)
        window.resize(to: 80 << 20)
        #expect(window.window == 64 << 20)
        var large = ConnectionReceiveWindow(window: 128 << 20)
        large.resize(to: 256 << 20)
        #expect(large.window == 128 << 20)
    }

    @Test("one that has become smaller takes back no credit")
    func shrink() throws {
        var window = ConnectionReceiveWindow(window: 1_600)
        try window.receive(1_000)
        window.release(1_000)
        #expect(window.grant() == 2_600)
        window.resize(to: 800)
        #expect(!window.isGrantDue)
        #expect(window.grant() == 2_600)
        try window.receive(1_000)
        window.release(1_000)
        #expect(window.grant() == 2_800)
    }
}

@Suite("What the windows of a session may pin (B.7.3)")
struct WindowBudgetTests {
    @Test("OPEN grants less, the more is pinned already")
    func initialWindow() {
        var budget = WindowBudget(total: 64 << 20, reserved: 0)
        #expect(budget.initialWindow(level: .normal) == 262_144)
        budget.change(by: 32 << 20)
        #expect(budget.initialWindow(level: .normal) == 262_144)
        budget.change(by: 1)
        #expect(budget.initialWindow(level: .normal) == 65_536)
        budget.change(by: 16 << 20)
        #expect(budget.initialWindow(level: .normal) == 16_384)
    }

    @Test("when memory is short OPEN grants 16 KiB and nothing grows", arguments: [MemoryLevel.pressure, .critical])
    func pressure(_ level: MemoryLevel) {
        let budget = WindowBudget(total: 64 << 20, reserved: 0)
        #expect(budget.initialWindow(level: level) == 16_384)
        #expect(budget.growthLimit(current: 65_536, level: level) == 65_536)
    }

    @Test("1 024 opens in a row stay within the budget")
    func manyOpens() {
        var budget = WindowBudget(total: 64 << 20, reserved: 0)
        for _ in 0..<1_024 { budget.change(by: budget.initialWindow(level: .normal) ?? 0) }
        #expect(budget.committed <= budget.total)
        #expect(budget.initialWindow(level: .normal) == 16_384)
    }

    @Test("when the budget is used up, opens wait until a stream has ended, though the peer has slots")
    func usedUp() {
        var session = ScriptedSession(
            configure: {
                $0.settings.maximumStreams = 0
                $0.budget = 1 << 20
            },
            peer: { $0.maximumStreams = 1_000 }
        )
        let keys = (0..<100).map { _ in session.open() }
        let windows = session.output().compactMap { if case .open(_, let open) = $0 { open.window } else { nil } }
        #expect(windows.first == 262_144)
        #expect(windows.last == 16_384)
        #expect(windows.reduce(0, +) == 1 << 20)
        #expect(!session.core.opensWithoutWaiting)
        #expect(session.core.waitingOpens.count == 100 - windows.count)
        session.core.reset(keys[0], code: .cancelled)
        let opens = session.output().filter { if case .open = $0 { true } else { false } }
        #expect(opens.count > 1)
        #expect(session.core.committedByteCount <= 1 << 20)
        #expect(session.endCode == nil)
    }

    @Test("a budget that the peer's streams use up from the start is raised for some of our own")
    func raised() {
        var session = ScriptedSession {
            $0.settings.maximumStreams = 1_024
            $0.budget = 64 << 20
        }
        for _ in 0..<8 { _ = session.open() }
        #expect(session.output().filter { if case .open = $0 { true } else { false } }.count == 8)
        #expect(session.core.committedByteCount <= session.core.budget.total)
    }

    @Test("growth stops at three quarters of what is not reserved, and one stream gets at most a quarter")
    func growth() {
        var budget = WindowBudget(total: 128 << 20, reserved: 64 << 20)
        #expect(budget.growthLimit(current: 65_536, level: .normal) == 32 << 20)
        budget.change(by: 48 << 20)
        #expect(budget.growthLimit(current: 65_536, level: .normal) == 65_536)
    }

    @Test("streams that all grow at once stay within the budget")
    func growthAtOnce() {
        var session = ScriptedSession { $0.settings.maximumStreams = 64 }
        for number in 1...64 as ClosedRange<UInt32> { _ = session.accepted(StreamID(rawValue: 2 * number)) }
        let budget = session.core.configuration.budget
        var granted: [StreamID: UInt64] = [:]
        for _ in 0..<8 {
            session.advance(by: .milliseconds(100))
            // One message with BLOCKED for every stream at its limit: each asks for four times its window.
            session.receive(
                (1...64 as ClosedRange<UInt32>).map {
                    let id = StreamID(rawValue: 2 * $0)
                    return .blocked(id, offset: granted[id] ?? 65_536)
                }
            )
            for case .windowUpdate(let id, let offset) in session.output() { granted[id] = offset }
            #expect(session.core.committedByteCount <= budget)
        }
        #expect(session.endCode == nil)
        #expect(granted.values.reduce(0, +) <= UInt64(budget))
        #expect(granted.values.contains { $0 >= 4 << 20 })
    }
}

@Suite("The window that tunes itself (B.7.4)")
struct WindowTunerTests {
    private let roundTrip = TimeAmount.milliseconds(50)
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    @Test("consuming two thirds of the window in a round trip asks for twice as much")
    func grows() {
        var tuner = WindowTuner(window: 100_000, now: self.start)
        #expect(tuner.consumed(66_001, roundTrip: self.roundTrip, now: self.start + self.roundTrip) == 2)
    }

    @Test("consuming less asks for nothing")
    func stays() {
        var tuner = WindowTuner(window: 100_000, now: self.start)
        #expect(tuner.consumed(65_000, roundTrip: self.roundTrip, now: self.start + self.roundTrip) == nil)
    }

    @Test("nothing is decided within a round trip, or without a sample of it")
    func waits() {
        var tuner = WindowTuner(window: 100_000, now: self.start)
        #expect(tuner.consumed(100_000, roundTrip: self.roundTrip, now: self.start + .milliseconds(49)) == nil)
        #expect(tuner.consumed(100_000, roundTrip: nil, now: self.start + .seconds(1)) == nil)
        #expect(tuner.grow(by: 4, limit: .max, roundTrip: nil, now: self.start) == 0)
    }

    @Test("it grows at most once a round trip and up to 16 MiB")
    func growth() {
        var tuner = WindowTuner(window: 1 << 20, now: self.start)
        #expect(tuner.grow(by: 4, limit: .max, roundTrip: self.roundTrip, now: self.start) == 3 << 20)
        #expect(tuner.grow(by: 4, limit: .max, roundTrip: self.roundTrip, now: self.start + .milliseconds(49)) == 0)
        #expect(tuner.blockedFactor == 2)
        let later = self.start + self.roundTrip
        #expect(tuner.grow(by: 8, limit: .max, roundTrip: self.roundTrip, now: later) == 12 << 20)
        #expect(tuner.grow(by: 2, limit: .max, roundTrip: self.roundTrip, now: later + self.roundTrip) == 0)
        #expect(tuner.window == 16 << 20)
    }

    @Test("a stream is fast from 2 Gbit/s on, and no more below half of that; then it asks for 512 KiB, and keeps them")
    func fast() {
        let (near, sample) = (TimeAmount.microseconds(100), WindowTuner.sample)
        var tuner = WindowTuner(window: 262_144, now: self.start)
        var now = self.start + .milliseconds(17)
        #expect(tuner.consumed(sample, roundTrip: near, now: now) == nil && !tuner.isFast)
        now = now + .milliseconds(16)
        #expect(tuner.consumed(2 * sample, roundTrip: near, now: now) == 2 && tuner.isFast)
        #expect(tuner.grow(by: 2, limit: .max, roundTrip: near, now: now) == 262_144)
        // Little in each of many round trips makes the window no smaller than that.
        for index in 1...50 as ClosedRange<Int64> {
            let moment = now + near * index
            #expect(tuner.consumed(2 * sample + UInt64(index), roundTrip: near, now: moment) == nil)
        }
        #expect(tuner.window == 524_288)
        now = now + .milliseconds(32)
        #expect(tuner.consumed(3 * sample, roundTrip: near, now: now) == nil && tuner.isFast)
        now = now + .milliseconds(33)
        _ = tuner.consumed(4 * sample, roundTrip: near, now: now)
        #expect(!tuner.isFast)
    }

    @Test("the budget's limit holds")
    func limit() {
        var tuner = WindowTuner(window: 100_000, now: self.start)
        #expect(tuner.grow(by: 2, limit: 120_000, roundTrip: self.roundTrip, now: self.start) == 20_000)
    }

    @Test("eight quiet round trips halve a window above 256 KiB, and never one below")
    func shrinks() {
        var large = WindowTuner(window: 1 << 20, now: self.start)
        var small = WindowTuner(window: 200_000, now: self.start)
        var now = self.start
        for index in 1...8 as ClosedRange<Int64> {
            now = self.start + self.roundTrip * index
            #expect(large.consumed(UInt64(index), roundTrip: self.roundTrip, now: now) == nil)
            _ = small.consumed(UInt64(index), roundTrip: self.roundTrip, now: now)
        }
        #expect(large.window == 512 << 10)
        #expect(small.window == 200_000)
    }
}

@Suite("A window for measurements")
struct FixedWindowTests {
    @Test("it stays as it is, however little or much of it is used")
    func stays() {
        var session = ScriptedSession { $0.fixedWindow = 1 << 20 }
        let key = session.accepted(2)
        for round in 0..<40 {
            session.advance(by: ScriptedSession.roundTrip)
            session.receive(.bytes(2, round < 20 ? 1 : 16_352))
            _ = session.drain(key)
            _ = session.output()
        }
        #expect(session.core.streams[key.slot].tuner.window == 1 << 20)
    }
}

@Suite("The memory of the process (B.7.2)")
struct MemoryGovernorTests {
    @Test("half of the budget is pressure, more than four fifths is critical")
    func levels() {
        let governor = MemoryGovernor(budget: 1_000)
        governor.change(by: 499)
        #expect(governor.level == .normal)
        governor.change(by: 1)
        #expect(governor.level == .pressure)
        governor.change(by: 300)
        #expect(governor.level == .pressure)
        governor.change(by: 1)
        #expect(governor.level == .critical)
        governor.change(by: -801)
        #expect(governor.level == .normal)
    }

    @Test(
        "the budget is a quarter of what the process may use, at most 1 GiB",
        arguments: [
            (64 << 30, nil, 1 << 30), (2 << 30, nil, 512 << 20), (64 << 30, "max\n", 1 << 30),
            (64 << 30, "268435456\n", 64 << 20), (1 << 30, "9223372036854771712\n", 256 << 20),
        ] as [(UInt64, String?, Int)]
    )
    func defaultBudget(_ machine: UInt64, _ group: String?, _ budget: Int) {
        #expect(MemoryGovernor.budget(machine: machine, group: group) == budget)
        #expect((1...(1 << 30)).contains(MemoryGovernor().budget))
    }

    @Test("sessions share the budget evenly")
    func share() {
        let governor = MemoryGovernor(budget: 1_000)
        #expect(governor.fairShare == 1_000)
        for _ in 0..<4 { governor.sessionStarted() }
        #expect(governor.fairShare == 250)
        governor.sessionEnded()
        #expect(governor.fairShare == 333)
    }

    @Test("what is read after the session ended is taken off the count")
    func afterTheEnd() {
        let governor = MemoryGovernor()
        var session = ScriptedSession { $0.governor = governor }
        let key = session.accepted(2)
        let other = session.accepted(4)
        session.receive(.bytes(2, 1_000, isLast: true), .bytes(4, 500, isLast: true))
        #expect(governor.bufferedBytes == 1_500)
        session.core.connectionLost(reason: "gone")
        #expect(session.drain(key) == (1_000, true))
        #expect(governor.bufferedBytes == 500)
        session.core.release(other)
        #expect(governor.bufferedBytes == 0)
    }
}
