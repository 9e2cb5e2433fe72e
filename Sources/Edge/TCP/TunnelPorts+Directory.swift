// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import NIOCore

/// Ports that are one tunnel's at several edges.
extension TunnelPorts {
    /// For how long a port is left alone that could not be had here for a tunnel of another edge.
    private static let pauseAfterFailure = TimeAmount.seconds(30)

    /// The port by which other edges know a tunnel; `nil` if there is none, or nobody who could tell.
    func knownPort(of tunnel: Tunnel) async -> UInt16? {
        guard let directory, directory.isUp else { return nil }
        guard let port = try? await directory.port(of: tunnel.specification) else { return nil }
        return self.leases.range.contains(port) ? port : nil
    }

    /// Makes a port a tunnel's at all edges.
    ///
    /// - Returns: Whether nobody else has it. While the directory is away this edge's own word counts, and ``follow()`` finds
    ///   out later whether it may.
    func claim(_ port: UInt16, for tunnel: Tunnel, isReturning: Bool) async -> Bool {
        guard let directory, directory.isUp else { return true }
        let isClaimed = try? await directory.claim(port, for: tunnel.specification, isReturning: isReturning)
        return isClaimed ?? true
    }

    /// Listens on the ports of tunnels that are online at any edge, and has those that are online here be known.
    package func follow() async {
        guard let directory, directory.isUp, !self.isLeaving, let online = try? await directory.onlinePorts() else {
            return
        }
        self.online = online.filter { self.leases.range.contains($0.key) }
        let ports = Dictionary(online.map { ($1, $0) }) { first, _ in first }
        for (port, listener) in self.listeners where self.online[port] != listener.tunnel {
            // One that is gone is nobody's here any more; its listener ends with ``closeIdle(after:)``.
            guard let tunnel = self.services.registry.tunnel(listener.tunnel), !tunnel.sessions.isEmpty else {
                continue
            }
            if let other = ports[tunnel.id] {
                await self.move(tunnel, from: port, to: other)
            } else if await !self.claim(port, for: tunnel, isReturning: true) {
                self.leases.release(tunnel.id)
                await self.closeListener(on: port, of: tunnel.id)
                await self.end(tunnel.id)
            }
        }
        let now = self.now()
        for (port, id) in self.online where self.listeners[port]?.tunnel != id {
            if let end = self.unusableUntil[port], end > now { continue }
            // Whoever has it here by its own word has just been asked about, or is next time.
            if let holder = self.leases.holder(of: port), holder != id { continue }
            let isOpen = await self.listen(on: port, for: id)
            self.unusableUntil[port] = isOpen ? nil : now + Self.pauseAfterFailure
        }
    }

    /// Another edge gave a tunnel another port.
    private func move(_ tunnel: Tunnel, from port: UInt16, to other: UInt16) async {
        // What was read may be older than what this edge has done meanwhile.
        guard await self.knownPort(of: tunnel) == other else { return }
        self.leases.release(tunnel.id)
        await self.closeListener(on: port, of: tunnel.id)
        tunnel.listens(on: other)
    }
}
