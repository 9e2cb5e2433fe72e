// SPDX-License-Identifier: Apache-2.0

import EdgeTCP
import EdgeTunnels
import Logging
import NIOCore

/// Performs what an ``EdgeLifecycle`` decides, from the signal to the moment when the program may exit.
struct EdgeLifecycleRunner: Sendable {
    let readiness: Readiness
    let registry: InMemoryTunnelRegistry
    let visitors: VisitorConnections
    /// What accepts visitors' connections.
    let server: any Channel
    /// What accepts connections to tunnels of TLS, if anything does.
    let passthrough: (any Channel)?
    /// What listens for tunnels of TCP, if anything does.
    let ports: TunnelPorts?
    /// The sessions of visitors with access tokens.
    let accessSessions: AccessSessions
    /// The links to other edges, if there are any.
    let links: ClusterLinks?
    /// Every event loop that connections live on.
    let group: any EventLoopGroup
    let logger: Logger

    /// How often to look whether sessions are left, in the last moment.
    private static let look = TimeAmount.milliseconds(5)

    /// Leaves; returns when the program may exit.
    ///
    /// - Parameter lifecycle: The life of an edge that is ready.
    func run(_ lifecycle: EdgeLifecycle) async {
        var lifecycle = lifecycle
        let (events, told) = AsyncStream.makeStream(of: EdgeLifecycle.Event.self)
        let clock = self.server.eventLoop
        var alarm: Scheduled<Void>?
        told.yield(.signalled)
        for await event in events {
            for action in lifecycle.handle(event, now: .now()) { await self.perform(action, told) }
            if lifecycle.phase == .stopped { break }
            alarm?.cancel()
            alarm = lifecycle.deadline.map { clock.scheduleTask(deadline: $0) { _ = told.yield(.timePassed) } }
        }
        alarm?.cancel()
    }

    private func perform(
        _ action: EdgeLifecycle.Action,
        _ told: AsyncStream<EdgeLifecycle.Event>.Continuation
    ) async {
        switch action {
        case .becomeReady: self.readiness.becomeReady()
        case .becomeUnready:
            self.readiness.beginDraining()
            self.links?.beginLeaving()
        case .keepAliveOff: self.visitors.enter(.leaving)
        case .drainSessions(let gracePeriod, let lingering):
            for session in self.registry.all.flatMap(\.sessions) {
                session.drain(gracePeriod: gracePeriod, lingering: lingering)
            }
            self.accessSessions.drain(gracePeriod: gracePeriod, lingering: lingering)
        case .closeListener:
            try? await self.server.close()
            try? await self.passthrough?.close()
            await self.ports?.leave()
            // What was accepted last is on its way to its event loop: it counts once it is there.
            for eventLoop in self.group.makeIterator() { try? await eventLoop.submit {}.get() }
        case .closeIdleVisitors:
            self.visitors.enter(.closing)
            self.visitors.whenEmpty { [links = self.links] in
                // What other edges have under way here is for visitors, too.
                if let links { links.leave { _ = told.yield(.visitorsGone) } } else { _ = told.yield(.visitorsGone) }
            }
        case .awaitSessions: self.awaitSessions(told)
        case .stop(let isCutOff):
            if isCutOff { self.logger.notice("stopping with requests in flight") }
            self.logger.info("stopped")
        }
    }

    private func awaitSessions(_ told: AsyncStream<EdgeLifecycle.Event>.Continuation) {
        guard !self.registry.all.allSatisfy(\.sessions.isEmpty) else {
            told.yield(.sessionsGone)
            return
        }
        self.server.eventLoop.scheduleTask(in: Self.look) { self.awaitSessions(told) }
    }
}
