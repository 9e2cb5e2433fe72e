// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

extension SessionCore {
    /// Takes the next bytes of a stream: they count as consumed, and credit for more may follow.
    ///
    /// An acceptor reads nothing before it has accepted, so that a refusal always means that nothing was delivered; but for
    /// one that relays, see ``relay(_:)``.
    public mutating func read(_ key: StreamKey, now: NIODeadline) -> ReadResult {
        guard let slot = self.streams.slot(of: key), self.streams[slot].wire != .zombie else { return .nothing }
        self.streams[slot].isReadSignalled = false
        guard self.streams[slot].state.mayDeliver else { return .nothing }
        if let bytes = self.streams[slot].receiveQueue.popFirst() {
            self.consumed(slot, bytes.readableBytes, now: now)
            return .bytes(bytes)
        }
        guard self.streams[slot].state.receiving == .finished, !self.streams[slot].isEndRead else { return .nothing }
        self.streams[slot].isEndRead = true
        self.reportEndIfRead(slot)
        return .end
    }

    /// Whether reading would give something.
    public func isReadable(_ key: StreamKey) -> Bool {
        guard let slot = self.streams.slot(of: key), self.streams[slot].wire != .zombie,
            self.streams[slot].state.mayDeliver
        else { return false }
        return !self.streams[slot].receiveQueue.isEmpty
            || (self.streams[slot].state.receiving == .finished && !self.streams[slot].isEndRead)
    }

    /// Copies bytes that nobody has read yet out of messages of which they are only a small part.
    ///
    /// To be called when the consumers have had their chance to read what ``receive(_:now:)`` took in, and when they have
    /// read some of what was left.
    public mutating func compactUnread() {
        for key in self.unread {
            guard let slot = self.streams.slot(of: key) else { continue }
            self.streams[slot].isListedUnread = false
            self.streams[slot].receiveQueue.compact()
        }
        self.unread.removeAll(keepingCapacity: true)
    }

    /// How many streams may be given bytes before what is unread of them is looked at.
    private static let maximumUnread = 4_096

    mutating func buffer(_ payload: ByteBuffer, of slot: Int) {
        self.bufferedBytes += payload.readableBytes
        self.streams[slot].receiveQueue.append(payload)
        self.listUnread(slot)
    }

    private mutating func listUnread(_ slot: Int) {
        guard !self.streams[slot].isListedUnread else { return }
        if self.unread.count >= Self.maximumUnread { self.compactUnread() }
        self.streams[slot].isListedUnread = true
        self.unread.append(self.streams.key(of: slot))
    }

    private mutating func consumed(_ slot: Int, _ count: Int, now: NIODeadline) {
        self.unbuffer(count)
        if self.streams[slot].receiveQueue.keepsRuns { self.listUnread(slot) }
        self.streams[slot].receiveWindow.consume(count)
        let held = min(self.streams[slot].held, count)
        if held > 0 {
            self.streams[slot].held -= held
            self.releaseHeld(held)
        }
        if self.streams[slot].wire == .live, self.streams[slot].state.receiving == .open {
            if self.configuration.fixedWindow == nil { self.tuneWindow(slot, now: now) }
            let isGrantDue = self.streams[slot].receiveWindow.isGrantDue(
                window: self.streams[slot].tuner.window,
                isFast: self.streams[slot].tuner.isFast,
                roundTrip: self.liveness.roundTrip.minimum
            )
            if isGrantDue { self.require(.windowUpdate, of: slot) }
        }
        self.rebudget(slot)
    }

    private mutating func tuneWindow(_ slot: Int, now: NIODeadline) {
        let factor = self.streams[slot].tuner.consumed(
            self.streams[slot].receiveWindow.consumed,
            roundTrip: self.liveness.roundTrip.minimum,
            now: now
        )
        if let factor { self.growWindow(slot, by: factor, now: now) }
    }

    /// Makes a stream's window larger as far as the budget allows, and tells the peer.
    mutating func growWindow(_ slot: Int, by factor: Int, now: NIODeadline) {
        guard self.configuration.fixedWindow == nil else { return }
        let current = self.streams[slot].tuner.window
        let growth = self.streams[slot].tuner.grow(
            by: factor,
            limit: self.budget.growthLimit(current: current, level: self.level),
            roundTrip: self.liveness.roundTrip.minimum,
            now: now
        )
        guard growth > 0 else { return }
        self.rebudget(slot)
        self.require(.windowUpdate, of: slot)
    }

    mutating func signalReadable(_ slot: Int) {
        guard !self.streams[slot].isReadSignalled, !self.streams[slot].isReleased,
            self.streams[slot].state.mayDeliver
        else { return }
        self.streams[slot].isReadSignalled = true
        self.events.append(.readable(self.streams.key(of: slot)))
    }

    /// Drops what is buffered; it counts as consumed.
    mutating func dropReceived(_ slot: Int) {
        let count = self.streams[slot].receiveQueue.removeAll()
        guard count > 0 else { return }
        self.unbuffer(count)
        self.streams[slot].receiveWindow.consume(count)
        let held = self.streams[slot].held
        self.streams[slot].held = 0
        if held > 0 { self.releaseHeld(held) }
    }

    private mutating func unbuffer(_ count: Int) {
        self.bufferedBytes -= count
        // No batch follows the end of a session, but what was received in full may still be read.
        if self.life.end != nil { self.finishBatch() }
    }

    /// Gives back credit that was held while memory was short; while it is critical only to a session that buffers
    /// less than its share.
    private mutating func releaseHeld(_ count: Int) {
        self.credit.withhold(count)
        self.releaseWithheld()
    }

    mutating func releaseWithheld() {
        guard self.credit.withheld > 0 else { return }
        if self.level == .critical, self.bufferedBytes > self.configuration.governor.fairShare { return }
        self.credit.releaseWithheld()
    }

    /// Brings what the stream contributes to the session's budget up to date.
    ///
    /// What every stream of the peer may pin from the start is reserved already.
    mutating func rebudget(_ slot: Int) {
        let pinned = self.streams[slot].pinned
        let reserved =
            self.streams[slot].state.isOpener ? 0 : Int(self.configuration.settings.initialWindow)
        let budgeted = max(0, pinned - reserved)
        let change = budgeted - self.streams[slot].budgeted
        guard change != 0 else { return }
        self.streams[slot].budgeted = budgeted
        self.budget.change(by: change)
    }
}
