// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import Testing

@testable import Mux

/// Every row of the table in docs/protocol.md §B.6.2: what the owner of a stream may do, and what goes out.
@Suite("Local actions by the state of their stream (B.6.2)")
struct LocalActionTests {
    typealias Standing = ScriptedStream.Standing

    private static let over: [Standing] = [.zombieOfReset, .zombieOfReject, .closed]

    // MARK: open

    @Test("open in an active session with a slot serialises OPEN and makes the stream pending")
    func open() throws {
        var session = ScriptedSession()
        let key = session.open()
        #expect(session.core.streams[key.slot].wire == .waiting)
        let frames = session.output()
        #expect(frames.count == 1)
        guard case .open(let id, let frame) = frames.first else { throw UnexpectedOutput() }
        #expect(id == 1)
        #expect(frame.window == 262_144)
        #expect(frame.deadlineMilliseconds == 10_000)
        #expect(session.core.streams[key.slot].wire == .live)
        #expect(session.core.streams[key.slot].state.phase == .pending)
    }

    @Test("open without a slot waits, and gets the next number when the peer grants one")
    func openWaits() {
        var session = ScriptedSession(peer: { $0.maximumStreams = 1 })
        _ = session.open()
        let second = session.open()
        let third = session.open()
        #expect(session.output().count == 1)
        session.core.release(second)
        session.receive(.maximumStreams(2))
        let frames = session.output()
        guard frames.count == 1, case .open(3, _) = frames[0] else {
            Issue.record("a cancelled open must leave no gap: \(frames)")
            return
        }
        #expect(session.core.streams.slot(of: 3) == third.slot)
    }

    @Test("what is written without credit in slivers of large reads takes about its own length of memory")
    func slivers() throws {
        var session = ScriptedSession()
        let key = session.open()
        for number in 0..<50_000 {
            var read = ByteBuffer(repeating: UInt8(truncatingIfNeeded: number), count: 4_096)
            let sliver = read.readSlice(length: 1)
            session.core.write(key, try #require(sliver))
        }
        var queue = session.core.streams[key.slot].sendQueue
        #expect(queue.byteCount == 50_000)
        var (capacity, number) = (0, 0)
        while let bytes = queue.popFirst() {
            capacity += bytes.storageCapacity
            for byte in bytes.readableBytesView {
                #expect(byte == UInt8(truncatingIfNeeded: number))
                number += 1
            }
        }
        #expect(capacity <= 200_000)
    }

    @Test("open fails before HELLO, after the peer's DRAIN and after the end")
    func openUnavailable() {
        var early = ScriptedSession(unconnected: .connector)
        #expect(early.openError() == .sessionUnavailable)
        var draining = ScriptedSession()
        draining.receive(.drain())
        #expect(draining.openError() == .sessionUnavailable)
        var over = ScriptedSession()
        over.core.close(code: .internalError, reason: "")
        #expect(over.openError() == .sessionUnavailable)
    }

    @Test("open fails when as many wait for a slot as may, and for a target that can't be sent")
    func openRefused() {
        var session = ScriptedSession(configure: { $0.maximumWaitingOpens = 2 }, peer: { _ in })
        #expect(session.openError(target: "") == .invalidMetadata)
        #expect(session.openError(target: String(repeating: "x", count: 256)) == .invalidMetadata)
        _ = session.open()
        _ = session.open()
        #expect(!session.core.canOpenStreams)
        #expect(session.openError() == .tooManyWaiting)
    }

    @Test("opens that wait when a GOAWAY comes fail as DRAINING and are safe to retry")
    func openWaitingAtGoAway() {
        var session = ScriptedSession(peer: { _ in })
        _ = session.open()
        session.receive(.drain())
        #expect(session.takeEvents().contains("closed DRAINING rejected retry-safe") == true)
        #expect(session.output() == [])
    }

    // MARK: accept

    @Test("accept of a pending stream sends OPEN_ACK")
    func accept() throws {
        var stream = ScriptedStream(.acceptorPending)
        stream.session.core.accept(stream.key, acknowledgement: OpenAckFrame(connectMicroseconds: 7))
        #expect(stream.session.output() == [.openAck(2, OpenAckFrame(connectMicroseconds: 7))])
        #expect(try #require(stream.state).phase == .open)
    }

    @Test("accept makes what came before readable, and not earlier")
    func acceptReveals() {
        var stream = ScriptedStream(.acceptorPending)
        stream.session.receive(.bytes(2, 50))
        #expect(stream.session.takeEvents() == [])
        #expect(stream.session.drain(stream.key).bytes == 0)
        stream.session.core.accept(stream.key)
        #expect(stream.session.takeEvents() == ["readable"])
        #expect(stream.session.drain(stream.key).bytes == 50)
    }

    @Test("accept does nothing anywhere else", arguments: Standing.live.filter { $0 != .acceptorPending } + over)
    func acceptElsewhere(_ standing: Standing) {
        var stream = ScriptedStream(standing)
        stream.session.core.accept(stream.key)
        #expect(stream.session.output() == [])
    }

    // MARK: reject

    @Test("reject of a pending stream drops what came, sends REJECT and leaves a zombie behind a barrier")
    func reject() {
        var stream = ScriptedStream(.acceptorPending)
        stream.session.receive(.bytes(2, 50))
        stream.session.core.reject(stream.key, code: .connectRefused, reason: "no")
        let frames = stream.session.output()
        #expect(frames.first == .reject(2, .connectRefused, reason: "no"))
        #expect(frames.compactMap(\.pingNumber).count == 1)
        #expect(stream.wire == .zombie)
        #expect(stream.session.core.bufferedByteCount == 0)
        #expect(stream.session.core.credit.receive.released == 50)
    }

    @Test("reject does nothing anywhere else", arguments: Standing.live.filter { $0 != .acceptorPending } + over)
    func rejectElsewhere(_ standing: Standing) {
        var stream = ScriptedStream(standing)
        stream.session.core.reject(stream.key, code: .overloaded)
        #expect(stream.session.output() == [])
    }

    // MARK: write

    @Test(
        "write goes out while the sending side is open",
        arguments: [
            Standing.acceptorOpen, .openerPending, .openerOpen, .stopped, .receivedFin,
        ]
    )
    func write(_ standing: Standing) {
        var stream = ScriptedStream(standing)
        let mayGoOn = stream.session.core.write(stream.key, ByteBuffer(string: "aaaaa"))
        #expect(mayGoOn)
        #expect(stream.session.output() == [.bytes(stream.id, 5)])
    }

    @Test("an opener's bytes ride behind OPEN in the same message")
    func writeBehindOpen() {
        var session = ScriptedSession()
        let key = session.open()
        session.core.write(key, ByteBuffer(string: "aaaaa"))
        session.core.finish(key)
        let messages = session.messages()
        #expect(messages.count == 1)
        var decoder = FrameDecoder(message: messages.first ?? ByteBuffer())
        guard case .open(1, _)? = try? decoder.next() else {
            Issue.record("OPEN is not first")
            return
        }
        #expect((try? decoder.next()) == .bytes(1, 5, isLast: true))
    }

    @Test(
        "write is dropped before accept, after finish and when the stream is over",
        arguments: [
            Standing.acceptorPending, .sentFin, .zombieOfReset, .zombieOfReject, .closed,
        ]
    )
    func writeForbidden(_ standing: Standing) {
        var stream = ScriptedStream(standing)
        let mayGoOn = stream.session.core.write(stream.key, ByteBuffer(string: "aaaaa"))
        #expect(!mayGoOn)
        #expect(stream.session.output() == [])
    }

    // MARK: finish

    @Test("finish sets FIN on the last DATA")
    func finishWithData() throws {
        var stream = ScriptedStream(.acceptorOpen)
        stream.session.core.write(stream.key, ByteBuffer(string: "aaaaa"))
        stream.session.core.finish(stream.key)
        #expect(try #require(stream.state).sending == .finishing)
        #expect(stream.session.output() == [.bytes(2, 5, isLast: true)])
        #expect(try #require(stream.state).sending == .finished)
    }

    @Test("finish after the last DATA is out sends an empty one with FIN")
    func finishAlone() {
        var stream = ScriptedStream(.acceptorOpen)
        stream.session.core.write(stream.key, ByteBuffer(string: "aaaaa"))
        #expect(stream.session.output() == [.bytes(2, 5)])
        stream.session.core.finish(stream.key)
        #expect(stream.session.output() == [.bytes(2, 0, isLast: true)])
    }

    @Test("finish needs no credit")
    func finishWithoutCredit() {
        var session = ScriptedSession()
        let key = session.accepted(2, window: 0)
        session.core.finish(key)
        #expect(session.output() == [.bytes(2, 0, isLast: true)])
    }

    @Test("finish of both sides closes the stream")
    func finishBoth() {
        var stream = ScriptedStream(.receivedFin)
        #expect(stream.session.drain(stream.key).isAtEnd == true)
        stream.session.core.finish(stream.key)
        #expect(stream.session.output() == [.bytes(2, 0, isLast: true)])
        #expect(stream.wire == nil)
        #expect(stream.session.takeEvents() == ["closed"])
    }

    @Test("finish does nothing a second time or when the stream is over", arguments: [Standing.sentFin] + over)
    func finishElsewhere(_ standing: Standing) {
        var stream = ScriptedStream(standing)
        stream.session.core.finish(stream.key)
        #expect(stream.session.output() == [])
    }

    // MARK: stopReading

    @Test(
        "stopReading drops what is buffered, sends STOP_SENDING and grants nothing more",
        arguments: [
            Standing.acceptorOpen, .openerOpen, .sentFin,
        ]
    )
    func stopReading(_ standing: Standing) throws {
        var stream = ScriptedStream(standing)
        stream.session.receive(.bytes(stream.id, 30_000))
        stream.session.core.stopReading(stream.key, code: .localIOError, now: stream.session.now)
        #expect(stream.session.output() == [.stopSending(stream.id, .localIOError)])
        #expect(stream.session.core.bufferedByteCount == 0)
        #expect(try #require(stream.state).receiving == .stopped)
        stream.session.receive(.bytes(stream.id, 30_000))
        #expect(stream.session.output() == [])
    }

    @Test("stopReading of a stream whose OPEN has not gone out follows OPEN")
    func stopReadingWaiting() {
        var session = ScriptedSession()
        let key = session.open()
        session.core.stopReading(key, code: .cancelled, now: session.now)
        let frames = session.output()
        guard frames.count == 2, case .open(1, _) = frames[0] else {
            Issue.record("OPEN must come first: \(frames)")
            return
        }
        #expect(frames[1] == .stopSending(1, .cancelled))
    }

    @Test(
        "stopReading does nothing before an answer, a second time, after FIN or when the stream is over",
        arguments: [Standing.acceptorPending, .stopped, .receivedFin] + over
    )
    func stopReadingElsewhere(_ standing: Standing) {
        var stream = ScriptedStream(standing)
        stream.session.core.stopReading(stream.key, code: .cancelled, now: stream.session.now)
        #expect(stream.session.output() == [])
    }

    // MARK: reset

    @Test(
        "reset drops what is queued, sends RESET and leaves a zombie behind a barrier",
        arguments: Standing.live.filter { $0 != .acceptorPending }
    )
    func reset(_ standing: Standing) {
        var stream = ScriptedStream(standing)
        stream.session.core.write(stream.key, ByteBuffer(string: "never sent"))
        stream.session.core.reset(stream.key, code: .localReset, reason: "x")
        let frames = stream.session.output()
        #expect(frames.first == .reset(stream.id, .localReset, reason: "x"))
        #expect(frames.count == 2)
        #expect(frames.last?.pingNumber != nil)
        #expect(stream.wire == .zombie)
    }

    @Test("reset of a stream that was not answered yet is a REJECT")
    func resetPendingAcceptor() {
        var stream = ScriptedStream(.acceptorPending)
        stream.session.core.reset(stream.key, code: .cancelled)
        #expect(stream.session.output().first == .reject(2, .cancelled, reason: ""))
    }

    @Test("reset of a stream whose OPEN has not gone out sends nothing")
    func resetWaiting() {
        var session = ScriptedSession()
        let key = session.open()
        session.core.write(key, ByteBuffer(string: "never sent"))
        session.core.reset(key, code: .cancelled)
        session.core.release(key)
        #expect(session.output() == [])
        #expect(session.core.streams.count == 0)
        #expect(session.core.openedCount == 0)
    }

    @Test("reset does nothing when the stream is over", arguments: over)
    func resetElsewhere(_ standing: Standing) {
        var stream = ScriptedStream(standing)
        stream.session.core.reset(stream.key, code: .cancelled)
        #expect(stream.session.output() == [])
    }

    @Test("reset of an accepted stream before OPEN_ACK went out sends RESET alone")
    func resetBeforeAcknowledgement() {
        var stream = ScriptedStream(.acceptorPending)
        stream.session.core.accept(stream.key)
        stream.session.core.reset(stream.key, code: .localReset)
        let frames = stream.session.output()
        #expect(frames.first == .reset(2, .localReset, reason: ""))
        #expect(frames.count == 2)
    }
}

/// What a core sent is not what the test reads next.
struct UnexpectedOutput: Error {}

extension Frame {
    /// The announcement of a drain.
    static func drain(code: ErrorCode = .shutdown, grace: UInt32 = 30_000) -> Frame {
        .goAway(
            GoAwayFrame(
                isDrain: true,
                lastStreamID: StreamID(rawValue: .max),
                code: code,
                graceMilliseconds: grace,
                reconnectMilliseconds: 250
            )
        )
    }

    static func goAway(last: StreamID, code: ErrorCode = .shutdown) -> Frame {
        .goAway(GoAwayFrame(isDrain: false, lastStreamID: last, code: code))
    }
}

extension ScriptedSession {
    /// Why a stream can't be opened.
    mutating func openError(target: String = "web") -> OpenError? {
        do {
            _ = try self.core.open(kind: .http, metadata: OpenMetadata(target: target), now: self.now)
            return nil
        } catch {
            return error
        }
    }
}
