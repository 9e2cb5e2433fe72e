// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeInbox
import NIOCore
import Synchronization

/// A registry for one edge: everything is forgotten when the process ends, and re-made from the connectors' tokens.
package final class InMemoryTunnelRegistry: TunnelRegistry {
    private let tunnelsPerOwner: Int
    private let limits: TunnelLimits
    private let now: @Sendable () -> NIODeadline

    private struct State {
        var tunnels: [TunnelID: Tunnel] = [:]
        var leases = NameLeases()
        var seeker: (any SessionSeeker)?
        var sharer: (any RateSharer)?
        var inboxes: InboxDesk?
    }

    private let state = Mutex(State())

    /// Makes an empty registry.
    ///
    /// - Parameters:
    ///   - tunnelsPerOwner: The most tunnels that one API key may have.
    ///   - limits: What every tunnel is bounded by.
    ///   - now: A clock that does not go back.
    package init(
        tunnelsPerOwner: Int = 100,
        limits: TunnelLimits = TunnelLimits(),
        now: @escaping @Sendable () -> NIODeadline = { .now() }
    ) {
        self.now = now
        self.tunnelsPerOwner = tunnelsPerOwner
        self.limits = limits
    }

    /// Has somebody look for sessions of the tunnels that are made from now on.
    func seek(by seeker: any SessionSeeker, sharing sharer: any RateSharer) {
        self.state.withLock { state in
            state.seeker = seeker
            state.sharer = sharer
        }
    }

    /// Gives the tunnels that are made from now on the inboxes that they have.
    package func keepInboxes(of desk: InboxDesk) {
        self.state.withLock { $0.inboxes = desk }
    }

    package func tunnel(_ id: TunnelID) -> Tunnel? {
        self.state.withLock { $0.tunnels[id] }
    }

    package func create(_ specification: TunnelSpecification) async throws -> Tunnel {
        let now = self.now()
        return try self.state.withLock { state in
            guard state.tunnels[specification.id] == nil else { throw TunnelRegistryError.nameTaken }
            let lease = state.leases.lease(of: specification.id, now: now)
            guard lease == nil || lease?.owner == specification.owner else { throw TunnelRegistryError.nameTaken }
            guard state.tunnels.values.count(where: { $0.owner == specification.owner }) < self.tunnelsPerOwner else {
                throw TunnelRegistryError.tooManyTunnels(limit: self.tunnelsPerOwner)
            }
            return self.add(specification, to: &state)
        }
    }

    package func restore(
        _ specification: TunnelSpecification,
        issuedAt: Double,
        provided isValid: @Sendable () -> Bool
    ) async throws -> Tunnel {
        let now = self.now()
        let (tunnel, displaced) = try self.state.withLock { state -> (Tunnel, displaced: Tunnel?) in
            // A deletion ends the tokens first, and then comes here: it is seen, or it finds the tunnel.
            guard isValid() else { throw TunnelRegistryError.ended }
            if let tunnel = state.tunnels[specification.id] {
                if tunnel.owner == specification.owner {
                    guard tunnel.form.kind != specification.form.kind else {
                        tunnel.adopt(specification)
                        return (tunnel, nil)
                    }
                    // The owner deleted it, and made one of another kind: what serves the one can't serve the other.
                    guard specification.version > tunnel.version else { throw TunnelRegistryError.ended }
                    return (self.add(specification, to: &state), tunnel)
                }
                // Somebody gave the name up and somebody else took it, while this edge was not there to remember.
                guard specification.outranks(tunnel.version, of: tunnel.owner) else {
                    throw TunnelRegistryError.nameTaken
                }
                return (self.add(specification, to: &state), tunnel)
            }
            var specification = specification
            if let lease = state.leases.lease(of: specification.id, now: now),
                !specification.outranks(lease.version, of: lease.owner)
            {
                guard lease.owner == specification.owner else { throw TunnelRegistryError.nameTaken }
                guard lease.form.kind == specification.form.kind else { throw TunnelRegistryError.ended }
                (specification.policy, specification.version) = (lease.policy, lease.version)
                specification.form = lease.form
            }
            return (self.add(specification, to: &state), nil)
        }
        for session in displaced?.close(isDeleted: true) ?? [] { session.revoke() }
        return tunnel
    }

    private func add(_ specification: TunnelSpecification, to state: inout State) -> Tunnel {
        let tunnel = Tunnel(specification, limits: self.limits, seeker: state.seeker, sharer: state.sharer)
        if let inbox = state.inboxes?.inbox(of: tunnel.id, owner: tunnel.owner) { tunnel.inbox = inbox }
        state.tunnels[specification.id] = tunnel
        state.leases.release(specification.id)
        return tunnel
    }

    package func list(owner: String?, after cursor: TunnelID?, limit: Int) async -> TunnelPage {
        let all = self.all
        return TunnelPage(
            all.filter { tunnel in
                (owner == nil || tunnel.owner == owner) && cursor.map { $0 < tunnel.id } ?? true
            }
            .sorted { $0.id < $1.id }
            .prefix(limit)
            .map { $0 }
        )
    }

    package func remove(_ id: TunnelID, keepingNameFor lease: TimeAmount) async -> Tunnel? {
        let now = self.now()
        return self.state.withLock { state in
            guard let tunnel = state.tunnels.removeValue(forKey: id) else { return nil }
            let specification = tunnel.specification
            if lease > .zero, specification.isWorthALease {
                state.leases.keep(specification, until: now + lease, now: now)
            }
            return tunnel
        }
    }

    /// Removes a tunnel, unless another one has come in its place.
    ///
    /// - Returns: Whether it was there.
    func remove(_ tunnel: Tunnel) -> Bool {
        self.state.withLock { state in
            guard state.tunnels[tunnel.id] === tunnel else { return false }
            state.tunnels[tunnel.id] = nil
            return true
        }
    }

    /// Every tunnel, for the drain at the end.
    package var all: [Tunnel] { self.state.withLock { Array($0.tunnels.values) } }
}
