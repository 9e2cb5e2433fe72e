// SPDX-License-Identifier: Apache-2.0

import ControlAPI

extension InMemoryTunnelDirectory {
    /// By which word a port is whose.
    struct PortClaim {
        var tunnel: TunnelID
        var owner: String
        var version: Double
    }

    package func port(of specification: TunnelSpecification) async throws -> UInt16? {
        try self.change { state, _ in
            state.ports.first { $0.value.tunnel == specification.id && $0.value.owner == specification.owner }?.key
        }
    }

    package func claim(
        _ port: UInt16,
        for specification: TunnelSpecification,
        isReturning: Bool
    ) async throws -> Bool {
        try self.change { state, now in
            if let held = state.ports[port], held.tunnel != specification.id {
                let lease = state.leases[held.tunnel].flatMap { $0.end > now ? $0.specification.owner : nil }
                let isKnown = (state.records[held.tunnel]?.specification.owner ?? lease) == held.owner
                guard !isKnown || isReturning && specification.version > held.version else { return false }
            }
            state.ports = state.ports.filter { $0.value.tunnel != specification.id }
            state.ports[port] = PortClaim(
                tunnel: specification.id,
                owner: specification.owner,
                version: specification.version
            )
            return true
        }
    }

    package func onlinePorts() async throws -> [UInt16: TunnelID] {
        try self.change { state, _ in
            state.ports.filter { state.records[$0.value.tunnel]?.sessions.isEmpty == false }.mapValues(\.tunnel)
        }
    }
}
