// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import Testing

@testable import Mux

/// Every row of the table in docs/protocol.md §B.6.3: frames that pass each other on the way.
@Suite("Frames that cross (B.6.3)")
struct CrossingTests {
    /// Lets go of a stream on both sides, and checks that nothing is left of it.
    private func expectCleanEnd(_ pair: CorePair, _ keys: (edge: StreamKey, connector: StreamKey)) {
        var pair = pair
        pair.deliverAll()
        pair.edge.core.release(keys.edge)
        pair.connector.core.release(keys.connector)
        pair.deliverAll()
        #expect(pair.isAlive)
        #expect(pair.isClean)
    }

    @Test("FIN × FIN: each side closes when it receives the other's")
    func finFin() {
        var pair = CorePair()
        let keys = pair.open()
        pair.edge.core.finish(keys.edge)
        pair.connector.core.finish(keys.connector)
        pair.send()
        #expect(pair.edge.core.liveCount == 1)
        pair.deliver()
        #expect(pair.edge.core.liveCount == 0)
        #expect(pair.connector.core.liveCount == 0)
        #expect(pair.edge.drain(keys.edge).isAtEnd == true)
        #expect(pair.connector.drain(keys.connector).isAtEnd == true)
        #expect(pair.edge.takeEvents() == ["readable", "closed"])
        #expect(pair.connector.takeEvents() == ["readable", "closed"])
        self.expectCleanEnd(pair, keys)
    }

    @Test("RESET × RESET: the received RESET removes each side's zombie")
    func resetReset() {
        var pair = CorePair()
        let keys = pair.open()
        pair.edge.core.reset(keys.edge, code: .cancelled)
        pair.connector.core.reset(keys.connector, code: .localReset)
        pair.send()
        #expect(pair.edge.core.streams[keys.edge.slot].wire == .zombie)
        #expect(pair.connector.core.streams[keys.connector.slot].wire == .zombie)
        pair.deliver()
        #expect(pair.edge.core.streams[keys.edge.slot].wire == .closed)
        #expect(pair.connector.core.streams[keys.connector.slot].wire == .closed)
        self.expectCleanEnd(pair, keys)
    }

    @Test("RESET of the opener × OPEN_ACK: the zombie ignores it, the acceptor closes")
    func resetOpenAck() {
        var pair = CorePair()
        let keys = pair.openPending()
        pair.edge.core.reset(keys.edge, code: .cancelled)
        pair.connector.core.accept(keys.connector)
        pair.send()
        pair.deliver()
        #expect(pair.edge.core.streams[keys.edge.slot].wire == .zombie)
        #expect(pair.connector.takeEvents() == ["closed CANCELLED resetByPeer"])
        #expect(pair.edge.takeEvents().contains("accepted") == false)
        self.expectCleanEnd(pair, keys)
    }

    @Test("RESET of the opener × REJECT: both zombies go")
    func resetReject() {
        var pair = CorePair()
        let keys = pair.openPending()
        pair.edge.core.reset(keys.edge, code: .cancelled)
        pair.connector.core.reject(keys.connector, code: .connectRefused)
        pair.send()
        pair.deliver()
        #expect(pair.edge.core.streams[keys.edge.slot].wire == .closed)
        #expect(pair.connector.core.streams[keys.connector.slot].wire == .closed)
        self.expectCleanEnd(pair, keys)
    }

    @Test("FIN sent, then a late WINDOW_UPDATE, STOP_SENDING or RESET: ignored", arguments: 0..<3)
    func lateAfterFin(_ which: Int) {
        var pair = CorePair()
        let keys = pair.open()
        pair.connector.core.finish(keys.connector)
        pair.deliverAll()
        pair.edge.core.write(keys.edge, ByteBuffer(repeating: 1, count: 40_000))
        pair.edge.core.finish(keys.edge)
        pair.send()
        // The edge has closed: both FINs have passed it. What the connector sends now is late.
        #expect(pair.edge.core.liveCount == 0)
        let late: [Frame] = [
            .windowUpdate(2, offset: 200_000), .stopSending(2, .cancelled), .reset(2, .cancelled, reason: ""),
        ]
        pair.edge.receive(late[which])
        pair.deliver()
        #expect(pair.connector.drain(keys.connector).bytes == 40_000)
        #expect(pair.edge.drain(keys.edge).isAtEnd == true)
        self.expectCleanEnd(pair, keys)
    }

    @Test("STOP_SENDING × FIN: ignored, the stream closes normally")
    func stopSendingFin() {
        var pair = CorePair()
        let keys = pair.open()
        pair.edge.core.finish(keys.edge)
        pair.connector.core.stopReading(keys.connector, code: .cancelled, now: pair.connector.now)
        pair.connector.core.finish(keys.connector)
        pair.send()
        pair.deliver()
        #expect(pair.edge.drain(keys.edge).isAtEnd == true)
        #expect(pair.edge.takeEvents() == ["readable", "closed"])
        #expect(pair.connector.drain(keys.connector).isAtEnd == true)
        self.expectCleanEnd(pair, keys)
    }

    @Test("DATA in flight when the receiver resets: charged, released, discarded")
    func dataReset() {
        var pair = CorePair()
        let keys = pair.open()
        pair.edge.core.write(keys.edge, ByteBuffer(repeating: 1, count: 65_536))
        pair.connector.core.reset(keys.connector, code: .localReset)
        pair.send()
        pair.deliver()
        #expect(pair.connector.core.credit.receive.received == 65_536)
        #expect(pair.connector.core.credit.receive.released == 65_536)
        #expect(pair.connector.core.bufferedByteCount == 0)
        #expect(pair.edge.takeEvents() == ["closed LOCAL_RESET resetByPeer"])
        self.expectCleanEnd(pair, keys)
    }

    @Test("DATA sent ahead of the answer when the acceptor rejects: charged, released, discarded")
    func dataReject() {
        var pair = CorePair()
        let keys = pair.openPending()
        pair.edge.core.write(keys.edge, ByteBuffer(repeating: 1, count: 65_536))
        pair.connector.core.reject(keys.connector, code: .connectRefused)
        pair.send()
        pair.deliver()
        #expect(pair.connector.core.credit.receive.released == 65_536)
        #expect(pair.connector.core.bufferedByteCount == 0)
        #expect(pair.edge.takeEvents() == ["closed CONNECT_REFUSED rejected retry-safe"])
        self.expectCleanEnd(pair, keys)
    }

    @Test("final GOAWAY × OPEN: the opener takes streams above the last one as rejects that are safe to retry")
    func goAwayOpen() {
        var pair = CorePair()
        let keys = pair.open()
        pair.connector.core.startDrain(
            code: .shutdown,
            gracePeriod: .seconds(30),
            reconnectAfter: .zero,
            now: pair.connector.now
        )
        pair.send()
        let crossing = pair.edge.open()
        pair.edge.core.write(crossing, ByteBuffer(repeating: 1, count: 1_000))
        _ = pair.connector.core.life.drain.map { _ in pair.connector.tick(after: .seconds(2)) }
        // The final GOAWAY goes out before OPEN arrives.
        pair.send()
        pair.deliver()
        #expect(pair.edge.takeEvents().contains("closed DRAINING rejected retry-safe") == true)
        #expect(pair.connector.takeEvents().contains("opened") == false)
        #expect(pair.connector.core.credit.receive.received == 1_000)
        #expect(pair.connector.core.credit.receive.released == 1_000)
        pair.deliverAll()
        #expect(pair.isAlive)
        #expect(pair.edge.core.streams[keys.edge.slot].wire == .live)
    }

    @Test("BLOCKED before the answer to OPEN makes credit follow OPEN_ACK, never precede it", arguments: [0, 65_536])
    func blockedPendingAcceptor(_ offset: UInt64) {
        var stream = ScriptedStream(.acceptorPending)
        stream.session.receive(.blocked(2, offset: offset))
        #expect(stream.session.endCode == nil)
        #expect(stream.session.output() == [])
        stream.session.core.accept(stream.key)
        let frames = stream.session.output()
        #expect(frames.first == .openAck(2, OpenAckFrame()))
        #expect(frames.count == 2)
        guard case .windowUpdate(2, let granted)? = frames.last else {
            Issue.record("no credit: \(frames)")
            return
        }
        #expect(granted >= 65_536)
    }

    @Test("BLOCKED before a refusal makes nothing due but the refusal")
    func blockedThenRejected() {
        var stream = ScriptedStream(.acceptorPending)
        stream.session.receive(.blocked(2, offset: 0))
        #expect(stream.session.output() == [])
        stream.session.core.reject(stream.key, code: .connectRefused)
        let frames = stream.session.output()
        #expect(frames.first == .reject(2, .connectRefused, reason: ""))
        #expect(frames.dropFirst().allSatisfy { $0.pingNumber != nil })
    }
}

/// The exact end of zombies (docs/protocol.md §B.6.4).
@Suite("The reset barrier (B.6.4)")
struct ResetBarrierSessionTests {
    @Test("a zombie takes DATA up to its credit until the PONG, and none after it")
    func barrier() throws {
        var stream = ScriptedStream(.acceptorOpen)
        stream.session.core.reset(stream.key, code: .cancelled)
        let ping = try #require(stream.session.output().compactMap(\.pingNumber).first)
        stream.session.receive(.bytes(2, 65_000), .pong(ping))
        #expect(stream.session.endCode == nil)
        #expect(stream.wire == nil)
        stream.session.receive(.bytes(2, 1))
        #expect(stream.session.endCode == .streamStateError)
    }

    @Test("resets while a barrier is outstanding wait for the next one")
    func batches() throws {
        var session = ScriptedSession()
        let first = session.accepted(2)
        let second = session.accepted(4)
        session.core.reset(first, code: .cancelled)
        let ping = try #require(session.output().compactMap(\.pingNumber).first)
        session.core.reset(second, code: .cancelled)
        #expect(session.output() == [.reset(4, .cancelled, reason: "")])
        session.receive(.pong(ping))
        #expect(session.core.streams[first.slot].wire == .closed)
        #expect(session.core.streams[second.slot].wire == .zombie)
        let next = try #require(session.output().compactMap(\.pingNumber).first)
        session.receive(.pong(next))
        #expect(session.core.streams[second.slot].wire == .closed)
    }

    @Test("the slot comes back when the stream is closed, no zombie, and its owner has let go")
    func slots() {
        var session = ScriptedSession(configure: { $0.settings.maximumStreams = 4 })
        let key = session.accepted(2)
        session.core.reset(key, code: .cancelled)
        session.settle()
        #expect(session.core.allowance.granted == 4)
        session.core.release(key)
        #expect(session.core.allowance.granted == 5)
        #expect(session.output() == [.maximumStreams(5)])
    }

    @Test("a barrier that waits for the PING rate goes out with the next tick")
    func rateLimited() {
        var session = ScriptedSession()
        let keys = (1...60).map { session.accepted(StreamID(rawValue: 2 * $0)) }
        session.tick(after: .seconds(1))
        session.settle()
        // More barriers than PINGs may go out at once.
        for key in keys {
            session.core.release(key)
            session.settle()
        }
        #expect(session.core.streams.count > 0)
        for _ in 0..<10 where session.core.streams.count > 0 {
            let next = session.core.nextTick(now: session.now) ?? .distantFuture
            #expect(next - session.now <= SessionCore.tickInterval)
            session.tick(after: SessionCore.tickInterval)
            session.settle()
        }
        #expect(session.core.streams.count == 0)
    }
}
