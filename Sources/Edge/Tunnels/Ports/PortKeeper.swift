// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import NIOCore

/// Has the ports of the edge that are tunnels' own.
package protocol PortKeeper: Sendable {
    /// Gives a tunnel a port, and listens there; one that it has already stays open.
    ///
    /// - Parameters:
    ///   - wish: The port that it is to be; `nil` keeps the one that the tunnel has, or takes any that is free.
    ///   - tunnel: The tunnel.
    ///   - isReturning: Whether a token says that the port is the tunnel's. A tunnel that has it by an earlier word ends
    ///     then, as one does whose name is somebody else's.
    /// - Throws: ``PortRefusal``; what the tunnel had before stays as it was.
    func open(_ wish: UInt16?, for tunnel: Tunnel, isReturning: Bool) async throws(PortRefusal) -> UInt16

    /// Listens no more for a tunnel.
    ///
    /// - Parameters:
    ///   - tunnel: The tunnel.
    ///   - lease: For how long nobody but the tunnel can have its port.
    func close(_ tunnel: TunnelID, keepingPortFor lease: TimeAmount) async
}

/// Why a tunnel can't have a port.
package enum PortRefusal: Error, Equatable, Sendable {
    /// The edge gives no ports to tunnels.
    case notServed
    /// The port is not among those that the edge gives to tunnels.
    case outside(ClosedRange<UInt16>)
    /// Another tunnel has the port, or another program of the edge's machine.
    case taken(UInt16)
    /// No port of the range is free.
    case noneFree(ClosedRange<UInt16>)
}

/// What an edge has whose tunnels get no ports.
package struct NoPorts: PortKeeper {
    /// Makes it.
    package init() {}

    package func open(_ wish: UInt16?, for tunnel: Tunnel, isReturning: Bool) async throws(PortRefusal) -> UInt16 {
        throw .notServed
    }

    package func close(_ tunnel: TunnelID, keepingPortFor lease: TimeAmount) async {}
}
