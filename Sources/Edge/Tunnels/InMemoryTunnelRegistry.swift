// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A registry for one edge: everything is forgotten when the process ends, and re-made from the connectors' tokens.
final class InMemoryTunnelRegistry: TunnelRegistry {
    private let tunnelsPerOwner: Int
    private let limits: TunnelLimits
    private let tunnels = Mutex<[TunnelID: Tunnel]>([:])

    /// Makes an empty registry.
    ///
    /// - Parameters:
    ///   - tunnelsPerOwner: The most tunnels that one API key may have.
    ///   - limits: What every tunnel is bounded by.
    init(tunnelsPerOwner: Int = 100, limits: TunnelLimits = TunnelLimits()) {
        self.tunnelsPerOwner = tunnelsPerOwner
        self.limits = limits
    }

    func tunnel(_ id: TunnelID) -> Tunnel? {
        self.tunnels.withLock { $0[id] }
    }

    func create(_ specification: TunnelSpecification) async throws -> Tunnel {
        try self.tunnels.withLock { tunnels in
            guard tunnels[specification.id] == nil else { throw TunnelRegistryError.nameTaken }
            guard tunnels.values.count(where: { $0.owner == specification.owner }) < self.tunnelsPerOwner else {
                throw TunnelRegistryError.tooManyTunnels(limit: self.tunnelsPerOwner)
            }
            let tunnel = Tunnel(specification, limits: self.limits)
            tunnels[specification.id] = tunnel
            return tunnel
        }
    }

    func restore(_ specification: TunnelSpecification) async throws -> Tunnel {
        try self.tunnels.withLock { tunnels in
            if let tunnel = tunnels[specification.id] {
                // Another key may have taken the name while this edge did not know of the tunnel.
                guard tunnel.owner == specification.owner else { throw TunnelRegistryError.nameTaken }
                return tunnel
            }
            let tunnel = Tunnel(specification, limits: self.limits)
            tunnels[specification.id] = tunnel
            return tunnel
        }
    }

    func list(owner: String?, after cursor: TunnelID?, limit: Int) async -> [Tunnel] {
        let all = self.tunnels.withLock { Array($0.values) }
        return Array(
            all.filter { tunnel in
                (owner == nil || tunnel.owner == owner) && cursor.map { $0 < tunnel.id } ?? true
            }
            .sorted { $0.id < $1.id }
            .prefix(limit)
        )
    }

    func remove(_ id: TunnelID) async -> Tunnel? {
        self.tunnels.withLock { $0.removeValue(forKey: id) }
    }

    /// Every tunnel, for the drain at the end.
    var all: [Tunnel] { self.tunnels.withLock { Array($0.values) } }
}
