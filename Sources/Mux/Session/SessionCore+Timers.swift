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
        if let suspension { return min(now + Self.calmInterval, suspension.until) }
        if let attention { return now + attention }
        return self.liveness.keepaliveDue
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
        if let suspension { return self.tickSuspended(suspension, now: now) }
        self.attention = nil
        self.keepAlive(now: now)
        guard self.life.isRunning else { return self.finishBatch() }
        for slot in self.streams.indices where self.streams.isUsed(slot) {
            self.watch(slot, now: now)
        }
        self.watchCredit(now: now)
        self.watchAcknowledgements(now: now)
        self.ageSpares()
        guard self.life.isRunning else { return self.finishBatch() }
        self.relieveMemory(now: now)
        self.advanceDrain(now: now)
        self.finishBatch()
    }

    // MARK: Keepalive

    /// Counts DATA that was sent or received.
    mutating func noteData(_ count: Int) {
        if self.liveness.moved(count) { self.attend(within: Self.calmInterval) }
    }

    private mutating func keepAlive(now: NIODeadline) {
        do {
            let attention = try self.liveness.tick(barrierSince: self.barrier.waitingSince, now: now)
            if let attention { self.attend(within: attention) }
        } catch {
            // A connection over which nothing comes is dead; where the session can outlive it, its owner gives it up.
            guard self.isResumable, !self.liveness.hasBytes(now: now) else { return self.fail(error) }
            self.events.append(.unresponsive(error.reason))
        }
    }

    /// Asks the peer at once whether it is there, and suspects it until it says anything.
    ///
    /// For an owner that has another reason than silence to think that the peer is gone.
    ///
    /// - Parameters:
    ///   - givingUp: Whether the session ends if the peer stays silent for as long as suspicion takes.
    ///   - now: The time.
    public mutating func probe(givingUp: Bool = false, now: NIODeadline) {
        guard self.life.isRunning, self.suspension == nil else { return }
        self.liveness.probe(givingUp: givingUp, isResumable: self.isResumable, now: now)
        self.attend()
    }

    /// Asks for a PONG, unless one is awaited: how long the way is, and that the peer's program is alive.
    public mutating func requestEcho() {
        guard self.life.isRunning else { return }
        self.liveness.requestEcho()
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
                return self.abort(slot, .flowStall, "no credit for \((now - since).wholeSeconds) s")
            }
            if let repeated = self.streams[slot].blockedRepeated, now - repeated >= .seconds(10) {
                self.streams[slot].blockedRepeated = now
                self.require(.blocked, of: slot)
            }
        }
    }

    private mutating func watchCredit(now: NIODeadline) {
        if self.credit.tick(hasOutput: !self.scheduler.isEmpty, now: now) { self.attend(within: Self.calmInterval) }
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
        guard
            let isFinalOverdue = self.life.advanceDrain({ drain in
                drain.tick(now: now)
                return drain.isFinalOverdue(now: now)
            })
        else { return }
        self.attend()
        if isFinalOverdue, self.goAwayDue == nil { self.sendFinalGoAway() }
        if let drain = self.life.drain, now >= drain.deadline {
            for slot in self.streams.indices
            where self.streams.isUsed(slot)
                && (self.streams[slot].wire == .live || self.streams[slot].wire == .waiting)
            {
                self.abort(slot, .sessionClosing, "the grace period is over")
            }
            // Zombies would be remembered until their barrier is answered; there is nobody to protect any more.
            if self.life.drain?.isFinal == true, self.goAwayDue == nil, self.controlQueue.isEmpty {
                for slot in self.streams.indices
                where self.streams.isUsed(slot) && self.streams[slot].wire == .zombie {
                    self.closeWire(slot)
                }
            }
        }
        self.settleIfOver()
    }
}
