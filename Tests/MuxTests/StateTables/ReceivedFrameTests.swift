// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import Testing

@testable import Mux

/// Every cell of the table in docs/protocol.md §B.6.1: what a received frame does to a stream in a state.
@Suite("Received frames by the state of their stream (B.6.1)")
struct ReceivedFrameTests {
    typealias Standing = ScriptedStream.Standing

    /// Hands one frame to a stream in the state and tells how the session ended, if it did.
    private func verdict(_ standing: Standing, _ frame: (StreamID) -> Frame) -> (ScriptedStream, ErrorCode?) {
        var stream = ScriptedStream(standing)
        stream.session.receive(frame(stream.id))
        return (stream, stream.session.endCode)
    }

    /// The frame changes nothing: the session lives, nothing is told, nothing is answered.
    private func expectIgnored(_ standing: Standing, _ frame: (StreamID) -> Frame) {
        let before = ScriptedStream(standing)
        var (stream, code) = self.verdict(standing, frame)
        #expect(code == nil)
        #expect(stream.session.takeEvents() == [])
        #expect(stream.session.output() == [])
        #expect(stream.wire == before.wire)
        #expect(stream.state == before.state)
    }

    // MARK: OPEN

    @Test("OPEN of the expected number with a slot makes a pending stream")
    func openIdle() throws {
        var stream = ScriptedStream(.idlePeer)
        stream.session.receive(.opening(2))
        #expect(stream.session.takeEvents() == ["opened"])
        #expect(stream.wire == .live)
        #expect(try #require(stream.state).phase == .pending)
        #expect(try #require(stream.state).mayAnswer)
    }

    @Test("OPEN of a number of ours is a PROTOCOL_ERROR")
    func openOwnParity() {
        #expect(self.verdict(.idleOwn) { .opening($0) }.1 == .protocolError)
    }

    @Test("OPEN that leaves a gap is a PROTOCOL_ERROR")
    func openGap() {
        #expect(self.verdict(.idlePeer) { .opening(StreamID(rawValue: $0.rawValue + 2)) }.1 == .protocolError)
    }

    @Test("OPEN without a slot is a STREAM_LIMIT_ERROR")
    func openWithoutSlot() {
        var session = ScriptedSession(configure: { $0.settings.maximumStreams = 2 })
        session.receive(.opening(2), .opening(4))
        #expect(session.endCode == nil)
        session.receive(.opening(6))
        #expect(session.endCode == .streamLimitError)
    }

    @Test(
        "OPEN of a number in use or used up is a PROTOCOL_ERROR",
        arguments: Standing.live + Standing.zombies + [.closed]
    )
    func openAgain(_ standing: Standing) {
        #expect(self.verdict(standing) { .opening($0) }.1 == .protocolError)
    }

    // MARK: OPEN_ACK

    @Test("OPEN_ACK opens a pending stream of ours")
    func openAckPending() throws {
        var (stream, code) = self.verdict(.openerPending) { .openAck($0, OpenAckFrame()) }
        #expect(code == nil)
        #expect(stream.session.takeEvents() == ["accepted"])
        #expect(try #require(stream.state).phase == .open)
    }

    @Test(
        "OPEN_ACK is a STREAM_STATE_ERROR on any other live, idle or closed stream",
        arguments: Standing.idle + Standing.live.filter { $0 != .openerPending } + [.closed]
    )
    func openAckElsewhere(_ standing: Standing) {
        #expect(self.verdict(standing) { .openAck($0, OpenAckFrame()) }.1 == .streamStateError)
    }

    @Test("OPEN_ACK on a zombie is ignored", arguments: Standing.zombies)
    func openAckZombie(_ standing: Standing) {
        self.expectIgnored(standing) { .openAck($0, OpenAckFrame()) }
    }

    // MARK: REJECT

    @Test("REJECT closes a pending stream of ours and is safe to retry")
    func rejectPending() {
        var (stream, code) = self.verdict(.openerPending) { .reject($0, .connectRefused, reason: "no") }
        #expect(code == nil)
        #expect(stream.session.takeEvents() == ["closed CONNECT_REFUSED rejected retry-safe"])
        #expect(stream.wire == nil)
    }

    @Test(
        "REJECT is a STREAM_STATE_ERROR on any other live, idle or closed stream",
        arguments: Standing.idle + Standing.live.filter { $0 != .openerPending } + [.closed]
    )
    func rejectElsewhere(_ standing: Standing) {
        #expect(self.verdict(standing) { .reject($0, .overloaded, reason: "") }.1 == .streamStateError)
    }

    @Test("REJECT removes a zombie", arguments: Standing.zombies)
    func rejectZombie(_ standing: Standing) {
        let (stream, code) = self.verdict(standing) { .reject($0, .overloaded, reason: "") }
        #expect(code == nil)
        #expect(stream.wire == nil)
    }

    // MARK: DATA

    @Test(
        "DATA is a STREAM_STATE_ERROR on an idle or closed stream, after FIN, and before OPEN_ACK of ours",
        arguments: Standing.idle + [.receivedFin, .openerPending, .closed]
    )
    func dataForbidden(_ standing: Standing) {
        #expect(self.verdict(standing) { .bytes($0, 10) }.1 == .streamStateError)
    }

    @Test(
        "DATA on a live stream is charged to the stream and the session, and kept",
        arguments: [Standing.acceptorPending, .acceptorOpen, .openerOpen, .sentFin]
    )
    func dataKept(_ standing: Standing) throws {
        let (stream, code) = self.verdict(standing) { .bytes($0, 1_000) }
        #expect(code == nil)
        let slot = try #require(stream.session.core.streams.slot(of: stream.id))
        #expect(stream.session.core.streams[slot].receiveWindow.received == 1_000)
        #expect(stream.session.core.streams[slot].receiveQueue.byteCount == 1_000)
        #expect(stream.session.core.credit.receive.received == 1_000)
        #expect(stream.session.core.credit.receive.released == 1_000)
        #expect(stream.session.core.bufferedByteCount == 1_000)
    }

    @Test("DATA on a stopped stream is charged and discarded")
    func dataStopped() throws {
        var (stream, code) = self.verdict(.stopped) { .bytes($0, 1_000) }
        #expect(code == nil)
        #expect(stream.session.takeEvents() == [])
        let slot = try #require(stream.session.core.streams.slot(of: stream.id))
        #expect(stream.session.core.streams[slot].receiveWindow.received == 1_000)
        #expect(stream.session.core.streams[slot].receiveWindow.consumed == 1_000)
        #expect(stream.session.core.credit.receive.released == 1_000)
        #expect(stream.session.core.bufferedByteCount == 0)
    }

    @Test(
        "FIN finishes the receiving side",
        arguments: [Standing.acceptorPending, .acceptorOpen, .openerOpen, .stopped]
    )
    func dataFin(_ standing: Standing) throws {
        let (stream, code) = self.verdict(standing) { .bytes($0, 3, isLast: true) }
        #expect(code == nil)
        #expect(try #require(stream.state).receiving == .finished)
    }

    @Test("DATA on a zombie is charged, released and discarded", arguments: Standing.zombies)
    func dataZombie(_ standing: Standing) throws {
        var (stream, code) = self.verdict(standing) { .bytes($0, 1_000, isLast: true) }
        #expect(code == nil)
        #expect(stream.session.takeEvents() == [])
        #expect(stream.session.output() == [])
        let slot = try #require(stream.session.core.streams.slot(of: stream.id))
        #expect(stream.session.core.streams[slot].receiveWindow.received == 1_000)
        #expect(stream.session.core.credit.receive.released == 1_000)
        #expect(stream.session.core.bufferedByteCount == 0)
    }

    @Test(
        "DATA beyond the credit of a live stream or a zombie is a FLOW_CONTROL_ERROR",
        arguments: [
            Standing.acceptorPending, .acceptorOpen, .stopped, .sentFin, .zombieOfReset, .zombieOfReject,
        ]
    )
    func dataBeyondCredit(_ standing: Standing) {
        var stream = ScriptedStream(standing)
        stream.session.receive(.bytes(stream.id, 40_000))
        stream.session.receive(.bytes(stream.id, 25_536))
        #expect(stream.session.endCode == nil)
        stream.session.receive(.bytes(stream.id, 1))
        #expect(stream.session.endCode == .flowControlError)
    }

    // MARK: WINDOW_UPDATE

    @Test("WINDOW_UPDATE is a STREAM_STATE_ERROR on an idle stream", arguments: Standing.idle)
    func windowUpdateIdle(_ standing: Standing) {
        #expect(self.verdict(standing) { .windowUpdate($0, offset: 100_000) }.1 == .streamStateError)
    }

    @Test(
        "WINDOW_UPDATE raises the limit of a live stream",
        arguments: Standing.live.filter { $0 != .sentFin }
    )
    func windowUpdateLive(_ standing: Standing) throws {
        let (stream, code) = self.verdict(standing) { .windowUpdate($0, offset: 100_000) }
        #expect(code == nil)
        let slot = try #require(stream.session.core.streams.slot(of: stream.id))
        #expect(stream.session.core.streams[slot].sendWindow.limit == 100_000)
    }

    @Test("A lower WINDOW_UPDATE leaves the limit and counts as a glitch")
    func windowUpdateLower() throws {
        let (stream, code) = self.verdict(.acceptorOpen) { .windowUpdate($0, offset: 65_535) }
        #expect(code == nil)
        let slot = try #require(stream.session.core.streams.slot(of: stream.id))
        #expect(stream.session.core.streams[slot].sendWindow.limit == 65_536)
        #expect(stream.session.core.glitchCount == 1)
    }

    @Test(
        "WINDOW_UPDATE is ignored after our FIN, on a zombie and on a closed stream",
        arguments: [Standing.sentFin, .closed] + Standing.zombies
    )
    func windowUpdateIgnored(_ standing: Standing) {
        self.expectIgnored(standing) { .windowUpdate($0, offset: 100_000) }
    }

    // MARK: BLOCKED

    @Test("BLOCKED is a STREAM_STATE_ERROR on an idle stream", arguments: Standing.idle)
    func blockedIdle(_ standing: Standing) {
        #expect(self.verdict(standing) { .blocked($0, offset: 0) }.1 == .streamStateError)
    }

    @Test(
        "BLOCKED at the limit with nothing unread makes the window grow",
        arguments: [Standing.acceptorOpen, .openerOpen, .sentFin]
    )
    func blockedLive(_ standing: Standing) throws {
        let before = ScriptedStream(standing)
        let slot = try #require(before.session.core.streams.slot(of: before.id))
        let granted = before.session.core.streams[slot].receiveWindow.granted
        var (stream, code) = self.verdict(standing) { .blocked($0, offset: granted) }
        #expect(code == nil)
        #expect(stream.session.output() == [.windowUpdate(stream.id, offset: 4 * granted)])
    }

    @Test("BLOCKED above what was granted is a FLOW_CONTROL_ERROR")
    func blockedAboveGrant() {
        #expect(self.verdict(.acceptorOpen) { .blocked($0, offset: 65_537) }.1 == .flowControlError)
    }

    @Test("BLOCKED is ignored on a zombie and on a closed stream", arguments: Standing.zombies + [.closed])
    func blockedIgnored(_ standing: Standing) {
        self.expectIgnored(standing) { .blocked($0, offset: 65_536) }
    }

    // MARK: STOP_SENDING

    @Test("STOP_SENDING is a STREAM_STATE_ERROR on an idle stream", arguments: Standing.idle)
    func stopSendingIdle(_ standing: Standing) {
        #expect(self.verdict(standing) { .stopSending($0, .cancelled) }.1 == .streamStateError)
    }

    @Test(
        "STOP_SENDING drops what is unsent, ends with an empty FIN and tells the owner",
        arguments: [
            Standing.acceptorOpen, .openerPending, .openerOpen, .stopped, .receivedFin,
        ]
    )
    func stopSendingLive(_ standing: Standing) {
        var stream = ScriptedStream(standing)
        stream.session.core.write(stream.key, ByteBuffer(string: "never sent"))
        stream.session.receive(.stopSending(stream.id, .cancelled))
        #expect(stream.session.endCode == nil)
        #expect(stream.session.takeEvents().first == "stopped CANCELLED")
        #expect(stream.session.output() == [.bytes(stream.id, 0, isLast: true)])
    }

    @Test("STOP_SENDING before the answer to OPEN makes FIN follow OPEN_ACK")
    func stopSendingPendingAcceptor() {
        var (stream, code) = self.verdict(.acceptorPending) { .stopSending($0, .cancelled) }
        #expect(code == nil)
        #expect(stream.session.output() == [])
        stream.session.core.accept(stream.key)
        #expect(stream.session.output() == [.openAck(2, OpenAckFrame()), .bytes(2, 0, isLast: true)])
    }

    @Test(
        "STOP_SENDING is ignored after our FIN, on a zombie and on a closed stream",
        arguments: [Standing.sentFin, .closed] + Standing.zombies
    )
    func stopSendingIgnored(_ standing: Standing) {
        self.expectIgnored(standing) { .stopSending($0, .cancelled) }
    }

    @Test("STOP_SENDING again, before our FIN is out, tells nothing again")
    func stopSendingTwice() {
        var stream = ScriptedStream(.acceptorOpen)
        stream.session.core.write(stream.key, ByteBuffer(string: "never sent"))
        stream.session.receive(.stopSending(2, .cancelled), .stopSending(2, .cancelled), .stopSending(2, .localReset))
        #expect(stream.session.endCode == nil)
        #expect(stream.session.takeEvents() == ["stopped CANCELLED"])
        #expect(stream.session.output() == [.bytes(2, 0, isLast: true)])
    }

    @Test("STOP_SENDING while unsent bytes wait before a FIN drops them")
    func stopSendingWhileFinishing() {
        var stream = ScriptedStream(.acceptorOpen)
        stream.session.core.write(stream.key, ByteBuffer(string: "never sent"))
        stream.session.core.finish(stream.key)
        stream.session.receive(.stopSending(2, .cancelled))
        #expect(stream.session.takeEvents() == ["stopped CANCELLED"])
        #expect(stream.session.output() == [.bytes(2, 0, isLast: true)])
    }

    // MARK: RESET

    @Test("RESET is a STREAM_STATE_ERROR on an idle stream", arguments: Standing.idle)
    func resetIdle(_ standing: Standing) {
        #expect(self.verdict(standing) { .reset($0, .cancelled, reason: "") }.1 == .streamStateError)
    }

    @Test(
        "RESET closes a live stream, drops what is queued and buffered, and tells the code",
        arguments: [
            Standing.acceptorPending, .acceptorOpen, .openerPending, .openerOpen, .stopped, .sentFin,
        ]
    )
    func resetLive(_ standing: Standing) {
        var stream = ScriptedStream(standing)
        stream.session.core.write(stream.key, ByteBuffer(string: "never sent"))
        if standing != .openerPending { stream.session.receive(.bytes(stream.id, 100)) }
        _ = stream.session.takeEvents()
        stream.session.receive(.reset(stream.id, .localReset, reason: "x"))
        #expect(stream.session.endCode == nil)
        #expect(stream.session.takeEvents() == ["closed LOCAL_RESET resetByPeer"])
        #expect(stream.wire == nil)
        #expect(stream.session.core.bufferedByteCount == 0)
        #expect(stream.session.output() == [])
    }

    @Test("RESET after FIN leaves what was received in full to be read, then tells the code")
    func resetAfterFin() {
        var stream = ScriptedStream(.acceptorOpen)
        stream.session.receive(.bytes(2, 100, isLast: true), .reset(2, .cancelled, reason: ""))
        #expect(stream.session.takeEvents() == ["readable"])
        let (count, isAtEnd) = stream.session.drain(stream.key)
        #expect(count == 100)
        #expect(isAtEnd)
        #expect(stream.session.takeEvents() == ["closed CANCELLED resetByPeer"])
    }

    @Test("RESET of a stream that was sent in full but not answered yet reaches the owner at once")
    func resetAfterFinBeforeAnswer() {
        var stream = ScriptedStream(.acceptorPending)
        stream.session.receive(.bytes(2, 100, isLast: true), .reset(2, .cancelled, reason: ""))
        #expect(stream.session.takeEvents() == ["closed CANCELLED resetByPeer"])
        #expect(stream.session.core.bufferedByteCount == 0)
        stream.session.core.release(stream.key)
        #expect(stream.session.core.allowance.granted == 1_025)
    }

    @Test("RESET removes a zombie", arguments: Standing.zombies)
    func resetZombie(_ standing: Standing) {
        let (stream, code) = self.verdict(standing) { .reset($0, .cancelled, reason: "") }
        #expect(code == nil)
        #expect(stream.wire == nil)
    }

    @Test("RESET on a closed stream is ignored")
    func resetClosed() {
        self.expectIgnored(.closed) { .reset($0, .cancelled, reason: "") }
    }
}
