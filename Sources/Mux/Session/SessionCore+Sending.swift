// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

extension SessionCore {
    /// Writes the frames of one message: control frames of the session, those of streams, then DATA.
    ///
    /// - Parameters:
    ///   - buffer: Where to append; what it holds already is left alone.
    ///   - limit: How large the message may become, in bytes, at least 1 024; passed only by a single OPEN or DATA frame
    ///     that is larger.
    ///   - now: The time.
    /// - Returns: Whether anything was written. Call again until it is not, or until the connection takes no more.
    public mutating func poll(into buffer: inout ByteBuffer, limit: Int, now: NIODeadline) -> Bool {
        let start = buffer.writerIndex
        if self.phase == .closed || self.suspension != nil { return false }
        if self.isHelloDue {
            self.isHelloDue = false
            FrameEncoder.encode(.hello(self.hello()), into: &buffer)
            return true
        }
        switch self.phase {
        case .helloWait, .closed:
            // A session that failed before the peer's HELLO says nothing but its own.
            return false
        case .closing:
            guard let goAway = self.goAwayDue, self.peer != nil else { return false }
            self.goAwayDue = nil
            FrameEncoder.encode(.goAway(goAway), into: &buffer)
            return true
        case .active, .draining: break
        }
        let end = start + limit
        if self.received.isDue(now: now) { self.writeAcknowledgement(into: &buffer) }
        let content = buffer.writerIndex
        self.writeSessionControl(into: &buffer)
        if self.writeStreamControl(into: &buffer, start: start, end: end, now: now),
            self.writeOpens(into: &buffer, start: start, end: end, now: now)
        {
            self.writePing(into: &buffer, start: start, end: end, now: now)
            self.writeData(into: &buffer, start: start, end: end, now: now)
        }
        // DATA that finds no credit makes BLOCKED due, perhaps with nothing else to send.
        if buffer.writerIndex == start { self.writeSessionControl(into: &buffer) }
        guard buffer.writerIndex > start else {
            self.finishBatch()
            return false
        }
        let owesAcknowledgement = buffer.writerIndex > content
        if self.received.ridesAlong(now: now), buffer.writerIndex + Self.acknowledgementLength <= end {
            self.writeAcknowledgement(into: &buffer)
        }
        self.numberSent(owesAcknowledgement: owesAcknowledgement, now: now)
        self.finishBatch()
        return true
    }

    /// Whether ``poll(into:limit:now:)`` has nothing to write: a look that costs no more than these comparisons.
    func isQuiet(now: NIODeadline) -> Bool {
        if self.isHelloDue { return false }
        switch self.suspension == nil ? self.phase : .closed {
        case .closed, .helloWait: return true
        case .closing: return self.goAwayDue == nil || self.peer == nil
        case .active, .draining: break
        }
        return self.scheduler.isEmpty && self.controlQueue.isEmpty && self.waitingOpens.isEmpty
            && !self.isSessionControlDue && !self.isPingDue && !self.received.isDue(now: now)
    }

    private var isSessionControlDue: Bool {
        !self.pongs.isEmpty || self.goAwayDue != nil || self.isGreaseDue || self.allowance.isAnnouncementDue
            || self.credit.isUpdateDue || self.credit.isBlockedDue
    }

    private var isPingDue: Bool {
        self.liveness.pings.isWanted || self.barrier.isPingWanted || self.life.drain?.isPingWanted == true
    }

    private static let acknowledgementLength = WireFormat.headerLength + 8

    private mutating func writeAcknowledgement(into buffer: inout ByteBuffer) {
        FrameEncoder.encode(.acknowledge(self.received.take()), into: &buffer)
    }

    mutating func hello() -> HelloFrame {
        var hello = HelloFrame(
            role: self.role,
            capabilities: self.configuration.capabilities,
            settings: self.configuration.settings
        )
        let value = (0..<Int.random(in: 0...16, using: &self.random)).map { _ in
            UInt8.random(in: .min ... .max, using: &self.random)
        }
        hello.grease = TypeLengthValue(
            id: UInt16.random(in: 0x4000...0x7FFF, using: &self.random),
            value: ByteBuffer(bytes: value)
        )
        return hello
    }

    // MARK: Control of the session

    private mutating func writeSessionControl(into buffer: inout ByteBuffer) {
        for number in self.pongs { FrameEncoder.encode(.pong(number), into: &buffer) }
        self.pongs.removeAll(keepingCapacity: true)
        if let goAway = self.goAwayDue {
            self.goAwayDue = nil
            FrameEncoder.encode(.goAway(goAway), into: &buffer)
        }
        if self.allowance.isAnnouncementDue, self.level != .critical, self.phase == .active {
            FrameEncoder.encode(.maximumStreams(self.allowance.announce()), into: &buffer)
        }
        if let offset = self.credit.takeUpdate() {
            FrameEncoder.encode(.windowUpdate(.session, offset: offset), into: &buffer)
        }
        if let offset = self.credit.takeBlocked() {
            FrameEncoder.encode(.blocked(.session, offset: offset), into: &buffer)
        }
        if self.isGreaseDue {
            self.isGreaseDue = false
            FrameEncoder.encode(
                .extension(
                    type: UInt8.random(in: 0x90...0xFE, using: &self.random),
                    .session,
                    length: Int.random(in: 0...16, using: &self.random)
                ),
                into: &buffer
            )
        }
    }

    private static let pingLength = WireFormat.headerLength + 8

    /// One PING serves every purpose.
    ///
    /// It stands behind the resets of the message, as their barrier must.
    private mutating func writePing(into buffer: inout ByteBuffer, start: Int, end: Int, now: NIODeadline) {
        let isDrainPingWanted = self.life.drain?.isPingWanted == true
        guard self.liveness.pings.isWanted || self.barrier.isPingWanted || isDrainPingWanted else { return }
        // Behind a message full of OPENs it waits for the next one; one that has to wait for its turn goes with a tick.
        guard buffer.writerIndex + Self.pingLength <= end || buffer.writerIndex == start,
            let number = self.liveness.pings.send(now: now)
        else { return self.attend() }
        self.attend(within: Self.calmInterval)
        if self.barrier.isPingWanted { self.barrier.pingSent(number, now: now) }
        if isDrainPingWanted { self.life.advanceDrain { $0.pingSent(number) } }
        FrameEncoder.encode(.ping(number), into: &buffer)
    }

    // MARK: Control of streams

    /// The most bytes that the control frames of one stream take: REJECT or RESET with its longest reason.
    private static let largestStreamControl = WireFormat.headerLength + 260

    /// Whether everything that was due has been written.
    private mutating func writeStreamControl(
        into buffer: inout ByteBuffer,
        start: Int,
        end: Int,
        now: NIODeadline
    ) -> Bool {
        while let key = self.controlQueue.first {
            guard buffer.writerIndex + Self.largestStreamControl + 64 <= end || buffer.writerIndex == start else {
                return false
            }
            self.controlQueue.removeFirst()
            guard let slot = self.streams.slot(of: key) else { continue }
            guard self.streams[slot].wire != .waiting else {
                // Nothing of a stream goes out before its OPEN.
                self.streams[slot].control.remove(.isQueued)
                continue
            }
            let control = self.streams[slot].control
            // Before OPEN_ACK an acceptor sends nothing on a stream but its refusal (§B.4.2).
            let isWithheld = self.streams[slot].wire == .live && self.streams[slot].state.mayAnswer
            self.streams[slot].control = isWithheld ? control.intersection(.windowUpdate) : []
            guard !isWithheld else { continue }
            guard self.streams[slot].wire != .closed, control.isAnyDue else { continue }
            self.write(control, of: slot, into: &buffer, now: now)
        }
        return true
    }

    private mutating func write(
        _ control: StreamRecord.Control,
        of slot: Int,
        into buffer: inout ByteBuffer,
        now: NIODeadline
    ) {
        let id = self.streams[slot].id
        if control.contains(.reject) || control.contains(.reset) {
            let termination = self.streams[slot].termination ?? StreamRecord.CodeAndReason(code: .cancelled, reason: "")
            let frame: Frame =
                control.contains(.reject)
                ? .reject(id, termination.code, reason: termination.reason)
                : .reset(id, termination.code, reason: termination.reason)
            self.streams[slot].termination = nil
            FrameEncoder.encode(frame, into: &buffer)
            self.barrier.add(id, now: now)
            return
        }
        if control.contains(.openAck) {
            FrameEncoder.encode(.openAck(id, self.streams[slot].acknowledgement), into: &buffer)
        }
        if control.contains(.stopSending) {
            FrameEncoder.encode(.stopSending(id, self.streams[slot].stopCode), into: &buffer)
        }
        if control.contains(.windowUpdate), self.streams[slot].state.receiving == .open {
            let offset = self.streams[slot].receiveWindow.grant(window: self.streams[slot].tuner.window)
            self.streams[slot].lastGrant = now
            self.rebudget(slot)
            FrameEncoder.encode(.windowUpdate(id, offset: offset), into: &buffer)
        }
        if control.contains(.blocked), self.streams[slot].sendWindow.credit == 0 {
            if self.streams[slot].blockedSince == nil {
                self.streams[slot].blockedSince = now
                self.stallCount += 1
            }
            self.streams[slot].blockedRepeated = now
            FrameEncoder.encode(.blocked(id, offset: self.streams[slot].sendWindow.limit), into: &buffer)
        }
    }

    /// Writes the OPEN frames that the peer allows.
    ///
    /// Numbers are given now, so that a cancelled open leaves no gap (§B.5), and windows are taken from the budget: what
    /// waits pins nothing.
    ///
    /// - Returns: Whether no message is needed for more of them.
    private mutating func writeOpens(
        into buffer: inout ByteBuffer,
        start: Int,
        end: Int,
        now: NIODeadline
    ) -> Bool {
        while !self.life.isPeerLeaving, let waiting = self.waitingOpens.first,
            let window = self.windowToOpen(kind: waiting.frame.kind)
        {
            let frameStart = buffer.writerIndex
            let id = Self.streamID(ordinal: self.openedCount + 1, role: self.role)
            var frame = waiting.frame
            frame.window = UInt32(window)
            FrameEncoder.encode(.open(id, frame), into: &buffer)
            if buffer.writerIndex > end, frameStart > start {
                buffer.moveWriterIndex(to: frameStart)
                return false
            }
            guard self.openPace.take(now: now) else {
                buffer.moveWriterIndex(to: frameStart)
                // The next tick brings the next ones.
                self.attend()
                return true
            }
            self.waitingOpens.removeFirst()
            guard let slot = self.streams.slot(of: waiting.key) else {
                buffer.moveWriterIndex(to: frameStart)
                continue
            }
            self.openedCount += 1
            self.countLive(slot, 1)
            self.streams.assign(id, to: slot)
            self.streams[slot].wire = .live
            self.streams[slot].receiveWindow = ReceiveWindow(granted: UInt64(window))
            self.streams[slot].tuner = WindowTuner(window: window, now: now)
            self.rebudget(slot)
            if self.streams[slot].control.isAnyDue { self.require([], of: slot) }
            self.schedule(slot)
            // On a link between edges both sides open streams for visitors.
            if self.role == .edge || self.capabilities.contains(.peer) { self.liveness.opening(now: now) }
            self.startDrainIfNumbersRunOut(now: now)
        }
        return true
    }

    // MARK: DATA

    /// Below this much room a message is closed rather than filled with a sliver, in bytes.
    private static let sliver = 2_048

    private mutating func writeData(into buffer: inout ByteBuffer, start: Int, end: Int, now: NIODeadline) {
        guard !self.isReplayFull else {
            if !self.scheduler.isEmpty { self.attend() }
            return
        }
        while let slot = self.scheduler.next() {
            let queued = self.streams[slot].sendQueue.byteCount
            let isFinishing = self.streams[slot].state.sending == .finishing
            if queued > 0, self.credit.send.credit == 0 {
                self.credit.blocked()
                return self.attend()
            }
            let wanted = min(
                queued,
                self.streams[slot].sendWindow.credit,
                self.credit.send.credit,
                self.dataChunk
            )
            let isPureEnd = queued == 0 && isFinishing
            guard wanted > 0 || isPureEnd else {
                self.scheduler.idled(slot)
                if queued > 0 { self.noteBlocked(slot) }
                continue
            }
            let room = end - buffer.writerIndex - WireFormat.headerLength
            if room < wanted || room < 0, buffer.writerIndex > start, room < Self.sliver { return }
            let count = buffer.writerIndex > start ? min(wanted, room) : wanted
            self.writeFrame(of: slot, count, isLast: isFinishing && count == queued, into: &buffer)
            self.noteData(count)
        }
    }

    private mutating func writeFrame(of slot: Int, _ count: Int, isLast: Bool, into buffer: inout ByteBuffer) {
        buffer.writeFrameHeader(
            .data,
            flags: isLast ? 1 : 0,
            payloadLength: count,
            streamID: self.streams[slot].id
        )
        if count > 0 {
            self.streams[slot].sendQueue.move(count, to: &buffer)
            self.streams[slot].sendWindow.send(count)
            self.credit.sent(count)
        }
        self.scheduler.served(slot, bytes: count + WireFormat.headerLength)
        if self.streams[slot].isWriterWaiting, self.streams[slot].state.sending == .open,
            self.streams[slot].sendQueue.byteCount <= self.sendQueueLimit / 2
        {
            self.streams[slot].isWriterWaiting = false
            self.events.append(.writable(self.streams.key(of: slot)))
        }
        if isLast {
            self.streams[slot].state.finSerialised()
            self.scheduler.remove(slot)
            if self.streams[slot].state.isFinished { self.endStream(slot, nil) }
        }
    }
}
