// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

extension SessionHandler {
    /// Schedules the next moment at which the core has to be told the time.
    func scheduleTick(now: NIODeadline = .now()) {
        guard let eventLoop, let due = self.core.nextTick(now: now) else { return self.cancelTick() }
        // What is not urgent comes when the clock of other sessions does: to wake up for each would cost more than to
        // look at all of them.
        let next = due - now > SessionCore.tickInterval ? due.rounded(upTo: SessionCore.tickInterval) : due
        if let tickAt, tickAt <= next, self.tickTask != nil { return }
        self.tickTask?.cancel()
        self.tickAt = next
        // A callback rather than a task: nobody needs a future of each. An event loop that takes none is shutting down.
        let ticks = Ticks(session: self)
        self.tickTask = try? eventLoop.assumeIsolated().scheduleCallback(at: next, handler: ticks)
    }

    func cancelTick() {
        self.tickTask?.cancel()
        self.tickTask = nil
    }

    /// What the event loop calls.
    private struct Ticks: NIOScheduledCallbackHandler {
        let session: SessionHandler

        func handleScheduledCallback(eventLoop: some EventLoop) {
            self.session.tickTask = nil
            self.session.tick()
        }
    }

    private func tick() {
        let now = NIODeadline.now()
        self.core.tick(now: now)
        let idle = TimeAmount.milliseconds(Int64(self.core.configuration.settings.idleTimeoutMilliseconds))
        if let unwritableSince, now - unwritableSince >= idle {
            self.takesNothing()
        }
        self.adaptUnsentLimit(now: now)
        self.dispatchEvents()
        self.pump()
    }
}

extension SessionHandler {
    /// The peer has taken nothing for as long as it may.
    private func takesNothing() {
        let reason = "the peer takes nothing"
        guard !self.suspend(reason) else { return }
        self.core.transportFailed(ProtocolViolation(exceeding: .unsentOutput, reason))
    }
}

extension NIODeadline {
    /// The next point in time that is a multiple of an interval.
    package func rounded(upTo interval: TimeAmount) -> NIODeadline {
        let step = UInt64(max(1, interval.nanoseconds))
        return .uptimeNanoseconds((self.uptimeNanoseconds / step + 1) * step)
    }
}
