// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

extension SessionHandler {
    /// Sees to it that the core hears of the time when it needs to.
    func scheduleTick() {
        guard let context, let next = self.core.nextTick(now: .now()) else {
            self.tickTask?.cancel()
            self.tickTask = nil
            return
        }
        if let tickAt, tickAt <= next, self.tickTask != nil { return }
        self.tickTask?.cancel()
        self.tickAt = next
        // A callback rather than a task: nobody needs a future of each. An event loop that takes none is shutting down.
        let ticks = Ticks(session: self)
        self.tickTask = try? context.eventLoop.assumeIsolated().scheduleCallback(at: next, handler: ticks)
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
            self.core.transportFailed(ProtocolViolation(exceeding: .unsentOutput, "the peer takes nothing"))
        }
        self.adaptUnsentLimit(now: now)
        self.dispatchEvents()
        self.pump()
    }
}
