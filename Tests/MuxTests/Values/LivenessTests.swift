// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import Testing

@testable import Mux

@Suite("Own PINGs (B.9.3)")
struct PingsTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    @Test("a PONG gives the round trip of its PING once, and a strange one nothing")
    func sample() throws {
        var pings = Pings(firstNumber: 7, now: self.start)
        let sent = pings.send(now: self.start)
        let number = try #require(sent)
        #expect(pings.receivedPong(number &+ 1, now: self.start) == nil)
        #expect(pings.receivedPong(number, now: self.start + .milliseconds(30)) == .milliseconds(30))
        #expect(pings.receivedPong(number, now: self.start + .milliseconds(30)) == nil)
        #expect(!pings.hasUnanswered)
    }

    @Test("numbers pass the end of their range")
    func wraps() {
        var pings = Pings(firstNumber: .max, now: self.start)
        #expect(pings.send(now: self.start) == 0)
    }

    @Test("no more than eight go unanswered")
    func unanswered() {
        var pings = Pings(firstNumber: 0, now: self.start)
        for _ in 0..<8 { #expect(pings.send(now: self.start) != nil) }
        #expect(pings.send(now: self.start + .hours(1)) == nil)
        #expect(pings.oldestUnanswered == self.start)
        #expect(pings.receivedPong(3, now: self.start) == .zero)
        #expect(pings.maySend)
    }

    @Test("no more than 50 go out in a second")
    func rate() {
        var pings = Pings(firstNumber: 0, now: self.start)
        var sent = 0
        for step in 0..<200 as Range<Int64> {
            let now = self.start + .milliseconds(5) * step
            guard let number = pings.send(now: now) else { continue }
            sent += 1
            _ = pings.receivedPong(number, now: now)
        }
        #expect(sent == 99 || sent == 100, "a burst of 50, and 50 in the second")
    }
}

@Suite("Round-trip time (B.9.3)")
struct RoundTripTimeTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    @Test("the first sample counts as it is, later ones by an eighth")
    func smoothed() {
        var time = RoundTripTime(now: self.start)
        #expect(time.smoothed == nil)
        #expect(time.minimum == nil)
        time.add(.milliseconds(80), now: self.start)
        #expect(time.smoothed == .milliseconds(80))
        time.add(.milliseconds(160), now: self.start)
        #expect(time.smoothed == .milliseconds(90))
    }

    @Test("the minimum is that of the last half minute")
    func minimum() {
        var time = RoundTripTime(now: self.start)
        time.add(.milliseconds(10), now: self.start)
        for second in 1...14 as ClosedRange<Int64> {
            time.add(.milliseconds(50), now: self.start + .seconds(second))
            #expect(time.minimum == .milliseconds(10))
        }
        for second in 15...29 as ClosedRange<Int64> {
            time.add(.milliseconds(50), now: self.start + .seconds(second))
            #expect(time.minimum == .milliseconds(10))
        }
        time.add(.milliseconds(50), now: self.start + .seconds(31))
        #expect(time.minimum == .milliseconds(50))
    }
}

@Suite("The list of streams behind a barrier (B.6.4)")
struct ResetBarrierTests {
    @Test("a PING is wanted once something was reset and none is outstanding")
    func wanted() {
        var barrier = ResetBarrier()
        #expect(!barrier.isPingWanted)
        barrier.add(2, now: .uptimeNanoseconds(3))
        #expect(barrier.isPingWanted)
        barrier.pingSent(1, now: .uptimeNanoseconds(5))
        #expect(!barrier.isPingWanted)
        barrier.add(4, now: .uptimeNanoseconds(3))
        #expect(!barrier.isPingWanted)
    }

    @Test("its PONG frees what was reset before the PING, and only that")
    func frees() {
        var barrier = ResetBarrier()
        barrier.add(2, now: .uptimeNanoseconds(3))
        barrier.add(4, now: .uptimeNanoseconds(3))
        barrier.pingSent(1, now: .uptimeNanoseconds(5))
        barrier.add(6, now: .uptimeNanoseconds(3))
        #expect(barrier.receivedPong(99) == [])
        #expect(barrier.receivedPong(1) == [2, 4])
        #expect(barrier.receivedPong(1) == [])
        #expect(barrier.isPingWanted)
        #expect(barrier.waitingSince == .uptimeNanoseconds(3), "a stream waits from its RESET on, PING or not")
        barrier.pingSent(2, now: .uptimeNanoseconds(7))
        #expect(barrier.waitingSince == .uptimeNanoseconds(7))
        #expect(barrier.receivedPong(2) == [6])
        #expect(barrier.waitingSince == nil)
        #expect(!barrier.isPingWanted)
    }
}

@Suite("Slots for the peer's streams (B.5, B.6.4)")
struct StreamAllowanceTests {
    @Test("as many streams as announced, one more is a STREAM_LIMIT_ERROR")
    func limit() throws {
        var slots = StreamAllowance(concurrency: 3)
        for _ in 0..<3 { try slots.open() }
        let violation = #expect(throws: ProtocolViolation.self) { try slots.open() }
        #expect(violation?.code == .streamLimitError)
        #expect(slots.opened == 3)
    }

    @Test("a slot that came back counts only when it has been announced")
    func announced() throws {
        var slots = StreamAllowance(concurrency: 1)
        try slots.open()
        slots.giveBack()
        #expect(throws: ProtocolViolation.self) { try slots.open() }
        let count = slots.announce()
        #expect(count == 2)
        try slots.open()
        #expect(slots.nextOrdinal == 3)
    }

    @Test("an eighth that came back is announced")
    func eighth() throws {
        var slots = StreamAllowance(concurrency: 1_024)
        for _ in 0..<200 { try slots.open() }
        for _ in 0..<127 { slots.giveBack() }
        #expect(!slots.isAnnouncementDue)
        slots.giveBack()
        #expect(slots.isAnnouncementDue)
        _ = slots.announce()
        #expect(!slots.isAnnouncementDue)
    }

    @Test("any that came back is announced while the peer has less than a quarter left")
    func quarter() throws {
        var slots = StreamAllowance(concurrency: 1_024)
        for _ in 0..<768 { try slots.open() }
        slots.giveBack()
        #expect(!slots.isAnnouncementDue)
        try slots.open()
        #expect(slots.isAnnouncementDue)
    }

    @Test("without slots nothing can be opened")
    func none() {
        var slots = StreamAllowance(concurrency: 0)
        #expect(throws: ProtocolViolation.self) { try slots.open() }
        #expect(!slots.isAnnouncementDue)
    }
}

@Suite("What may wait below the scheduler (B.8.5)")
struct UnsentLimitTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    /// The limits after a second at a rate.
    private func limit(bytesPerSecond: Int, isHeldUp: Bool = true) -> UnsentLimit {
        var limit = UnsentLimit()
        let isFirst = limit.adapt(now: self.start)
        #expect(!isFirst)
        limit.wrote(bytesPerSecond)
        if isHeldUp { limit.heldUp() }
        _ = limit.adapt(now: self.start + .seconds(1))
        return limit
    }

    @Test("four milliseconds of the measured rate in the kernel, half of that in the channel")
    func rates() {
        #expect(self.limit(bytesPerSecond: 1_250_000).kernel == 16_384)
        #expect(self.limit(bytesPerSecond: 1_250_000).channel == 16_384)
        #expect(self.limit(bytesPerSecond: 12_500_000).kernel == 50_000)
        #expect(self.limit(bytesPerSecond: 12_500_000).channel == 25_000)
        #expect(self.limit(bytesPerSecond: 1_000_000_000).kernel == 262_144)
        #expect(self.limit(bytesPerSecond: 1_000_000_000).channel == 65_536)
    }

    @Test("a rate that is low because there was little to send lowers nothing")
    func littleToSend() {
        #expect(self.limit(bytesPerSecond: 1_000, isHeldUp: false).kernel == 65_536)
        #expect(self.limit(bytesPerSecond: 30_000_000, isHeldUp: false).kernel == 120_000)
    }

    @Test("small differences change nothing")
    func steady() {
        #expect(self.limit(bytesPerSecond: 15_000_000).kernel == 65_536)
        #expect(self.limit(bytesPerSecond: 19_000_000).kernel == 65_536)
    }

    @Test("it is looked at once a second")
    func once() {
        var limit = UnsentLimit()
        let isFirst = limit.adapt(now: self.start)
        #expect(!isFirst)
        limit.wrote(1 << 30)
        let early = limit.adapt(now: self.start + .milliseconds(999))
        #expect(!early)
        let due = limit.adapt(now: self.start + .milliseconds(1_001))
        #expect(due)
        #expect(limit.kernel == 262_144)
    }
}
