// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import NIOCore
import Synchronization

/// Has connectors connect anew, few at a time, where this edge has more of their connections than others do.
///
/// Which edge they come to then is the load balancer's choice. Nothing is cut: the old connection takes requests until the new
/// one has had time to come, and what is under way over it goes on.
final class ConnectorRebalance: Sendable {
    /// For how long what is under way over the old connection may go on.
    private static let gracePeriod = TimeAmount.hours(1)
    /// How long the old connection takes requests at most.
    private static let lingering = TimeAmount.seconds(8)
    /// When the edge gives it none any more: the connector has connected anew long since.
    private static let handover = TimeAmount.seconds(5)

    private struct State {
        var balance = ConnectorBalance()
        /// The connections that have been asked to go, as long as they are there.
        var leaving: Set<UInt64> = []
    }

    private let local: InMemoryTunnelRegistry
    private let state = Mutex(State())

    private typealias Seat = (tunnel: Tunnel, session: TunnelSession)

    init(local: InMemoryTunnelRegistry) {
        self.local = local
    }

    /// How many connections of connectors this edge has that have not been asked to go.
    var count: Int {
        let connections = self.connections
        return self.state.withLock { state in
            state.leaving.formIntersection(connections)
            return connections.count - state.leaving.count
        }
    }

    private var connections: Set<UInt64> {
        Set(self.local.all.flatMap { tunnel in tunnel.sessions.map(\.connectionID) })
    }

    /// Asks some to go if there are too many.
    ///
    /// - Parameter others: How many each of the other edges has.
    func step(others: [Int], now: NIODeadline = .now()) {
        guard !others.isEmpty else { return }
        let own = self.count
        let excess = self.state.withLock { $0.balance.excess(own: own, others: others, now: now) }
        guard excess > 0 else { return }
        let tunnels = self.local.all
        // Whoever has another connection here notices least.
        let crowded = Set(tunnels.flatMap { $0.crowdedSessions.map(\.connectionID) })
        let candidates = self.state.withLock { self.connections.subtracting($0.leaving) }.shuffled()
            .sorted { crowded.contains($0) && !crowded.contains($1) }
        let chosen = Set(candidates.prefix(excess))
        self.state.withLock { $0.leaving.formUnion(chosen) }
        let seats = tunnels.flatMap { tunnel in tunnel.sessions.map { Seat(tunnel, $0) } }
            .filter { chosen.contains($0.session.connectionID) }
        for seats in Dictionary(grouping: seats, by: \.session.connectionID).values { Self.move(seats) }
    }

    /// - Parameter seats: The tunnels that share a connection; they go together.
    private static func move(_ seats: [Seat]) {
        let session = seats[0].session
        session.drain(gracePeriod: Self.gracePeriod, lingering: Self.lingering)
        session.eventLoop.scheduleTask(in: Self.handover) {
            for (tunnel, session) in seats { tunnel.setAvailability(.draining, of: session) }
        }
    }
}
