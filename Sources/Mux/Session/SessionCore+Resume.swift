// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

extension SessionCore {
    /// Both HELLOs are known: the edge says how long a session is kept.
    mutating func startResuming(peer: SessionSettings) {
        guard self.capabilities.contains(.resume) else { return }
        let settings = self.role == .edge ? self.configuration.settings : peer
        self.resumeWindow = .milliseconds(Int64(settings.resumeMilliseconds ?? 30_000))
        self.isResumable = self.resumeWindow > .zero && settings.resumeKey != nil && settings.sessionID != nil
    }

    /// How much memory keeps what may have to be sent again, in bytes.
    public var replayByteCount: Int { self.replay.byteCount }

    // MARK: What is sent

    /// Numbers a message that ``poll(into:limit:now:)`` has written.
    mutating func numberSent(owesAcknowledgement: Bool, now: NIODeadline) {
        guard self.isResumable else { return }
        self.replay.number(owesAcknowledgement: owesAcknowledgement, now: now)
        // An acknowledgement that does not come is noticed.
        self.attend(within: Self.calmInterval)
    }

    /// Keeps what goes to the connection, in case that another one has to bring it again.
    ///
    /// - Parameter bytes: The messages that ``poll(into:limit:now:)`` has written since the last time, in the form in
    ///   which they are to be sent again.
    public mutating func keep(_ bytes: ByteBuffer) {
        guard self.isResumable, self.life.isRunning else { return }
        self.replay.keep(bytes)
        if self.replay.byteCount > ReplayBuffer.limit {
            self.fail(ProtocolViolation(exceeding: .unacknowledged, "\(self.replay.byteCount) bytes unacknowledged"))
        }
        self.askForAcknowledgement()
        self.finishBatch()
    }

    /// Whether no DATA is sent until the peer acknowledges what it has.
    var isReplayFull: Bool { self.replay.byteCount >= ReplayBuffer.bound(at: self.level) }

    /// An acknowledgement rides with the answer to a PING, where otherwise the peer could take its time.
    private mutating func askForAcknowledgement() {
        if self.isReplayFull { self.liveness.requestEcho() }
    }

    // MARK: What is received

    /// Counts a message that has come.
    mutating func countReceived(_ bytes: Int, owesAcknowledgement: Bool, now: NIODeadline) {
        self.received.received(bytes, owesAcknowledgement: owesAcknowledgement, now: now)
        // The peer has our latest HELLO, and with it the latest key.
        self.previousKey = nil
        if self.received.owedSince != nil { self.attend(within: ReceivedCount.patience) }
    }

    mutating func receiveAcknowledgement(_ count: UInt64, now: NIODeadline) throws(ProtocolViolation) {
        guard self.isResumable else { throw ProtocolViolation(.unsupported, "ACK where nothing is resumed") }
        try self.replay.acknowledge(count, now: now)
        if self.level != .normal { self.replay.spares.removeAll() }
        self.askForAcknowledgement()
    }

    /// A peer that goes on sending but acknowledges nothing would have everything kept.
    mutating func watchAcknowledgements(now: NIODeadline) {
        if self.received.owedSince != nil { self.attend() }
        guard let waitingSince = self.replay.waitingSince else { return }
        self.attend(within: Self.calmInterval)
        let patience = TimeAmount.milliseconds(Int64(self.configuration.settings.idleTimeoutMilliseconds) * 2)
        guard now - waitingSince >= patience else { return }
        self.fail(ProtocolViolation(exceeding: .unacknowledged, "no ACK for \((now - waitingSince).wholeSeconds) s"))
    }

    /// Sessions that rest keep no memory for what they may send.
    mutating func ageSpares() {
        self.replay.spares.age()
        if !self.replay.spares.isEmpty { self.attend(within: Self.calmInterval) }
    }

    // MARK: Loss

    /// The connection is gone, but the session may go on over another one.
    ///
    /// - Parameters:
    ///   - reason: What is known of why, for logs.
    ///   - now: The time.
    /// - Returns: Whether the session is kept; if not, ``connectionLost(reason:)`` is to follow.
    public mutating func suspend(reason: String, now: NIODeadline) -> Bool {
        guard self.suspension == nil else { return true }
        guard self.isResumable, self.life.isRunning, !self.isLeftBehind else { return false }
        self.suspension = Suspension(since: now, until: now + self.resumeWindow, reason: reason)
        self.events.append(.suspended(reason))
        return true
    }

    /// Whether the peer has said that it leaves, and nothing is left to be finished.
    private var isLeftBehind: Bool {
        guard self.life.hasPeerLeft else { return false }
        return self.liveCount == self.silentCount && self.waitingOpens.isEmpty
    }

    /// The clock of a session without a connection: its end, and what waits for it in vain.
    mutating func tickSuspended(_ suspension: Suspension, now: NIODeadline) {
        self.replay.spares.removeAll()
        let isGraceOver = self.life.drain.map { now >= $0.deadline } ?? false
        guard now < suspension.until, !isGraceOver else {
            let pause = (now - suspension.since).wholeSeconds
            return self.connectionLost(reason: "\(suspension.reason); no connection came for \(pause) s")
        }
        for slot in self.streams.indices where self.streams.isUsed(slot) && self.streams[slot].wire == .waiting {
            guard let deadline = self.streams[slot].answerDeadline, now >= deadline else { continue }
            self.abort(slot, .deadlineExceeded, "the connection is gone and has not come back")
        }
        self.finishBatch()
    }

    // MARK: Return

    /// What the connector's next HELLO says to go on with the session; `nil` if there is nothing to go on with.
    public var resumeRequest: ResumeRequest? {
        guard self.role == .connector, self.suspension != nil, let peer, let id = peer.sessionID,
            let key = peer.resumeKey
        else { return nil }
        return ResumeRequest(sessionID: id, key: key, received: self.received.count)
    }

    /// Whether a request to go on with the session is to be granted: its key is that of the last HELLO that arrived, and
    /// its count can be.
    ///
    /// - Parameters:
    ///   - request: What the connector says.
    ///   - bundle: The bundle that it claims.
    public func grants(_ request: ResumeRequest, bundle: SessionSettings.Bundle?) -> Bool {
        guard self.role == .edge, self.isResumable, self.life.isRunning else { return false }
        let isKeyRight = [self.resumeKey, self.previousKey].reduce(false) { $0 || $1 == request.key }
        return isKeyRight && request.sessionID == self.configuration.settings.sessionID && bundle == self.peer?.bundle
            && (self.replay.acknowledged...self.replay.sent).contains(request.received)
    }

    /// Goes on over another connection.
    ///
    /// What ``nextAgain()`` gives goes out first, then what ``poll(into:limit:now:)`` writes.
    ///
    /// - Parameters:
    ///   - received: How many of this side's messages the peer has.
    ///   - key: The key of the edge's HELLO that grants it; `nil` at the edge.
    ///   - now: The time.
    /// - Throws: PROTOCOL_ERROR for a count that can't be.
    public mutating func resume(
        received: UInt64,
        key: ResumeKey? = nil,
        now: NIODeadline
    ) throws(ProtocolViolation) -> Resumption {
        let repeated = try self.replay.restart(after: received, now: now)
        let pause = self.suspension.map { now - $0.since } ?? .zero
        self.suspension = nil
        // HELLO tells the peer what has been received so far.
        _ = self.received.take()
        if let key { self.peer?.resumeKey = key }
        self.liveness.resumed(now: now)
        self.credit.pathChanged()
        self.barrier.resumed(now: now)
        for slot in self.streams.indices where self.streams.isUsed(slot) { self.streams[slot].postpone(by: pause) }
        self.attend()
        self.finishBatch()
        return Resumption(pause: pause, repeated: repeated)
    }

    /// The next part of what is to be sent again: whole messages, the first few of which may have to be left out.
    mutating func nextAgain() -> ReplayBuffer.Again? { self.replay.nextAgain() }

    /// The edge's HELLO that grants a return, with a new key.
    ///
    /// The key that the connector has shown stays good until it shows that it has the new one: the connection may end
    /// before HELLO arrives.
    mutating func helloOfReturn(to request: ResumeRequest) -> HelloFrame {
        self.previousKey = request.key
        let key = ResumeKey()
        self.resumeKey = key
        var hello = self.hello()
        hello.settings.resumeKey = key
        hello.settings.resumed = self.received.count
        return hello
    }
}
