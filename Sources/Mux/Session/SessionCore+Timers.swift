// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

extension SessionCore {
    /// How soon ``tick(now:)`` is to be called at most while something is under way.
    public static let tickInterval = TimeAmount.milliseconds(100)
    /// How soon it is to be called while something is under way that takes seconds: ticks cost, where sessions are many.
    static let calmInterval = TimeAmount.seconds(1)

    /// Sees to it that ``tick(now:)`` is called soon.
    mutating func attend(within interval: TimeAmount = Self.tickInterval) {
        self.attention = min(self.attention ?? interval, interval)
    }

    /// When ``tick(now:)`` is to be called next: soon while something is under way, else when the keepalive is due.
    ///
    /// It only ever moves forward by itself; ask again after ``receive(_:now:)``, local actions and
    /// ``poll(into:limit:now:)``.
    ///
    /// Nothing changes; it is `mutating` so that a session in a class is looked at in place rather than copied.
    public mutating func nextTick(now: NIODeadline) -> NIODeadline? {
        switch self.phase {
        case .closing, .closed: return nil
        case .helloWait: return self.started + self.configuration.helloTimeout
        case .active, .draining: break
        }
        if let attention { return now + attention }
        return self.lastReceived + self.keepaliveInterval
    }

    /// Does what the clock demands: keepalive, deadlines, stalls, the steps of a drain.
    public mutating func tick(now: NIODeadline) {
        switch self.phase {
        case .closing, .closed: return
        case .helloWait:
            if now >= self.started + self.configuration.helloTimeout {
                self.fail(ProtocolViolation(exceeding: .helloWait, "no HELLO in time"))
                self.finishBatch()
            }
            return
        case .active, .draining: break
        }
        self.attention = nil
        self.keepAlive(now: now)
        guard self.end == nil else { return self.finishBatch() }
        for slot in self.streams.indices where self.streams.isUsed(slot) {
            self.watch(slot, now: now)
        }
        self.watchConnectionCredit(now: now)
        self.relieveMemory(now: now)
        self.advanceDrain(now: now)
        self.finishBatch()
    }

    // MARK: Keepalive

    /// DATA that makes another measurement of the round trip worth a PING, in bytes.
    private static let bytesPerSample = 65_536

    /// Counts DATA that was sent or received.
    mutating func noteData(_ count: Int) {
        let wasEnough = self.bytesSinceSample >= Self.bytesPerSample
        self.bytesSinceSample += count
        if !wasEnough, self.bytesSinceSample >= Self.bytesPerSample { self.attend(within: Self.calmInterval) }
    }

    private var idleTimeout: TimeAmount {
        .milliseconds(Int64(self.configuration.settings.idleTimeoutMilliseconds))
    }

    private mutating func keepAlive(now: NIODeadline) {
        let silence = now - self.lastReceived
        if silence >= self.idleTimeout {
            return self.fail(ProtocolViolation(.keepaliveTimeout, "nothing received for \(silence.seconds) s"))
        }
        if let givesUpAt {
            if now >= givesUpAt {
                return self.fail(
                    ProtocolViolation(.keepaliveTimeout, "no answer when it was asked whether it is there")
                )
            }
            self.attend()
        }
        if silence >= self.keepaliveInterval {
            if !self.pings.hasUnanswered { self.pings.want() }
            self.attend()
        }
        // One sample a second while so much flows that windows may have to follow it.
        if self.bytesSinceSample >= Self.bytesPerSample, !self.pings.hasUnanswered {
            if let lastSent = self.pings.lastSent, now - lastSent < .seconds(1) {
                self.attend(within: .seconds(1) - (now - lastSent))
            } else {
                self.bytesSinceSample = 0
                self.pings.want()
            }
        }
        // Whoever goes on sending and never answers would have the streams that were reset here remembered for good.
        if let since = self.barrier.waitingSince, now - since >= self.idleTimeout * 2 {
            return self.fail(ProtocolViolation(.keepaliveTimeout, "no PONG for \((now - since).seconds) s"))
        }
        if let oldest = self.pings.oldestUnanswered {
            self.attend()
            if self.suspectedSince == nil, self.lastReceived < oldest, now - oldest > self.patience {
                self.suspectedSince = now
            }
        }
    }

    /// How long a PING may stay unanswered before the peer is suspected (§B.9.2).
    private var patience: TimeAmount {
        let smoothed = self.roundTrip.smoothed ?? .seconds(1)
        return max(.seconds(2), min(smoothed * 3 + .seconds(1), .seconds(6)))
    }

    /// A stream is opened after a silence: ask at once whether anybody is there.
    mutating func suspectIfSilent(now: NIODeadline) {
        guard self.role == .edge, now - self.lastReceived > .seconds(5), !self.pings.hasUnanswered else { return }
        self.pings.want()
    }

    /// Asks at once whether the peer is there; until it says anything it is suspect.
    ///
    /// For callers that have a reason to suspect the peer before it has been silent for long.
    ///
    /// - Parameters:
    ///   - givingUp: Whether the session ends if the peer stays silent for as long as suspicion takes.
    ///   - now: The time.
    public mutating func probe(givingUp: Bool = false, now: NIODeadline) {
        guard self.phase == .active || self.phase == .draining else { return }
        self.pings.want()
        if givingUp, self.givesUpAt == nil { self.givesUpAt = now + self.patience }
        if self.suspectedSince == nil { self.suspectedSince = now }
        self.attend()
    }

    /// Asks for a PONG, unless one is awaited: how long the way is, and that the peer's program is alive.
    public mutating func requestEcho() {
        guard self.phase == .active || self.phase == .draining, !self.pings.hasUnanswered else { return }
        self.pings.want()
    }

    // MARK: Streams

    private mutating func watch(_ slot: Int, now: NIODeadline) {
        switch self.streams[slot].wire {
        case .closed, .zombie: return
        case .waiting, .live: break
        }
        if let deadline = self.streams[slot].answerDeadline {
            self.attend(within: Self.calmInterval)
            if now >= deadline { return self.abort(slot, .deadlineExceeded, "OPEN was not answered in time") }
        }
        if let deadline = self.streams[slot].stopDeadline {
            self.attend(within: Self.calmInterval)
            if now >= deadline { return self.abort(slot, .cancelled, "the peer went on sending") }
        }
        if let since = self.streams[slot].blockedSince {
            self.attend(within: Self.calmInterval)
            if self.streams[slot].kind == .http, now - since > self.configuration.stallTimeout {
                return self.abort(slot, .flowStall, "no credit for \((now - since).seconds) s")
            }
            if let repeated = self.streams[slot].blockedRepeated, now - repeated >= .seconds(10) {
                self.streams[slot].blockedRepeated = now
                self.require(.blocked, of: slot)
            }
        }
    }

    private mutating func watchConnectionCredit(now: NIODeadline) {
        guard self.connectionSend.credit == 0, !self.scheduler.isEmpty else {
            self.connectionBlockedRepeated = nil
            return
        }
        self.attend(within: Self.calmInterval)
        if let repeated = self.connectionBlockedRepeated {
            guard now - repeated >= .seconds(10) else { return }
            self.isConnectionBlockedDue = true
        }
        self.connectionBlockedRepeated = now
    }

    // MARK: Memory

    /// While memory stays critical, the streams that hold the most unread bytes are given up (§B.7.2).
    private mutating func relieveMemory(now: NIODeadline) {
        let level = self.level
        if level != .normal { self.attend() }
        self.releaseWithheld()
        guard level == .critical else {
            self.criticalSince = nil
            return
        }
        guard let criticalSince else {
            self.criticalSince = now
            return
        }
        guard now - criticalSince >= .seconds(5), self.bufferedBytes > self.configuration.governor.fairShare else {
            return
        }
        var worst: (slot: Int, bytes: Int)?
        for slot in self.streams.indices where self.streams.isUsed(slot) && self.streams[slot].wire == .live {
            let bytes = self.streams[slot].receiveQueue.byteCount
            if bytes > worst?.bytes ?? 0 { worst = (slot, bytes) }
        }
        if let worst { self.abort(worst.slot, .flowStall, "memory is short and nobody reads") }
    }

    // MARK: Drain

    private mutating func advanceDrain(now: NIODeadline) {
        guard let drain = self.drain else { return }
        self.attend()
        if drain.ping == nil, now >= drain.lingersUntil { self.drain?.isPingWanted = true }
        if !drain.isFinalSent, now >= drain.finalAt, self.goAwayDue == nil { self.sendFinalGoAway() }
        if now >= drain.deadline {
            for slot in self.streams.indices
            where self.streams.isUsed(slot)
                && (self.streams[slot].wire == .live || self.streams[slot].wire == .waiting)
            {
                self.abort(slot, .sessionClosing, "the grace period is over")
            }
            // Zombies would be remembered until their barrier is answered; there is nobody to protect any more.
            if drain.isFinalSent, self.goAwayDue == nil, self.controlQueue.isEmpty {
                for slot in self.streams.indices
                where self.streams.isUsed(slot) && self.streams[slot].wire == .zombie {
                    self.closeWire(slot)
                }
            }
        }
        self.settleIfOver()
    }
}

extension TimeAmount {
    fileprivate var seconds: Int64 { self.nanoseconds / 1_000_000_000 }
}
