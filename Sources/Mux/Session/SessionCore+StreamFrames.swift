// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

extension SessionCore {
    /// Where a number that a frame names stands.
    enum Standing {
        case idle
        case live(Int)
        case zombie(Int)
        case closed
        /// Above what the final GOAWAY accepted.
        case ignored
    }

    func standing(of id: StreamID) -> Standing {
        if let slot = self.streams.slot(of: id) {
            return self.streams[slot].wire == .zombie ? .zombie(slot) : .live(slot)
        }
        let opened = self.isOwn(id) ? self.openedCount : self.allowance.opened
        if id.ordinal > opened { return .idle }
        if !self.isOwn(id), let last = self.life.drain?.ignoredAbove, id > last { return .ignored }
        return .closed
    }

    private func idle(_ frame: String, _ id: StreamID) -> ProtocolViolation {
        ProtocolViolation(.streamStateError, "\(frame) on stream \(id), which was never opened")
    }

    private func closed(_ frame: String, _ id: StreamID) -> ProtocolViolation {
        ProtocolViolation(.streamStateError, "\(frame) on stream \(id), which is closed")
    }

    private mutating func lateFrame() throws(ProtocolViolation) {
        try self.conduct.lateFrame(streams: UInt64(self.openedCount) + UInt64(self.allowance.opened))
    }

    // MARK: OPEN and its answers

    mutating func receiveOpen(_ id: StreamID, _ open: OpenFrame, now: NIODeadline) throws(ProtocolViolation) {
        guard !self.isOwn(id), id.ordinal == self.allowance.nextOrdinal else {
            throw ProtocolViolation(
                .protocolError,
                "OPEN of stream \(id) where \(Self.streamID(ordinal: self.allowance.nextOrdinal, role: self.role.peer)) is next"
            )
        }
        guard open.window <= 16_777_216 else {
            throw ProtocolViolation(.protocolError, "OPEN grants a window of \(open.window) bytes")
        }
        try self.allowance.open()
        if let last = self.life.drain?.ignoredAbove, id > last { return self.allowance.ignoreLatest() }
        let window = Int(self.configuration.settings.initialWindow)
        var record = StreamRecord(
            id: id,
            wire: .live,
            state: StreamState(isOpener: false),
            kind: open.kind,
            urgency: open.priority.urgency,
            sendWindow: SendWindow(limit: UInt64(open.window)),
            receiveWindow: ReceiveWindow(granted: UInt64(window)),
            tuner: WindowTuner(window: self.configuration.fixedWindow ?? window, now: now)
        )
        let allowed = open.deadlineMilliseconds == 0 ? 10_000 : min(open.deadlineMilliseconds, 60_000)
        record.answerDeadline = now + .milliseconds(Int64(allowed))
        self.attend(within: Self.calmInterval)
        let key = self.streams.insert(record)
        self.countLive(key.slot, 1)
        if let refusal = self.refusal(of: open, now: now) {
            // Nobody was told of the stream, so nobody will let go of it.
            self.streams[key.slot].isReleased = true
            self.streams[key.slot].isEndReported = true
            return self.refuse(key.slot, refusal.code, refusal.reason)
        }
        self.events.append(.opened(key, open))
    }

    private mutating func refusal(of open: OpenFrame, now: NIODeadline) -> StreamRecord.CodeAndReason? {
        guard self.conduct.mayOpen(now: now) else {
            self.limitHits[.opens, default: 0] += 1
            return StreamRecord.CodeAndReason(code: .overloaded, reason: "too many streams a second")
        }
        guard open.kind.isKnown, self.capabilities.isSuperset(of: open.kind.requirement) else {
            return StreamRecord.CodeAndReason(code: .unsupportedKind, reason: "kind \(open.kind.rawValue)")
        }
        if case .failure(let fault) = open.metadata {
            return StreamRecord.CodeAndReason(code: .unsupportedMetadata, reason: fault.reason)
        }
        return nil
    }

    mutating func receiveOpenAck(_ id: StreamID) throws(ProtocolViolation) {
        switch self.standing(of: id) {
        case .idle: throw self.idle("OPEN_ACK", id)
        case .closed: throw self.closed("OPEN_ACK", id)
        case .zombie, .ignored: break
        case .live(let slot):
            try self.streams[slot].state.receivedOpenAck()
            self.streams[slot].answerDeadline = nil
            self.events.append(.accepted(self.streams.key(of: slot)))
        }
    }

    mutating func receiveReject(
        _ id: StreamID,
        _ code: ErrorCode,
        _ reason: String
    ) throws(ProtocolViolation) {
        switch self.standing(of: id) {
        case .idle: throw self.idle("REJECT", id)
        case .closed: throw self.closed("REJECT", id)
        case .ignored: break
        case .zombie(let slot): self.closeWire(slot)
        case .live(let slot):
            try self.streams[slot].state.receivedReject()
            self.endStream(slot, StreamError(code: code, reason: reason, origin: .rejected, isRetrySafe: true))
        }
    }

    // MARK: DATA and credit

    mutating func receiveData(
        _ id: StreamID,
        _ payload: ByteBuffer,
        isLast: Bool,
        now: NIODeadline
    ) throws(ProtocolViolation) {
        let count = payload.readableBytes
        // Also where it is discarded: it costs as much to look at.
        if count < 64, !isLast { try self.conduct.smallData(now: now) }
        switch self.standing(of: id) {
        case .idle: throw self.idle("DATA", id)
        case .closed: throw self.closed("DATA", id)
        case .ignored:
            try self.credit.received(count)
            self.credit.release(count)
        case .zombie(let slot):
            try self.credit.received(count)
            try self.streams[slot].receiveWindow.receive(count)
            self.credit.release(count)
        case .live(let slot):
            try self.credit.received(count)
            let isKept = try self.streams[slot].state.receivedData(isLast: isLast)
            try self.streams[slot].receiveWindow.receive(count)
            self.noteData(count)
            if isKept {
                self.buffer(payload, of: slot)
                if self.level == .normal {
                    self.credit.release(count)
                } else {
                    self.streams[slot].held += count
                }
                self.signalReadable(slot)
            } else {
                self.streams[slot].receiveWindow.discardAll()
                self.credit.release(count)
                self.rebudget(slot)
            }
            if isLast {
                self.streams[slot].stopDeadline = nil
                self.streams[slot].control.remove(.windowUpdate)
                self.rebudget(slot)
                if self.streams[slot].state.isFinished { self.endStream(slot, nil) }
            }
        }
    }

    mutating func receiveWindowUpdate(
        _ id: StreamID,
        _ offset: UInt64,
        now: NIODeadline
    ) throws(ProtocolViolation) {
        try self.conduct.windowUpdate(sent: self.credit.send.sent)
        guard id != .session else {
            guard try self.credit.raise(to: offset) else { return try self.conduct.glitch(now: now) }
            return
        }
        switch self.standing(of: id) {
        case .idle: throw self.idle("WINDOW_UPDATE", id)
        case .closed: try self.lateFrame()
        case .zombie, .ignored: break
        case .live(let slot):
            guard self.streams[slot].state.sending != .finished else { return }
            guard try self.streams[slot].sendWindow.raise(to: offset) else {
                return try self.conduct.glitch(now: now)
            }
            self.streams[slot].blockedSince = nil
            self.streams[slot].control.remove(.blocked)
            self.schedule(slot)
        }
    }

    mutating func receiveBlocked(_ id: StreamID, _ offset: UInt64, now: NIODeadline) throws(ProtocolViolation) {
        guard id != .session else { return try self.receiveConnectionBlocked(offset, now: now) }
        switch self.standing(of: id) {
        case .idle: throw self.idle("BLOCKED", id)
        case .closed: try self.lateFrame()
        case .zombie, .ignored: break
        case .live(let slot):
            let granted = self.streams[slot].receiveWindow.granted
            guard offset <= granted else {
                throw ProtocolViolation(.flowControlError, "BLOCKED at \(offset) with \(granted) granted")
            }
            guard self.streams[slot].state.receiving == .open else { return }
            if offset < granted {
                // Heals a lost update; the frame may simply have crossed ours, so not at once.
                if self.isOld(self.streams[slot].lastGrant, now: now) { self.require(.windowUpdate, of: slot) }
            } else if self.streams[slot].receiveQueue.isEmpty {
                self.growWindow(slot, by: self.streams[slot].tuner.blockedFactor, now: now)
            }
        }
    }

    private mutating func receiveConnectionBlocked(
        _ offset: UInt64,
        now: NIODeadline
    ) throws(ProtocolViolation) {
        try self.credit.checkBlocked(at: offset)
        guard self.level == .normal, let roundTrip = self.liveness.roundTrip.minimum else { return }
        if self.credit.peerBlocked(roundTrip: roundTrip, now: now) { self.liveness.requestEcho() }
    }

    private func isOld(_ update: NIODeadline?, now: NIODeadline) -> Bool {
        guard let update else { return true }
        let roundTrip = self.liveness.roundTrip.minimum ?? .zero
        return now - update > max(roundTrip * 2, .seconds(1))
    }

    // MARK: Endings

    mutating func receiveReset(
        _ id: StreamID,
        _ code: ErrorCode,
        _ reason: String
    ) throws(ProtocolViolation) {
        switch self.standing(of: id) {
        case .idle: throw self.idle("RESET", id)
        case .closed: try self.lateFrame()
        case .ignored: break
        case .zombie(let slot): self.closeWire(slot)
        case .live(let slot):
            self.endStream(
                slot,
                StreamError(code: code, reason: reason, origin: .resetByPeer, isRetrySafe: false)
            )
        }
    }

    mutating func receiveStopSending(_ id: StreamID, _ code: ErrorCode) throws(ProtocolViolation) {
        switch self.standing(of: id) {
        case .idle: throw self.idle("STOP_SENDING", id)
        case .closed: try self.lateFrame()
        case .zombie, .ignored: break
        case .live(let slot):
            let hasUnsent = !self.streams[slot].sendQueue.isEmpty
            guard self.streams[slot].state.receivedStopSending(hasUnsent: hasUnsent) else {
                return try self.lateFrame()
            }
            self.streams[slot].sendQueue.removeAll()
            self.streams[slot].blockedSince = nil
            self.streams[slot].control.remove(.blocked)
            self.schedule(slot)
            self.events.append(.stopped(self.streams.key(of: slot), code))
        }
    }
}
