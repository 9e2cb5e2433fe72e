// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

extension SessionCore {
    // MARK: Opening

    /// Opens a stream.
    ///
    /// OPEN goes out as soon as the peer allows another stream and the session's budget has room for a window; bytes written
    /// meanwhile ride behind it.
    ///
    /// - Parameters:
    ///   - kind: What the bytes of the stream are.
    ///   - priority: How large its share is.
    ///   - metadata: What else the acceptor must know.
    ///   - deadline: How long the acceptor has to answer, at most 60 s.
    ///   - now: The time.
    /// - Throws: ``OpenError``; nothing was sent.
    public mutating func open(
        kind: StreamKind,
        priority: Priority = .normal,
        metadata: OpenMetadata,
        deadline: TimeAmount = .seconds(10),
        now: NIODeadline
    ) throws(OpenError) -> StreamKey {
        guard self.life.isRunning, !self.life.isPeerLeaving, let peer = self.peer else {
            throw .sessionUnavailable
        }
        guard self.waitingOpens.count < self.configuration.maximumWaitingOpens else { throw .tooManyWaiting }
        guard (1...255).contains(metadata.target.utf8.count) else { throw .invalidMetadata }
        let milliseconds = UInt32(clamping: max(1, min(deadline.nanoseconds / 1_000_000, 60_000)))
        let frame = OpenFrame(
            kind: kind,
            priority: priority,
            window: 0,
            deadlineMilliseconds: milliseconds,
            metadata: metadata
        )
        var record = StreamRecord(
            state: StreamState(isOpener: true),
            kind: kind,
            urgency: priority.urgency,
            sendWindow: SendWindow(limit: UInt64(peer.initialWindow)),
            receiveWindow: ReceiveWindow(granted: 0),
            tuner: WindowTuner(window: 0, now: now)
        )
        record.answerDeadline = now + .milliseconds(Int64(milliseconds)) + .seconds(2)
        self.attend(within: Self.calmInterval)
        let key = self.streams.insert(record)
        self.waitingOpens.append((key, frame))
        return key
    }

    /// Takes a stream that the peer opened.
    ///
    /// - Parameters:
    ///   - key: The stream, not answered yet.
    ///   - acknowledgement: What OPEN_ACK is to say.
    public mutating func accept(_ key: StreamKey, acknowledgement: OpenAckFrame = OpenAckFrame()) {
        guard let slot = self.liveSlot(key), self.streams[slot].state.mayAnswer else { return }
        self.streams[slot].state.accept()
        self.streams[slot].answerDeadline = nil
        self.streams[slot].acknowledgement = acknowledgement
        self.require(.openAck, of: slot)
        self.schedule(slot)
        if !self.streams[slot].receiveQueue.isEmpty || self.streams[slot].state.receiving == .finished {
            self.signalReadable(slot)
        }
    }

    /// Reads a stream that the peer opened before it is answered, to pass on what comes (docs/protocol.md §B.20).
    ///
    /// It can still be accepted, or refused if whoever it was passed on to has refused it: nothing else shows that nothing
    /// was delivered. Until then nothing is sent on it, no credit either.
    ///
    /// - Parameter key: The stream, not answered yet.
    public mutating func relay(_ key: StreamKey) {
        guard let slot = self.liveSlot(key), self.streams[slot].state.relay() else { return }
        if !self.streams[slot].receiveQueue.isEmpty || self.streams[slot].state.receiving == .finished {
            self.signalReadable(slot)
        }
    }

    /// Refuses a stream that the peer opened: nothing of it was delivered.
    ///
    /// - Parameters:
    ///   - key: The stream, not answered yet.
    ///   - code: Why.
    ///   - reason: What REJECT says of it, for the peer's logs.
    public mutating func reject(_ key: StreamKey, code: ErrorCode, reason: String = "") {
        guard let slot = self.liveSlot(key), self.streams[slot].state.mayAnswer else { return }
        self.refuse(slot, code, reason)
    }

    // MARK: Sending

    /// Queues bytes.
    ///
    /// - Returns: Whether the writer may go on; if not ``SessionEvent/writable(_:)`` follows. Bytes for a stream that
    ///   takes none any more are dropped.
    @discardableResult
    public mutating func write(_ key: StreamKey, _ bytes: ByteBuffer) -> Bool {
        guard let slot = self.openSlot(key), self.streams[slot].state.mayWrite else { return false }
        self.streams[slot].sendQueue.append(bytes)
        // A stream with so many waits for credit rather than for its turn.
        if self.streams[slot].sendQueue.bufferCount > 4 { self.streams[slot].sendQueue.compact() }
        self.schedule(slot)
        guard self.streams[slot].sendQueue.byteCount >= self.sendQueueLimit else { return true }
        self.streams[slot].isWriterWaiting = true
        return false
    }

    /// Ends this side's bytes: FIN goes out behind what is queued.
    public mutating func finish(_ key: StreamKey) {
        guard let slot = self.openSlot(key), self.streams[slot].state.finish() else { return }
        self.schedule(slot)
    }

    /// Whether the stream takes bytes without asking the writer to wait.
    public func isWritable(_ key: StreamKey) -> Bool {
        guard let slot = self.streams.slot(of: key), self.streams[slot].state.sending == .open else { return false }
        return !self.streams[slot].isWriterWaiting
    }

    /// How many bytes of the stream have been serialised, and how many still wait.
    public func sendProgress(_ key: StreamKey) -> (sent: UInt64, queued: Int) {
        guard let slot = self.streams.slot(of: key) else { return (0, 0) }
        return (self.streams[slot].sendWindow.sent, self.streams[slot].sendQueue.byteCount)
    }

    /// Above this many queued bytes a writer is asked to wait (§B.8.2).
    var sendQueueLimit: Int { min(max((16 << 20) / max(1, self.liveCount - self.silentCount), 16_384), 131_072) }

    // MARK: Ending

    /// Whether both sides are done with the stream on the wire; what came of it may still be unread.
    func isOver(_ key: StreamKey) -> Bool {
        self.streams.slot(of: key).map { self.streams[$0].wire == .closed } ?? true
    }

    /// Takes no more bytes of the peer; what is buffered is dropped.
    ///
    /// An acceptor that has not answered yet has nothing to stop: it accepts or rejects.
    public mutating func stopReading(_ key: StreamKey, code: ErrorCode, now: NIODeadline) {
        guard let slot = self.openSlot(key), !self.streams[slot].state.mayAnswer,
            self.streams[slot].state.stopReading()
        else { return }
        self.dropReceived(slot)
        self.streams[slot].receiveWindow.discardAll()
        self.streams[slot].control.remove(.windowUpdate)
        self.streams[slot].stopCode = code
        self.streams[slot].stopDeadline = now + .seconds(30)
        self.attend(within: Self.calmInterval)
        self.require(.stopSending, of: slot)
        self.rebudget(slot)
    }

    /// Ends the stream at once in both directions.
    ///
    /// An acceptor that has not answered yet refuses it instead, unless it has read of it.
    public mutating func reset(_ key: StreamKey, code: ErrorCode, reason: String = "") {
        guard let slot = self.openSlot(key) else { return }
        switch self.streams[slot].wire {
        case .waiting:
            // Deadlines pass oldest first, so that one is mostly at the front.
            if let index = self.waitingOpens.firstIndex(where: { $0.key == key }) {
                self.waitingOpens.remove(at: index)
            }
            self.dropReceived(slot)
            self.streams[slot].sendQueue.removeAll()
            self.streams[slot].wire = .closed
            self.rebudget(slot)
        case .live:
            if self.streams[slot].state.isUndelivered {
                self.refuse(slot, code, reason)
            } else {
                self.becomeZombie(slot, .reset, StreamRecord.CodeAndReason(code: code, reason: reason))
            }
        case .zombie, .closed: break
        }
        self.streams[slot].isEndReported = true
        self.freeIfDone(slot)
    }

    /// The owner lets go: nothing local belongs to the stream any more.
    ///
    /// A stream that is not over is reset first.
    public mutating func release(_ key: StreamKey) {
        guard self.streams.slot(of: key) != nil else { return }
        self.reset(key, code: .cancelled)
        guard let slot = self.streams.slot(of: key) else { return }
        self.dropReceived(slot)
        self.streams[slot].isEndReported = true
        self.streams[slot].isReleased = true
        self.rebudget(slot)
        self.freeIfDone(slot)
        self.settleIfOver()
    }

    // MARK: Shared by frames and local actions

    private func liveSlot(_ key: StreamKey) -> Int? {
        guard let slot = self.streams.slot(of: key), self.streams[slot].wire == .live else { return nil }
        return slot
    }

    /// The slot of a stream that is live or waits for its number.
    private func openSlot(_ key: StreamKey) -> Int? {
        guard let slot = self.streams.slot(of: key) else { return nil }
        return self.streams[slot].wire == .live || self.streams[slot].wire == .waiting ? slot : nil
    }

    mutating func refuse(_ slot: Int, _ code: ErrorCode, _ reason: String) {
        self.streams[slot].answerDeadline = nil
        self.becomeZombie(slot, .reject, StreamRecord.CodeAndReason(code: code, reason: reason))
    }

    /// Keeps of the stream only what is needed until the peer has answered the PING behind its RESET or REJECT.
    private mutating func becomeZombie(
        _ slot: Int,
        _ control: StreamRecord.Control,
        _ termination: StreamRecord.CodeAndReason
    ) {
        self.dropOutput(slot)
        self.dropReceived(slot)
        self.streams[slot].wire = .zombie
        self.streams[slot].termination = termination
        self.require(control, of: slot)
        self.rebudget(slot)
    }

    /// Ends a stream of which a RESET of ours must tell the peer, and tells the owner.
    mutating func abort(_ slot: Int, _ code: ErrorCode, _ reason: String) {
        let wasAnswerable = self.streams[slot].state.isUndelivered
        let isRetrySafe = self.streams[slot].wire == .waiting
        let error = StreamError(code: code, reason: reason, origin: .resetLocally, isRetrySafe: isRetrySafe)
        let key = self.streams.key(of: slot)
        if wasAnswerable {
            self.refuse(slot, code, reason)
        } else {
            self.reset(key, code: code, reason: reason)
        }
        guard let slot = self.streams.slot(of: key), !self.streams[slot].isReleased else { return }
        self.streams[slot].isEndReported = true
        self.events.append(.closed(key, error))
    }

    /// Ends a stream of which the peer knows that it is over.
    ///
    /// What was received in full may still be read.
    mutating func endStream(_ slot: Int, _ error: StreamError?) {
        let isUndeliverable = self.streams[slot].state.receiving != .finished || !self.streams[slot].state.mayDeliver
        if error != nil, isUndeliverable { self.dropReceived(slot) }
        self.streams[slot].end = error
        self.closeWire(slot)
        guard self.streams.isUsed(slot) else { return }
        self.reportEndIfRead(slot)
    }

    /// Tells the owner of the end once everything before it has been read.
    mutating func reportEndIfRead(_ slot: Int) {
        guard self.streams[slot].wire == .closed, !self.streams[slot].isEndReported else { return }
        let hasMore =
            self.streams[slot].state.receiving == .finished && !self.streams[slot].isEndRead
            && self.streams[slot].state.mayDeliver
        guard !hasMore else { return self.signalReadable(slot) }
        self.streams[slot].isEndReported = true
        self.events.append(.closed(self.streams.key(of: slot), self.streams[slot].end))
    }

    mutating func countLive(_ slot: Int, _ change: Int) {
        self.liveCount += change
        if self.streams[slot].kind.isSilent { self.silentCount += change }
    }

    /// Both sides know that the stream is over.
    mutating func closeWire(_ slot: Int) {
        self.dropOutput(slot)
        if self.streams[slot].wire == .live || self.streams[slot].wire == .zombie { self.countLive(slot, -1) }
        self.streams[slot].wire = .closed
        self.streams[slot].answerDeadline = nil
        self.streams[slot].stopDeadline = nil
        self.streams.forgetNumber(of: slot)
        self.rebudget(slot)
        self.freeIfDone(slot)
        self.settleIfOver()
    }

    /// The peer may open another stream only when the wire is done with the stream *and* nothing local belongs to it any more, so
    /// that floods of opens are paced by our own cleaning up (§B.6.4).
    private mutating func freeIfDone(_ slot: Int) {
        guard self.streams[slot].wire == .closed, self.streams[slot].isReleased else { return }
        if !self.streams[slot].state.isOpener { self.allowance.giveBack() }
        self.budget.change(by: -self.streams[slot].budgeted)
        self.streams[slot].budgeted = 0
        self.streams.remove(slot)
    }

    private mutating func dropOutput(_ slot: Int) {
        self.streams[slot].sendQueue.removeAll()
        self.streams[slot].control.formIntersection(.isQueued)
        self.streams[slot].blockedSince = nil
        self.scheduler.remove(slot)
    }

    /// Makes a control frame due.
    mutating func require(_ control: StreamRecord.Control, of slot: Int) {
        self.streams[slot].control.insert(control)
        guard !self.streams[slot].control.contains(.isQueued) else { return }
        self.streams[slot].control.insert(.isQueued)
        self.controlQueue.append(self.streams.key(of: slot))
    }

    /// Lets the stream take part in sending, if there is something that it may send.
    mutating func schedule(_ slot: Int) {
        let state = self.streams[slot].state
        guard self.streams[slot].wire == .live, state.isOpener || state.phase == .open, state.sending != .finished
        else { return }
        if self.streams[slot].sendQueue.isEmpty {
            guard state.sending == .finishing else { return }
        } else if self.streams[slot].sendWindow.credit == 0 {
            return self.noteBlocked(slot)
        }
        self.scheduler.activate(slot, urgency: self.streams[slot].urgency)
    }

    /// Data waits for credit: the peer is told once for each limit.
    mutating func noteBlocked(_ slot: Int) {
        let limit = self.streams[slot].sendWindow.limit
        self.attend(within: Self.calmInterval)
        guard self.streams[slot].blockedReported != limit else { return }
        self.streams[slot].blockedReported = limit
        self.require(.blocked, of: slot)
    }
}
