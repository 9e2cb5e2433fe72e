// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import NIOCore

/// Has connectors with several connections to this edge open one of them anew when another edge has come, so that they are
/// at both (docs/protocol.md §B.20).
///
/// A connector spreads by itself when it connects; one that was there before the other edge learns of it in this way.
struct ConnectorSpread: Sendable {
    /// For how long what is under way over the old connection may go on: nothing is wrong with it.
    private static let gracePeriod = TimeAmount.hours(1)

    let local: InMemoryTunnelRegistry

    private typealias Seat = (tunnel: Tunnel, session: TunnelSession)

    /// Another edge has come.
    func begin() {
        let tunnels = self.local.all
        let connections = Set(tunnels.flatMap { $0.crowdedSessions.map(\.connectionID) })
        guard !connections.isEmpty else { return }
        // Tunnels that share a connection go over together.
        let seats = tunnels.flatMap { tunnel in tunnel.sessions.map { Seat(tunnel, $0) } }
            .filter { connections.contains($0.session.connectionID) }
        // Not all at the same time: the other edge takes connectors at a pace.
        let latest = max(5_000, Int64(connections.count) * 20)
        for seats in Dictionary(grouping: seats, by: \.session.connectionID).values {
            seats[0].session.eventLoop.scheduleTask(in: .milliseconds(.random(in: 1_000...latest))) {
                Self.move(seats)
            }
        }
    }

    private static func move(_ seats: [Seat]) {
        // By now it may be somewhere else, or the only one that is left.
        let isCrowded = seats.contains { seat in seat.tunnel.crowdedSessions.contains { $0 === seat.session } }
        guard isCrowded else { return }
        // New requests go over the connection that stays, at once.
        for (tunnel, session) in seats { tunnel.setAvailability(.draining, of: session) }
        seats[0].session.drain(gracePeriod: Self.gracePeriod)
    }
}
