// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import Testing

@testable import Mux

/// The end of a session in good order (docs/protocol.md §B.9.5) and at once (§B.9.4).
@Suite("Drain and end of a session")
struct SessionDrainTests {
    private func goAway(_ frames: [Frame]) -> GoAwayFrame? {
        for case .goAway(let frame) in frames { return frame }
        return nil
    }

    private func draining(_ session: inout ScriptedSession, grace: TimeAmount = .seconds(30)) {
        session.core.startDrain(
            code: .shutdown,
            gracePeriod: grace,
            reconnectAfter: .milliseconds(250),
            now: session.now
        )
    }

    @Test("the announcement names no stream, the grace and the wait, and a PING follows it")
    func announcement() {
        var session = ScriptedSession()
        _ = session.accepted(2)
        self.draining(&session)
        let frames = session.output()
        #expect(frames.first == .drain())
        #expect(frames.last?.pingNumber != nil)
        #expect(session.core.phase == .draining)
    }

    @Test("the PONG brings the final GOAWAY with the last stream that was accepted")
    func final() throws {
        var session = ScriptedSession()
        _ = session.accepted(2)
        self.draining(&session)
        let ping = try #require(session.output().compactMap(\.pingNumber).first)
        // Sent before the peer heard of the drain.
        session.receive(.opening(4), .pong(ping))
        #expect(session.takeEvents() == ["opened"])
        let final = try #require(self.goAway(session.output()))
        #expect(!final.isDrain)
        #expect(final.lastStreamID == 4)
        #expect(final.code == .shutdown)
    }

    @Test("a session that lingers stays without streams and opens new ones; the PING comes when the time is over")
    func lingering() throws {
        var session = ScriptedSession()
        session.core.startDrain(
            code: .shutdown,
            gracePeriod: .seconds(30),
            reconnectAfter: .milliseconds(250),
            lingering: .seconds(5),
            now: session.now
        )
        let announcement = session.output()
        #expect(announcement.first == .drain())
        #expect(announcement.compactMap(\.pingNumber).isEmpty)
        session.tick(after: .milliseconds(4_900))
        #expect(self.goAway(session.output()) == nil)
        #expect(session.core.life.end == nil)
        #expect(session.core.canOpenStreams)
        session.tick(after: .milliseconds(100))
        let ping = try #require(session.output().compactMap(\.pingNumber).last)
        session.receive(.pong(ping))
        #expect(self.goAway(session.output())?.isDrain == false)
        session.tick(after: .milliseconds(100))
        #expect(session.core.life.end != nil)
    }

    @Test("without a PONG the final GOAWAY goes out after two seconds")
    func finalWithoutPong() throws {
        var session = ScriptedSession()
        _ = session.accepted(2)
        self.draining(&session)
        _ = session.output()
        session.tick(after: .milliseconds(1_999))
        #expect(self.goAway(session.output()) == nil)
        session.tick(after: .milliseconds(1))
        let final = try #require(self.goAway(session.output()))
        #expect(final.lastStreamID == 2)
    }

    @Test("after the final GOAWAY the peer's further streams are ignored, their DATA charged and released")
    func ignored() {
        var session = ScriptedSession()
        _ = session.accepted(2)
        self.draining(&session)
        session.settle()
        session.receive(
            .opening(4),
            .bytes(4, 100),
            .windowUpdate(4, offset: 100_000),
            .blocked(4, offset: 0),
            .stopSending(4, .noError),
            .bytes(4, 100, isLast: true),
            .reset(4, .cancelled, reason: "")
        )
        #expect(session.endCode == nil)
        #expect(session.takeEvents() == [])
        #expect(session.output() == [])
        #expect(session.core.credit.receive.released == 200)
        session.receive(.opening(8))
        #expect(session.endCode == .protocolError, "numbers still follow each other")
    }

    @Test("the session ends when the last stream has")
    func lastStream() {
        var session = ScriptedSession()
        let key = session.accepted(2)
        self.draining(&session)
        session.settle()
        session.tick(after: .seconds(1))
        #expect(session.endCode == nil)
        session.core.finish(key)
        _ = session.output()
        session.receive(.bytes(2, 1, isLast: true))
        #expect(session.endCode == .shutdown)
    }

    @Test("a session without streams ends when the final GOAWAY is out")
    func noStreams() {
        var session = ScriptedSession()
        self.draining(&session)
        let frames = session.settle()
        session.tick(after: SessionCore.tickInterval)
        #expect(frames.filter { if case .goAway = $0 { true } else { false } }.count == 2)
        #expect(session.endCode == .shutdown)
    }

    @Test("when the grace is over streams are reset with SESSION_CLOSING and the session ends")
    func graceOver() {
        var session = ScriptedSession()
        _ = session.accepted(2)
        self.draining(&session, grace: .seconds(5))
        session.settle()
        session.tick(after: .milliseconds(4_999))
        _ = session.takeEvents()
        session.tick(after: .milliseconds(1))
        #expect(session.takeEvents() == ["closed SESSION_CLOSING resetLocally"])
        #expect(session.output().first == .reset(2, .sessionClosing, reason: "the grace period is over"))
        session.tick(after: SessionCore.tickInterval)
        #expect(session.endCode == .shutdown)
    }

    @Test("a second drain may only shorten the grace")
    func secondDrain() {
        var session = ScriptedSession()
        _ = session.accepted(2)
        self.draining(&session, grace: .seconds(10))
        self.draining(&session, grace: .seconds(20))
        session.settle()
        session.tick(after: .seconds(10))
        #expect(session.takeEvents().contains("closed SESSION_CLOSING resetLocally") == true)

        var shorter = ScriptedSession()
        _ = shorter.accepted(2)
        self.draining(&shorter, grace: .seconds(10))
        self.draining(&shorter, grace: .seconds(3))
        shorter.settle()
        shorter.tick(after: .seconds(3))
        #expect(shorter.takeEvents().contains("closed SESSION_CLOSING resetLocally") == true)
    }

    @Test("while the peer drains it may still open streams, which can be accepted")
    func drainerOpens() {
        var session = ScriptedSession()
        session.receive(.drain())
        _ = session.takeEvents()
        session.receive(.opening(2))
        #expect(session.takeEvents() == ["opened"])
        #expect(session.output() == [])
    }

    @Test("the peer's drain is told once with its times, and ends opening here")
    func peerDrains() {
        var session = ScriptedSession()
        session.receive(.drain(code: .replaced))
        session.receive(.drain(code: .replaced, grace: 1))
        let events = session.takeRawEvents()
        #expect(events.count == 1)
        guard case .draining(.replaced, .seconds(30), .milliseconds(250))? = events.first else {
            Issue.record("the drain was told otherwise: \(events)")
            return
        }
        #expect(!session.core.canOpenStreams)
    }

    @Test("a connection that closes after the peer's final GOAWAY ended in good order")
    func lostAfterFinalGoAway() throws {
        var session = ScriptedSession()
        session.receive(.drain())
        session.receive(.goAway(last: 0, code: .shutdown))
        _ = session.takeEvents()
        session.core.connectionLost(reason: "the peer closed the WebSocket (1001)")
        #expect(session.takeEvents() == ["ended SHUTDOWN by peer"])
        #expect(try #require(session.end).isGraceful)
    }

    @Test("a connection that closes after the announcement alone was lost")
    func lostAfterDrain() {
        var session = ScriptedSession()
        session.receive(.drain())
        _ = session.takeEvents()
        session.core.connectionLost(reason: "reset")
        #expect(session.takeEvents() == ["ended SESSION_LOST by peer"])
    }

    @Test("at three quarters of the number space the session drains with ID_EXHAUSTED")
    func numbersRunOut() throws {
        var session = ScriptedSession(peer: { $0.maximumStreams = 1 })
        session.core.openedCount = 0x5FFF_FFFF
        session.receive(.maximumStreams(0x7000_0000))
        _ = session.open()
        let frames = session.output()
        let drain = try #require(self.goAway(frames))
        #expect(drain.isDrain)
        #expect(drain.code == .idExhausted)
        #expect(session.core.openedCount == 0x6000_0000)
    }

    @Test("a session error sends GOAWAY with the last accepted stream and fails every stream as SESSION_LOST")
    func sessionError() throws {
        var session = ScriptedSession()
        _ = session.accepted(2)
        _ = session.open()
        session.receive(.bytes(9, 1))
        #expect(
            session.takeEvents() == [
                "closed SESSION_LOST sessionLost", "closed SESSION_LOST sessionLost retry-safe",
                "ended STREAM_STATE_ERROR",
            ]
        )
        let goAway = try #require(self.goAway(session.output()))
        #expect(goAway.lastStreamID == 2)
        #expect(goAway.code == .streamStateError)
        #expect(!goAway.isDrain)
        #expect(session.output() == [])
    }

    @Test("a fatal GOAWAY ends the session without a reply")
    func fatalGoAway() {
        var session = ScriptedSession()
        session.receive(.goAway(last: 0, code: .enhanceCalm))
        #expect(session.takeEvents() == ["ended ENHANCE_CALM by peer"])
        #expect(session.output() == [])
        session.receive(.ping(1))
        #expect(session.output() == [])
    }

    @Test(
        "P9: with a drain at a random point every stream ends once: completed, reset or safe to retry and undelivered",
        arguments: 0..<40 as Range<UInt64>
    )
    func drainProperty(_ seed: UInt64) {
        var random = SplitMix(seed: seed)
        var pair = CorePair()
        var ends: [StreamKey: [String]] = [:]
        var opened: [StreamKey] = []
        var accepted: [(key: StreamKey, delivered: Int)] = []
        let drainStep = Int.random(in: 0..<60, using: &random)
        let isEdgeDraining = Bool.random(using: &random)
        for step in 0..<400 {
            if step == drainStep {
                if isEdgeDraining { self.draining(&pair.edge) } else { self.draining(&pair.connector) }
            }
            if step < 80, pair.edge.core.canOpenStreams, Bool.random(using: &random) {
                let key = pair.edge.open()
                opened.append(key)
                pair.edge.core.write(key, ByteBuffer(repeating: 1, count: Int.random(in: 1...5_000, using: &random)))
                pair.edge.core.finish(key)
            }
            if Bool.random(using: &random) { pair.send() }
            if Bool.random(using: &random) { pair.deliver() }
            for event in pair.connector.takeRawEvents() {
                if case .opened(let key, _) = event {
                    accepted.append((key, 0))
                    pair.connector.core.accept(key)
                    pair.connector.core.finish(key)
                }
                if case .closed(let key, _) = event { pair.connector.core.release(key) }
            }
            for index in accepted.indices {
                accepted[index].delivered += pair.connector.drain(accepted[index].key).bytes
            }
            for event in pair.edge.takeRawEvents() {
                if case .closed(let key, _) = event { ends[key, default: []].append(event.words) }
            }
            for key in opened { _ = pair.edge.drain(key) }
            pair.edge.tick(after: .milliseconds(20))
            pair.connector.tick(after: .milliseconds(20))
        }
        let delivered = accepted.filter { $0.delivered > 0 }.count
        var completed = 0
        for key in opened {
            let told = ends[key] ?? []
            #expect(told.count == 1, "seed \(seed): \(key) ended \(told.count) times: \(told)")
            #expect(
                told == ["closed"] || told == ["closed DRAINING rejected retry-safe"],
                "seed \(seed): \(key) ended as \(told)"
            )
            if told == ["closed"] { completed += 1 }
        }
        #expect(delivered == completed, "seed \(seed): what is safe to retry was not delivered")
        #expect((isEdgeDraining ? pair.edge : pair.connector).endCode == .shutdown, "seed \(seed)")
    }
}
