// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import Testing

@testable import Mux

/// What happens because time passes (docs/protocol.md §B.6.2, §B.7.5, §B.9), with a clock that the test moves (P10).
@Suite("Timers of a session")
struct SessionTimersTests {
    // MARK: HELLO

    @Test("no HELLO within ten seconds is a HELLO_TIMEOUT, without a GOAWAY")
    func helloTimeout() {
        var session = ScriptedSession(unconnected: .edge)
        #expect(session.output().count == 1)
        session.tick(after: .milliseconds(9_999))
        #expect(session.endCode == nil)
        #expect(session.core.nextTick(now: session.now) == session.now + .milliseconds(1))
        session.tick(after: .milliseconds(1))
        #expect(session.endCode == .helloTimeout)
        #expect(session.output() == [])
    }

    // MARK: Keepalive

    /// A session that has been quiet long enough to have nothing else to do.
    private func quietSession(role: SessionRole = .connector) -> ScriptedSession {
        var session = ScriptedSession(role: role)
        session.tick()
        _ = session.output()
        return session
    }

    @Test("a PING goes out after a third of the shorter idle time-out, give or take a tenth")
    func keepalive() {
        var session = self.quietSession()
        let due = session.core.nextTick(now: session.now) ?? .distantFuture
        #expect((TimeAmount.seconds(9)...(.seconds(11))).contains(due - session.now))
        session.tick(after: due - session.now - .milliseconds(1))
        #expect(session.output() == [])
        session.tick(after: .milliseconds(1))
        #expect(session.output().compactMap(\.pingNumber).count == 1)
        session.tick(after: .seconds(1))
        #expect(session.output() == [], "one is enough while it is not answered")
    }

    @Test("the shorter of both idle time-outs sets the pace")
    func shorterIdle() {
        let session = ScriptedSession(peer: { $0.idleTimeoutMilliseconds = 6_000 })
        #expect(
            (TimeAmount.milliseconds(1_800)...(.milliseconds(2_200))).contains(session.core.liveness.keepaliveInterval)
        )
    }

    @Test("nothing received for the own idle time-out is a KEEPALIVE_TIMEOUT")
    func idle() {
        var session = self.quietSession()
        session.tick(after: .milliseconds(29_999))
        #expect(session.endCode == nil)
        session.tick(after: .milliseconds(1))
        #expect(session.endCode == .keepaliveTimeout)
    }

    @Test("any byte sets the idle clock back, also of a message that never ends")
    func anyByte() {
        var session = self.quietSession()
        for _ in 0..<10 {
            session.advance(by: .seconds(29))
            session.core.receivedBytes(now: session.now)
            session.tick()
        }
        #expect(session.endCode == nil)
        session.tick(after: .seconds(30))
        #expect(session.endCode == .keepaliveTimeout)
    }

    @Test("a jump of the clock beyond the time-out ends the session, one below it only asks", arguments: [20, 3_600])
    func clockJump(_ seconds: Int64) {
        var session = self.quietSession()
        session.tick(after: .seconds(seconds))
        #expect(session.endCode == (seconds > 30 ? .keepaliveTimeout : nil))
        #expect(session.output().compactMap(\.pingNumber).count == (seconds > 30 ? 0 : 1))
    }

    @Test("a peer that talks on and never answers the PING behind a RESET loses the session after two idle time-outs")
    func barrierNeverAnswered() {
        var session = self.quietSession()
        let key = session.accepted(2)
        session.core.reset(key, code: .cancelled)
        #expect(session.output().compactMap(\.pingNumber).count == 1)
        for _ in 0..<59 {
            session.advance(by: .seconds(1))
            session.receive(.ping(1))
            session.tick()
        }
        #expect(session.endCode == nil)
        #expect(session.core.liveCount == 1, "the stream is remembered as long as the barrier stands")
        session.advance(by: .seconds(1))
        session.receive(.ping(1))
        session.tick()
        #expect(session.endCode == .keepaliveTimeout)
        #expect(session.core.liveCount == 0)
    }

    @Test("nor does a peer that answers no PING at all and so holds up the one behind a RESET")
    func barrierNeverSent() {
        var session = self.quietSession()
        for _ in 0..<8 {
            session.core.probe(now: session.now)
            _ = session.output()
        }
        let key = session.accepted(2)
        session.core.reset(key, code: .cancelled)
        #expect(session.output().compactMap(\.pingNumber).isEmpty, "eight are unanswered already")
        for _ in 0..<59 {
            session.advance(by: .seconds(1))
            session.receive(.ping(1))
            session.tick()
        }
        #expect(session.endCode == nil)
        session.advance(by: .seconds(1))
        session.receive(.ping(1))
        session.tick()
        #expect(session.endCode == .keepaliveTimeout)
        #expect(session.core.streams.count == 1 && session.core.liveCount == 0)
    }

    @Test("a clock that goes back ends nothing and asks nothing")
    func clockBack() {
        var session = self.quietSession()
        session.tick(after: .seconds(-600))
        #expect(session.endCode == nil)
        #expect(session.output() == [])
        _ = session.accepted(2)
        session.tick(after: .seconds(-600))
        #expect(session.endCode == nil)
    }

    @Test("while much DATA flows one PING a second samples the round trip, and none while little does")
    func samples() {
        for (bytes, expected) in [(7_000, 4...6), (1_000, 0...0)] {
            var session = self.quietSession()
            let key = session.accepted(2)
            var pings = 0
            for _ in 0..<50 {
                session.receive(.bytes(2, bytes))
                _ = session.drain(key)
                session.tick(after: .milliseconds(100))
                pings += session.settle().compactMap(\.pingNumber).count
            }
            #expect(expected.contains(pings), "\(bytes) bytes every 100 ms")
        }
    }

    @Test("a session with little to do is asked for the time when its keepalive is due, one with much within a second")
    func attention() {
        var session = self.quietSession()
        let key = session.accepted(2)
        session.tick(after: .milliseconds(100))
        session.receive(.bytes(2, 40_000))
        _ = session.drain(key)
        _ = session.settle()
        #expect((session.core.nextTick(now: session.now) ?? .distantPast) > session.now + .seconds(5))
        session.receive(.bytes(2, 40_000))
        _ = session.settle()
        #expect((session.core.nextTick(now: session.now) ?? .distantFuture) <= session.now + .seconds(1))
    }

    // MARK: Suspicion

    @Test("a stream opened after five seconds of silence asks at once whether anybody is there")
    func suspicionPing() {
        var session = self.quietSession(role: .edge)
        session.tick(after: .milliseconds(5_001))
        #expect(session.output() == [])
        _ = session.open()
        #expect(session.output().compactMap(\.pingNumber).count == 1)
    }

    @Test("a peer that is probed is asked at once, and SUSPECT until it says anything")
    func probe() {
        var session = self.quietSession(role: .edge)
        session.tick(after: .milliseconds(1))
        session.core.probe(now: session.now)
        #expect(session.core.isSuspect)
        #expect(session.output().compactMap(\.pingNumber).count == 1)
        session.tick(after: .seconds(1))
        #expect(session.core.isSuspect && !session.core.isSilent, "it was only asked")
        session.tick(after: .milliseconds(1_001))
        #expect(session.core.isSilent)
        session.core.receivedBytes(now: session.now)
        #expect(!session.core.isSuspect)
    }

    @Test("a peer that is probed for the last time ends the session unless it says something within two seconds")
    func probeGivingUp() {
        for isAnswered in [false, true] {
            var session = self.quietSession(role: .connector)
            session.core.probe(givingUp: true, now: session.now)
            #expect(session.output().compactMap(\.pingNumber).count == 1)
            session.tick(after: .milliseconds(1_900))
            #expect(session.core.life.end == nil)
            if isAnswered { session.core.receivedBytes(now: session.now) }
            session.tick(after: .milliseconds(200))
            #expect(session.core.life.end?.code == (isAnswered ? nil : .keepaliveTimeout))
        }
    }

    @Test("a PING without any byte for three round trips and a second, at least two, makes the peer SUSPECT")
    func suspect() {
        var session = self.quietSession(role: .edge)
        session.tick(after: .seconds(6))
        _ = session.open()
        _ = session.output()
        session.tick(after: .milliseconds(2_000))
        #expect(!session.core.isSuspect && !session.core.isSilent)
        session.tick(after: .milliseconds(1))
        #expect(session.core.isSuspect && session.core.isSilent)
        session.core.receivedBytes(now: session.now)
        #expect(!session.core.isSuspect && !session.core.isSilent)
        session.tick(after: .seconds(1))
        #expect(!session.core.isSuspect, "the byte came after the PING")
    }

    @Test("a peer that vanishes under load is SUSPECT within six seconds (X15)", arguments: [1, 100, 5_000] as [Int64])
    func suspectInTime(_ roundTrip: Int64) {
        var session = self.quietSession(role: .edge)
        session.core.liveness.addSample(.milliseconds(roundTrip), now: session.now)
        session.tick(after: .milliseconds(5_001))
        _ = session.open()
        let opened = session.now
        while !session.core.isSuspect, session.endCode == nil {
            session.tick(after: SessionCore.tickInterval)
            _ = session.output()
        }
        #expect(session.now - opened <= .milliseconds(6_200))
    }

    // MARK: Deadlines of streams

    @Test(
        "an acceptor that has not answered by the deadline of OPEN rejects",
        arguments: [
            (0, 10_000), (1_500, 1_500), (600_000, 60_000),
        ] as [(UInt32, Int64)]
    )
    func acceptorDeadline(_ asked: UInt32, _ milliseconds: Int64) {
        var session = ScriptedSession()
        session.receive(.opening(2, deadline: asked))
        _ = session.takeEvents()
        for _ in 0..<((milliseconds - 1) / 20_000) {
            session.tick(after: .seconds(20))
            session.core.receivedBytes(now: session.now)
        }
        session.tick(after: .milliseconds((milliseconds - 1) % 20_000))
        session.core.receivedBytes(now: session.now)
        #expect(session.takeEvents() == [])
        session.tick(after: .milliseconds(1))
        #expect(session.takeEvents() == ["closed DEADLINE_EXCEEDED resetLocally"])
        #expect(session.output().contains(.reject(2, .deadlineExceeded, reason: "OPEN was not answered in time")))
    }

    @Test("an opener gives the answer two seconds more, then resets")
    func openerDeadline() {
        var session = ScriptedSession()
        _ = session.open(deadline: .seconds(3))
        _ = session.output()
        session.tick(after: .milliseconds(4_999))
        #expect(session.takeEvents() == [])
        session.tick(after: .milliseconds(1))
        #expect(session.takeEvents() == ["closed DEADLINE_EXCEEDED resetLocally"])
        #expect(session.output().first == .reset(1, .deadlineExceeded, reason: "OPEN was not answered in time"))
    }

    @Test("an open that never got a slot fails at its deadline, safe to retry, and leaves no gap")
    func waitingDeadline() {
        var session = ScriptedSession(peer: { _ in })
        _ = session.open(deadline: .seconds(1))
        session.tick(after: .seconds(3))
        #expect(session.takeEvents() == ["closed DEADLINE_EXCEEDED resetLocally retry-safe"])
        _ = session.output()
        session.receive(.maximumStreams(1))
        _ = session.open()
        guard case .open(1, _)? = session.output().first else {
            Issue.record("the next stream must have number 1")
            return
        }
    }

    @Test("a peer that goes on for 30 s after STOP_SENDING is reset with CANCELLED")
    func stopDeadline() {
        var stream = ScriptedStream(.stopped)
        stream.session.tick(after: .milliseconds(29_000))
        stream.session.receive(.bytes(2, 10))
        stream.session.tick(after: .milliseconds(999))
        #expect(stream.session.takeEvents() == [])
        stream.session.tick(after: .milliseconds(1))
        #expect(stream.session.takeEvents() == ["closed CANCELLED resetLocally"])
        #expect(stream.session.output().contains(.reset(2, .cancelled, reason: "the peer went on sending")))
    }

    @Test("a FIN within 30 s of STOP_SENDING ends the wait")
    func stopAnswered() {
        var stream = ScriptedStream(.stopped)
        stream.session.receive(.bytes(2, 0, isLast: true))
        stream.session.tick(after: .seconds(29))
        stream.session.receive(.pong(0))
        stream.session.tick(after: .seconds(10))
        #expect(stream.session.endCode == nil)
        #expect(stream.wire == .live)
    }

    // MARK: Credit

    /// A stream whose data waits for credit, with BLOCKED sent.
    private func blocked(_ kind: StreamKind) -> ScriptedStream {
        var stream = ScriptedStream(.acceptorOpen, kind: kind, window: 16_384)
        stream.session.core.write(stream.key, ByteBuffer(repeating: 1, count: 20_000))
        let frames = stream.session.output()
        #expect(frames.last == .blocked(2, offset: 16_384))
        return stream
    }

    @Test("BLOCKED is sent once for a limit and again every ten seconds")
    func blockedRepeats() {
        var stream = self.blocked(.tcp)
        var repeats: [Frame] = []
        for second in 1...31 {
            stream.session.core.receivedBytes(now: stream.session.now)
            stream.session.tick(after: .seconds(1))
            let frames = stream.session.output().filter { $0.pingNumber == nil }
            repeats += frames
            #expect(repeats.count == second / 10)
        }
        #expect(repeats == Array(repeating: .blocked(2, offset: 16_384), count: 3))
    }

    @Test("BLOCKED for the session is sent when its credit is gone, also with nothing else to send")
    func connectionBlocked() {
        var session = ScriptedSession(peer: { $0.connectionWindow = 262_144 })
        let keys = [session.accepted(2, window: 1 << 20), session.accepted(4, window: 1 << 20)]
        session.core.write(keys[0], ByteBuffer(repeating: 1, count: 262_144))
        #expect(session.output().contains(.blocked(0, offset: 262_144)) == false, "nothing waits yet")
        session.core.write(keys[1], ByteBuffer(repeating: 1, count: 10))
        #expect(session.output() == [.blocked(0, offset: 262_144)])
        #expect(session.output() == [])
        for _ in 0..<101 { session.tick(after: .milliseconds(100)) }
        #expect(session.output().contains(.blocked(0, offset: 262_144)) == true)
        session.receive(.windowUpdate(0, offset: 300_000))
        #expect(session.output() == [.bytes(4, 10).repeating(1)])
    }

    @Test(
        "kind http without credit for 120 s is reset with FLOW_STALL, tcp and tls are not",
        arguments: [
            StreamKind.http, .tcp, .tls,
        ]
    )
    func stall(_ kind: StreamKind) {
        var stream = self.blocked(kind)
        for _ in 0..<120 {
            stream.session.core.receivedBytes(now: stream.session.now)
            stream.session.tick(after: .seconds(1))
        }
        #expect(stream.session.takeEvents() == [])
        stream.session.tick(after: .milliseconds(1))
        #expect(stream.session.takeEvents() == (kind == .http ? ["closed FLOW_STALL resetLocally"] : []))
    }

    @Test("credit that moves in time keeps a slow http stream alive")
    func noStall() {
        var stream = self.blocked(.http)
        for round in 1...4 as ClosedRange<UInt64> {
            for _ in 0..<100 { stream.session.tick(after: .seconds(1), isAlive: true) }
            stream.session.receive(.windowUpdate(2, offset: 16_384 + round * 100))
            _ = stream.session.output()
        }
        #expect(stream.session.takeEvents() == [])
        #expect(stream.wire == .live)
    }

    @Test("BLOCKED below what was granted has the grant sent again, not before a second has passed")
    func healing() {
        var stream = ScriptedStream(.acceptorOpen)
        stream.session.receive(.bytes(2, 40_000))
        _ = stream.session.drain(stream.key)
        let update = stream.session.output().filter { $0.pingNumber == nil }
        #expect(update == [.windowUpdate(2, offset: 105_536)])
        stream.session.receive(.blocked(2, offset: 65_536))
        #expect(stream.session.output() == [])
        stream.session.advance(by: .milliseconds(1_001))
        stream.session.receive(.blocked(2, offset: 65_536))
        #expect(stream.session.output() == update)
    }
}

extension ScriptedSession {
    /// Moves the clock with a peer that is heard of.
    mutating func tick(after amount: TimeAmount, isAlive: Bool) {
        self.tick(after: amount)
        if isAlive { self.core.receivedBytes(now: self.now) }
    }
}

extension Frame {
    /// The same DATA with another byte for its content.
    func repeating(_ byte: UInt8) -> Frame {
        guard case .data(let id, let payload, let isLast) = self else { return self }
        return .data(id, ByteBuffer(repeating: byte, count: payload.readableBytes), isLast: isLast)
    }
}
