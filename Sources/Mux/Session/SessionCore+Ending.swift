// SPDX-License-Identifier: Apache-2.0
import DequeModule
import NIOCore
import Protocol

extension SessionCore {
    /// Announces the end of the session in good order: the peer opens no more streams here, those that run may finish
    /// (docs/protocol.md §B.9.5).
    ///
    /// A second call may only shorten the grace.
    ///
    /// - Parameters:
    ///   - code: Why: SHUTDOWN, REPLACED or ID_EXHAUSTED.
    ///   - gracePeriod: How long streams may still run.
    ///   - reconnectAfter: How long the peer is to wait before it connects elsewhere.
    ///   - lingering: How long this side may still open streams, and the session stays without any: part of the grace.
    ///   - now: The time.
    public mutating func startDrain(
        code: ErrorCode,
        gracePeriod: TimeAmount,
        reconnectAfter: TimeAmount,
        lingering: TimeAmount = .zero,
        now: NIODeadline
    ) {
        guard self.life.isRunning else {
            if self.phase == .helloWait { self.end(gracefully: code) }
            return
        }
        self.attend()
        let drain = SessionDrain(code: code, gracePeriod: gracePeriod, lingering: lingering, now: now)
        guard self.life.startDrain(drain) else { return }
        self.goAwayDue = GoAwayFrame(
            isDrain: true,
            lastStreamID: StreamID(rawValue: .max),
            code: code,
            graceMilliseconds: UInt32(clamping: gracePeriod.nanoseconds / 1_000_000),
            reconnectMilliseconds: UInt32(clamping: reconnectAfter.nanoseconds / 1_000_000)
        )
    }

    /// Ends the session at once: GOAWAY becomes due, every stream fails.
    ///
    /// - Parameters:
    ///   - code: Why.
    ///   - reason: What GOAWAY says of it, for the peer's logs.
    public mutating func close(code: ErrorCode, reason: String) {
        self.fail(ProtocolViolation(code, reason))
        self.finishBatch()
    }

    /// The connection is gone.
    ///
    /// After the peer's final GOAWAY that is the end it announced, else it is SESSION_LOST.
    ///
    /// - Parameter reason: What is known of why, for logs.
    public mutating func connectionLost(reason: String) {
        self.over(SessionEnd(code: self.life.codeOfLoss, reason: reason, isByPeer: true))
        self.life.connectionLost()
        self.finishBatch()
    }

    mutating func fail(_ violation: ProtocolViolation) {
        guard self.life.end == nil else { return }
        if let limit = violation.limit { self.limitHits[limit, default: 0] += 1 }
        self.goAwayDue = GoAwayFrame(
            isDrain: false,
            lastStreamID: self.lastAcceptedStream,
            code: violation.code,
            reason: violation.reason
        )
        self.over(SessionEnd(code: violation.code, reason: violation.reason, isByPeer: false))
    }

    mutating func receiveGoAway(_ goAway: GoAwayFrame, now: NIODeadline) throws(ProtocolViolation) {
        try self.conduct.goAway(now: now)
        if goAway.isDrain {
            // The grace is the peer's to keep: it resets what is left.
            guard self.life.peerAnnounced() else { return }
            self.failWaitingOpens()
            self.events.append(
                .draining(
                    goAway.code,
                    grace: .milliseconds(Int64(goAway.graceMilliseconds)),
                    reconnectAfter: .milliseconds(Int64(goAway.reconnectMilliseconds))
                )
            )
        } else if goAway.code.isGracefulEnd {
            self.life.peerLeft(goAway.code)
            self.failWaitingOpens()
            self.failStreams(above: goAway.lastStreamID)
            self.settleIfOver()
        } else {
            self.goAwayDue = nil
            self.over(SessionEnd(code: goAway.code, reason: goAway.reason, isByPeer: true))
        }
    }

    /// Opens that never went out can be tried elsewhere.
    private mutating func failWaitingOpens() {
        let error = StreamError(
            code: .draining,
            reason: "the session is ending",
            origin: .rejected,
            isRetrySafe: true
        )
        while let waiting = self.waitingOpens.popFirst() {
            guard let slot = self.streams.slot(of: waiting.key) else { continue }
            self.endStream(slot, error)
        }
    }

    /// What the peer's final GOAWAY did not accept was not delivered (§B.9.6).
    private mutating func failStreams(above last: StreamID) {
        for slot in self.streams.indices where self.streams.isUsed(slot) && self.streams[slot].wire == .live {
            let id = self.streams[slot].id
            guard self.isOwn(id), id > last else { continue }
            self.endStream(
                slot,
                StreamError(code: .draining, reason: "not accepted", origin: .rejected, isRetrySafe: true)
            )
        }
    }

    mutating func sendFinalGoAway() {
        guard let drain = self.life.drain, !drain.isFinal else { return }
        // A PING that could not go out yet still does, so that the peer sees the same frames whenever it answers.
        if drain.isPingWanted { self.liveness.pings.want() }
        let last = self.lastAcceptedStream
        self.life.advanceDrain { $0.finish(lastAccepted: last) }
        self.goAwayDue = GoAwayFrame(
            isDrain: false,
            lastStreamID: last,
            code: drain.code,
            graceMilliseconds: UInt32(clamping: drain.grace.nanoseconds / 1_000_000)
        )
        self.settleIfOver()
    }

    private var lastAcceptedStream: StreamID {
        Self.streamID(ordinal: self.allowance.opened, role: self.role.peer).normalised(opened: self.allowance.opened)
    }

    /// A drain is over when the last stream is that carries bytes.
    mutating func settleIfOver() {
        guard let drain = self.life.drain, drain.isFinal, self.goAwayDue == nil, self.liveCount == self.silentCount,
            self.waitingOpens.isEmpty
        else { return }
        self.end(gracefully: drain.code)
    }

    private mutating func end(gracefully code: ErrorCode) {
        self.over(SessionEnd(code: code, reason: "", isByPeer: false))
    }

    private mutating func over(_ end: SessionEnd) {
        guard self.life.ended(end) else { return }
        self.suspension = nil
        self.replay.removeAll()
        let error = StreamError(
            code: .sessionLost,
            reason: end.reason.isEmpty ? "\(end.code)" : "\(end.code): \(end.reason)",
            origin: .sessionLost,
            isRetrySafe: false
        )
        var unsent = error
        unsent.isRetrySafe = true
        self.waitingOpens.removeAll()
        for slot in self.streams.indices where self.streams.isUsed(slot) {
            switch self.streams[slot].wire {
            case .waiting: self.endStream(slot, unsent)
            case .live: self.endStream(slot, error)
            case .zombie: self.closeWire(slot)
            case .closed: break
            }
        }
        self.configuration.governor.sessionEnded()
        self.events.append(.ended(end))
    }

    /// At three quarters of the number space the session is replaced (§B.5).
    mutating func startDrainIfNumbersRunOut(now: NIODeadline) {
        guard self.openedCount >= 0x6000_0000, self.life.drain == nil else { return }
        self.startDrain(
            code: .idExhausted,
            gracePeriod: .seconds(30),
            reconnectAfter: .milliseconds(250),
            now: now
        )
    }
}

extension StreamID {
    /// Before the first stream of a side the last one is 0, whichever its parity.
    fileprivate func normalised(opened: UInt32) -> StreamID { opened == 0 ? .session : self }
}
