// SPDX-License-Identifier: Apache-2.0
import EdgeTunnels
import NIOCore

/// A request that waits for a session of its tunnel that it has not been on, since a connector is likely to come back.
final class SessionWait: Responder {
    private let plan: ExchangePlan
    private let outgoing: SentRequest
    private let state: ExchangeState
    private var sink: (any ResponseSink)?
    private var waiting: EventLoopFuture<TunnelSession?>?

    init(_ plan: ExchangePlan, _ outgoing: SentRequest) {
        self.plan = plan
        self.outgoing = outgoing
        self.state = ExchangeState(request: plan.request.traits, isComplete: outgoing.isComplete)
    }

    var turn: Turn { self.state.turn(responseTime: self.plan.responseTime) }

    func begin(_ sink: any ResponseSink) {
        self.sink = sink
        guard sink.stage <= self.lastStage else { return self.answer(.tunnelOffline) }
        let bound = NIOLoopBound(self, eventLoop: self.plan.request.eventLoop)
        let waiting = self.plan.tunnel.waitForSession(
            on: self.plan.request.eventLoop,
            excluding: self.outgoing.tried,
            timeout: self.hold
        )
        self.waiting = waiting
        waiting.whenSuccess { session in
            let wait = bound.value
            guard let session else { return wait.answerOffline() }
            guard let sink = wait.sink.take() else { return }
            sink.handOver(to: Exchange(wait.plan, wait.outgoing, on: session))
        }
    }

    private func answerOffline() {
        guard self.plan.tunnel.couldNotLook, self.plan.request.refuge == nil else { return self.answer(.tunnelOffline) }
        // The connector may be at another edge, which can't be looked for now.
        self.sink.take()?.handOver(to: EdgeAnswer(self.plan.request, .error(.registryUnavailable, retryAfter: 1)))
    }

    /// A request that is kept need not wait for long: senders of webhooks are impatient.
    private var hold: TimeAmount {
        let hold = self.plan.request.services.settings.reconnectHold
        return self.plan.request.refuge == nil ? hold : min(hold, .seconds(1))
    }

    private func answer(_ error: VisitorError, detail: String? = nil) {
        guard let sink = self.sink.take() else { return }
        self.stopWaiting()
        if error == .tunnelOffline, let refuge = self.plan.request.unreached(error) {
            return sink.handOver(to: refuge)
        }
        sink.handOver(to: EdgeAnswer(self.plan.request, .error(error, detail: detail)))
    }

    var heldBytes: Int { self.outgoing.heldBytes }

    func giveWay(_ error: VisitorError, detail: String) {
        self.answer(error, detail: detail)
    }

    func edgeLeaves() {
        guard let sink, sink.stage > self.lastStage else { return }
        self.answer(.tunnelOffline)
    }

    /// Until when a connector may come: to other edges also while this one leaves, which its own connectors do then.
    private var lastStage: VisitorConnections.Stage { self.plan.tunnel.looksFurther ? .leaving : .serving }

    func gaveWay(_ ticket: VisitorTicket) {
        if self.plan.request.ticket == ticket { self.answer(.tooManyFromVisitor) }
    }

    func deadlinePassed(_ kind: ConnectionDeadlines.Kind) {
        // The visitor can't send what nobody takes.
        self.answer(.originTimeout)
    }

    func visitorLeft(isBroken: Bool) {
        self.sink = nil
        self.stopWaiting()
        self.plan.request.finish()
    }

    /// Makes room for another request of the tunnel.
    private func stopWaiting() {
        if let waiting = self.waiting.take() { self.plan.tunnel.stopWaiting(for: waiting) }
    }
}
