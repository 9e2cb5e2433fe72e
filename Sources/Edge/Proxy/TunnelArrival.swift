// SPDX-License-Identifier: Apache-2.0
import ControlAPI
import EdgeTunnels
import HTTP1
import NIOCore

/// A request for a tunnel that this edge does not know, which gives its connector time to come.
///
/// When one edge takes over from another, visitors may be here before the connectors are (`tunnel.unknown-hold`). Few
/// requests wait, so that guessed ids cost nothing but patience.
final class TunnelArrival: Responder {
    private let id: TunnelID
    private let visit: TunnelVisit
    private var sink: (any ResponseSink)?
    private var isCounted = false
    /// Whether other edges are being asked.
    private var isLooking = false

    /// How often the tunnel is looked for.
    private static let interval = TimeAmount.milliseconds(50)

    init(_ id: TunnelID, _ visit: TunnelVisit) {
        self.id = id
        self.visit = visit
    }

    let turn = Turn.neither

    private var services: ProxyServices { self.visit.request.services }

    func begin(_ sink: any ResponseSink) {
        self.sink = sink
        let hold = self.services.settings.unknownHold
        let registry = self.services.registry
        guard registry.looksFurther ? sink.stage < .closing : hold > .zero && sink.stage == .serving else {
            return self.answer()
        }
        guard self.services.arrivals.enter() else {
            return registry.looksFurther ? self.answerUnknown() : self.answer()
        }
        self.isCounted = true
        guard registry.looksFurther else { return self.hold(for: hold) }
        self.isLooking = true
        let (id, eventLoop) = (self.id, self.visit.request.eventLoop)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.makeFutureWithTask { try await registry.find(id) }
            .whenComplete { bound.value.looked($0, hold: hold) }
    }

    /// Other edges, or the time before the last restart, know a tunnel, or none, or can't be asked.
    private func looked(_ result: Result<Tunnel?, any Error>, hold: TimeAmount) {
        guard let sink else { return }
        self.isLooking = false
        switch result {
        case .success(let tunnel?): self.end(with: self.visit.enter(tunnel))
        // Whoever leaves is not the edge that an unknown connector comes to.
        case .success(nil): self.hold(for: sink.stage == .serving ? hold : .zero)
        case .failure: self.answerUnknown()
        }
    }

    /// Nobody has said whether there is such a tunnel: 404 would be a lie that caches keep.
    private func answerUnknown() {
        self.end(with: EdgeAnswer(self.visit.request, .error(.registryUnavailable, retryAfter: 1)))
    }

    private func hold(for time: TimeAmount) {
        guard time > .zero else { return self.answer() }
        self.lookAgain(until: self.visit.request.eventLoop.now + time)
    }

    private func lookAgain(until deadline: NIODeadline) {
        self.visit.request.eventLoop.assumeIsolated().scheduleTask(in: Self.interval) {
            guard self.sink != nil else { return }
            if let tunnel = self.services.registry.tunnel(self.id) {
                self.end(with: self.visit.enter(tunnel))
            } else if self.visit.request.eventLoop.now < deadline {
                self.lookAgain(until: deadline)
            } else {
                self.answer()
            }
        }
    }

    private func answer() {
        let hint = self.services.router.lostPathHint(self.visit.head)
        self.end(with: EdgeAnswer(self.visit.request, .error(.tunnelNotFound, detail: hint)))
    }

    private func end(with responder: any Responder) {
        self.stopCounting()
        self.sink.take()?.handOver(to: responder)
    }

    private func stopCounting() {
        if self.isCounted { self.services.arrivals.leave() }
        self.isCounted = false
    }

    var heldBytes: Int { self.visit.heldBytes }

    func giveWay(_ error: VisitorError, detail: String) {
        if self.sink != nil { self.end(with: EdgeAnswer(self.visit.request, .error(error, detail: detail))) }
    }

    func edgeLeaves() {
        guard let sink, sink.stage == .closing || !self.isLooking else { return }
        self.answer()
    }

    func deadlinePassed(_ kind: ConnectionDeadlines.Kind) {}

    func visitorLeft(isBroken: Bool) {
        self.sink = nil
        self.stopCounting()
        self.visit.request.finish()
    }
}
