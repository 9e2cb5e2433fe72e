// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import Testing

@testable import Mux

/// Sessions that outlive their connection (docs/protocol.md §B.19): what either side says, and bad input.
@Suite("Resuming a session")
struct ResumeTests {
    private func expectEvents(_ session: inout ScriptedSession, _ words: [String]) {
        let seen = session.takeEvents()
        #expect(seen == words)
    }

    /// A stream that the peer has opened, with all the credit that a test uses.
    private func acceptStream(of session: inout ScriptedSession) throws -> StreamKey {
        session.receive(.opening(2, window: 1 << 24))
        session.receive(.windowUpdate(.session, offset: 1 << 28), .windowUpdate(2, offset: 1 << 28))
        let opened = session.takeRawEvents().compactMap { if case .opened(let key, _) = $0 { key } else { nil } }
        let key = try #require(opened.first)
        session.core.accept(key)
        return key
    }

    private func acknowledged(_ frames: [Frame]) -> [UInt64] {
        frames.compactMap { if case .acknowledge(let count) = $0 { count } else { nil } }
    }

    @Test("an ACK goes alone after 250 ms, before that with what goes out after 60 ms, and is not acknowledged itself")
    func acknowledging() {
        var session = ScriptedSession.resumable(.edge)
        _ = session.sendKeeping()
        session.tick(after: .milliseconds(300))
        let first = session.sendKeeping()
        #expect(self.acknowledged(first) == [1], "the PONG of the first PING")
        session.receive(.ping(5))
        let answer = session.sendKeeping()
        #expect(answer == [.pong(5)])
        session.tick(after: .milliseconds(60))
        session.receive(.ping(6))
        let later = session.sendKeeping()
        #expect(later == [.pong(6), .acknowledge(3)])
        session.receive(.maximumStreams(101))
        let early = session.sendKeeping()
        #expect(early.isEmpty)
        session.tick(after: .milliseconds(250))
        let alone = session.sendKeeping()
        #expect(alone == [.acknowledge(4)])
        session.receive(.acknowledge(1))
        session.tick(after: .seconds(2))
        let none = session.sendKeeping()
        #expect(self.acknowledged(none).isEmpty)
    }

    @Test("an ACK rides along once it is for eight messages, or for 16 KiB")
    func ridingAlong() {
        var session = ScriptedSession.resumable(.edge)
        _ = session.sendKeeping()
        session.tick(after: .milliseconds(300))
        _ = session.sendKeeping()
        for number in 1...7 {
            session.receive(.ping(UInt64(number)))
            let sent = session.sendKeeping()
            #expect(sent == [.pong(UInt64(number))])
        }
        session.receive(.ping(8))
        let eighth = session.sendKeeping()
        #expect(eighth == [.pong(8), .acknowledge(9)])
        let now = NIODeadline.uptimeNanoseconds(0)
        var count = ReceivedCount()
        count.received(16_383, owesAcknowledgement: true, now: now)
        #expect(!count.ridesAlong(now: now))
        count.received(1, owesAcknowledgement: false, now: now)
        #expect(count.ridesAlong(now: now))
    }

    @Test("an ACK in a session that can't be resumed is UNSUPPORTED")
    func notNegotiated() {
        var session = ScriptedSession(role: .edge)
        session.receive(.acknowledge(0))
        #expect(session.endCode == .unsupported)
    }

    @Test("an ACK of messages that were never sent is a PROTOCOL_ERROR, a lower one than before is ignored")
    func badCounts() {
        var session = ScriptedSession.resumable(.edge)
        let sent = session.core.replay.sent
        session.receive(.acknowledge(sent))
        for _ in 0..<3_000 { session.receive(.acknowledge(0)) }
        #expect(session.endCode == nil)
        #expect(session.core.replay.acknowledged == sent)
        session.receive(.acknowledge(sent + 1))
        #expect(session.endCode == .protocolError)
    }

    @Test("a peer that acknowledges nothing gets no more DATA than is kept, and is given up after two idle time-outs")
    func neverAcknowledged() throws {
        var session = ScriptedSession.resumable(.connector)
        let key = try self.acceptStream(of: &session)
        var sent = 0
        for _ in 0..<400 {
            session.core.write(key, ByteBuffer(repeating: 1, count: 65_536))
            for case .data(_, let payload, _) in session.sendKeeping() { sent += payload.readableBytes }
        }
        #expect(sent < 17 << 20)
        #expect(session.core.replayByteCount >= 16 << 20)
        #expect(session.core.replayByteCount < 17 << 20)
        for _ in 0..<61 {
            session.receive(.extension(type: 0x90, .session, length: 0))
            session.tick(after: .seconds(1))
        }
        #expect(session.endCode == .enhanceCalm)
        #expect(session.core.replayByteCount == 0)
    }

    @Test("a sender at its replay bound asks with a PING, with whose answer an ACK comes, and goes on")
    func asking() throws {
        var session = ScriptedSession.resumable(.connector)
        let key = try self.acceptStream(of: &session)
        for round in 0..<3 {
            var asked: [UInt64] = []
            var count = 0
            while asked.isEmpty {
                session.core.write(key, ByteBuffer(repeating: 1, count: 1 << 20))
                asked = session.sendKeeping().compactMap(\.pingNumber)
                count += 1
                try #require(count < 20)
            }
            #expect(session.core.replayByteCount >= 16 << 20, "\(round)")
            #expect(asked.count == 1)
            session.receive(.acknowledge(session.core.replay.sent), .pong(asked[0]))
            #expect(session.core.replayByteCount == 0)
        }

        // The peer has received at least as much as the lowest bound, in few messages or many.
        var peer = ScriptedSession.resumable(.edge)
        _ = peer.sendKeeping()
        for _ in 0..<2 { peer.receive(.extension(type: 0x90, .session, length: 16_384)) }
        peer.receive(.ping(7))
        let answer = peer.sendKeeping()
        #expect(answer == [.pong(7), .acknowledge(4)])
    }

    @Test(
        "buffers that came back count as the session's memory, and go within two seconds of rest, or when memory is short"
    )
    func spares() throws {
        var session = ScriptedSession.resumable(.connector)
        let governor = session.core.configuration.governor
        let key = try self.acceptStream(of: &session)
        func answer(_ session: inout ScriptedSession) {
            var batch = ByteBufferAllocator().buffer(capacity: 2_048)
            session.core.write(key, ByteBuffer(repeating: 1, count: 100))
            while session.core.poll(into: &batch, limit: 16_384, now: session.now) {}
            session.core.keep(batch)
            batch = ByteBuffer()
            session.receive(.acknowledge(session.core.replay.sent))
        }
        answer(&session)
        #expect(session.core.replay.spares.byteCount >= 2_048)
        #expect(governor.bufferedBytes == session.core.replay.spares.byteCount)
        session.tick(after: .seconds(1))
        #expect(!session.core.replay.spares.isEmpty)
        #expect((session.core.nextTick(now: session.now) ?? .distantFuture) <= session.now + .seconds(1))
        session.tick(after: .seconds(1))
        #expect(session.core.replay.spares.isEmpty && governor.bufferedBytes == 0)

        governor.change(by: governor.budget)
        answer(&session)
        #expect(session.core.replay.spares.isEmpty, "memory is short")
    }

    @Test("a session without a connection says and does nothing, and ends when its time is over")
    func windowOver() {
        var session = ScriptedSession.resumable(.edge, milliseconds: 5_000)
        let isKept = session.core.suspend(reason: "cut", now: session.now)
        #expect(isKept)
        self.expectEvents(&session, ["suspended"])
        #expect(session.core.isSuspect)
        _ = try? session.core.open(
            kind: .http,
            metadata: OpenMetadata(target: "web"),
            deadline: .seconds(60),
            now: session.now
        )
        let said = session.sendKeeping()
        #expect(said.isEmpty)
        session.tick(after: .milliseconds(4_999))
        #expect(session.endCode == nil)
        session.tick(after: .milliseconds(1))
        #expect(session.endCode == .sessionLost)
        #expect(session.core.phase == .closed)
        #expect(session.core.replayByteCount == 0)
        let next = session.core.nextTick(now: session.now)
        #expect(next == nil)
    }

    @Test("a session is kept without a connection only where both sides can, and not once the peer has left")
    func notKept() {
        var other = ScriptedSession(role: .edge)
        let otherIsKept = other.core.suspend(reason: "cut", now: other.now)
        #expect(!otherIsKept)
        var off = ScriptedSession.resumable(.edge, milliseconds: 0)
        let offIsKept = off.core.suspend(reason: "cut", now: off.now)
        #expect(!offIsKept)
        var left = ScriptedSession.resumable(.edge)
        left.receive(.goAway(GoAwayFrame(isDrain: false, lastStreamID: .session, code: .shutdown)))
        let leftIsKept = left.core.suspend(reason: "cut", now: left.now)
        #expect(!leftIsKept)
        var failed = ScriptedSession.resumable(.edge)
        failed.receive(.acknowledge(1 << 60))
        let failedIsKept = failed.core.suspend(reason: "cut", now: failed.now)
        #expect(!failedIsKept)
    }

    @Test("a session that drains can be resumed until its grace is over")
    func drainingSession() {
        var session = ScriptedSession.resumable(.edge)
        session.core.startDrain(
            code: .shutdown,
            gracePeriod: .seconds(4),
            reconnectAfter: .zero,
            lingering: .seconds(4),
            now: session.now
        )
        let isKept = session.core.suspend(reason: "cut", now: session.now)
        #expect(isKept)
        session.tick(after: .milliseconds(3_900))
        #expect(session.endCode == nil)
        session.tick(after: .milliseconds(100))
        #expect(session.endCode == .sessionLost)
    }

    @Test("a return is granted for the right session, key, bundle and count, and for nothing else")
    func granting() {
        var session = ScriptedSession.resumable(.edge)
        let sent = session.core.replay.sent
        #expect(session.core.grants(session.request(received: sent), bundle: nil))
        #expect(session.core.grants(session.request(received: 0), bundle: nil))
        #expect(!session.core.grants(session.request(received: sent + 1), bundle: nil))
        #expect(!session.core.grants(session.request(received: sent, key: ResumeKey()), bundle: nil))
        #expect(!session.core.grants(session.request(received: sent, id: Array(repeating: 8, count: 16)), bundle: nil))
        let bundle = SessionSettings.Bundle(id: Array(repeating: 1, count: 16), index: 0, count: 1)
        #expect(!session.core.grants(session.request(received: sent), bundle: bundle))
        session.receive(.acknowledge(sent))
        #expect(!session.core.grants(session.request(received: 0), bundle: nil), "these are not kept any more")
        session.core.close(code: .authExpired, reason: "revoked")
        #expect(!session.core.grants(session.request(received: sent), bundle: nil), "the session is over")
    }

    @Test("a key is good until the connector has shown that it has the next one")
    func usedKey() throws {
        var session = ScriptedSession.resumable(.edge)
        let request = session.request(received: session.core.replay.sent)
        _ = session.core.suspend(reason: "cut", now: session.now)
        let next = try #require(session.core.helloOfReturn(to: request).settings.resumeKey)
        _ = try session.core.resume(received: request.received, now: session.now)
        #expect(next != ScriptedSession.key)
        // HELLO may not have arrived.
        #expect(session.core.grants(request, bundle: nil))
        #expect(session.core.grants(session.request(received: request.received, key: next), bundle: nil))
        session.receive(.maximumStreams(200))
        #expect(!session.core.grants(request, bundle: nil))
        #expect(session.core.grants(session.request(received: request.received, key: next), bundle: nil))
    }

    @Test("however often HELLO is lost, the key that the connector has stays good, and no other does")
    func lostHellos() throws {
        var session = ScriptedSession.resumable(.edge)
        _ = session.core.suspend(reason: "cut", now: session.now)
        let first = session.request(received: 0)
        let lost = try #require(session.core.helloOfReturn(to: first).settings.resumeKey)
        let second = try #require(session.core.helloOfReturn(to: first).settings.resumeKey)
        #expect(!session.core.grants(session.request(received: 0, key: lost), bundle: nil))
        // The second HELLO arrived, but nothing that the connector said afterwards.
        let third = session.request(received: 0, key: second)
        #expect(session.core.grants(third, bundle: nil))
        _ = session.core.helloOfReturn(to: third)
        #expect(session.core.grants(third, bundle: nil))
        #expect(!session.core.grants(first, bundle: nil))
    }

    @Test("deadlines and silences of the time without a connection do not count")
    func postponed() throws {
        var session = ScriptedSession.resumable(.edge)
        let key = try session.core.open(
            kind: .http,
            metadata: OpenMetadata(target: "web"),
            deadline: .seconds(10),
            now: session.now
        )
        let opening = session.sendKeeping()
        #expect(!opening.isEmpty)
        session.advance(by: .seconds(5))
        _ = session.core.suspend(reason: "cut", now: session.now)
        session.advance(by: .seconds(20))
        let resumption = try session.core.resume(received: 0, now: session.now)
        #expect(resumption.pause == .seconds(20))
        #expect(resumption.repeated == Int(session.core.replay.sent))
        session.tick(after: .seconds(6))
        #expect(session.endCode == nil)
        #expect(session.core.streams.slot(of: key) != nil)
        let before = session.takeEvents()
        #expect(!before.contains { $0.hasPrefix("closed") })
        session.tick(after: .seconds(2))
        let after = session.takeEvents()
        #expect(after.contains { $0.hasPrefix("closed DEADLINE_EXCEEDED") })
    }

    @Test("an answer that comes over a later connection measures no path")
    func roundTrip() throws {
        var session = ScriptedSession.resumable(.edge)
        session.core.requestEcho()
        let ping = try #require(session.sendKeeping().compactMap(\.pingNumber).first)
        _ = session.core.suspend(reason: "cut", now: session.now)
        session.advance(by: .seconds(9))
        _ = try session.core.resume(received: 0, now: session.now)
        session.receive(.pong(ping))
        #expect(session.core.minimumRoundTrip == nil, "the new path is measured by a PING of its own")
        #expect(session.core.glitchCount == 0)
        let frames = session.sendKeeping()
        #expect(frames.contains { $0.pingNumber != nil })
    }

    @Test("a peer that says nothing is given up by its owner, not ended, where another connection may come")
    func silence() {
        var session = ScriptedSession.resumable(.connector)
        session.tick(after: .seconds(31))
        self.expectEvents(&session, ["unresponsive"])
        #expect(session.endCode == nil)
        var probed = ScriptedSession.resumable(.connector)
        probed.core.probe(givingUp: true, now: probed.now)
        probed.tick(after: .milliseconds(499))
        self.expectEvents(&probed, [])
        probed.tick(after: .milliseconds(2))
        self.expectEvents(&probed, ["unresponsive"])
    }
}
