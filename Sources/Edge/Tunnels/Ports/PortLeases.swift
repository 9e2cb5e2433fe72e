// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import NIOCore

/// Which port of a range is whose: a port belongs to its tunnel as a name does, for a while also after the tunnel.
///
/// A value without sockets or clocks; it has an entry a port of the range at most.
package struct PortLeases: Sendable {
    private struct Lease {
        var tunnel: TunnelID
        /// When the tunnel's owner gave the word by which it has the port, in seconds since 1970.
        var version: Double
        /// When others may have the port; `nil` while the tunnel is there.
        var end: NIODeadline?
    }

    /// The ports that there are.
    package let range: ClosedRange<UInt16>
    private var leases: [UInt16: Lease] = [:]
    private var ports: [TunnelID: UInt16] = [:]

    /// Makes leases of which none is taken.
    package init(range: ClosedRange<UInt16>) {
        self.range = range
    }

    /// The port of a tunnel; `nil` if it has none.
    package func port(of tunnel: TunnelID) -> UInt16? { self.ports[tunnel] }

    /// The tunnel that has a port now; `nil` if it is nobody's, or kept for one that is no more.
    package func holder(of port: UInt16) -> TunnelID? {
        self.leases[port].flatMap { $0.end == nil ? $0.tunnel : nil }
    }

    /// Gives a tunnel a port, in place of the one that it has.
    ///
    /// Without a wish the search begins at a place that the tunnel's id tells: tunnels that ask anew after a restart, when
    /// nobody remembers, rarely take each other's.
    ///
    /// - Parameters:
    ///   - wish: The port that it is to be.
    ///   - tunnel: The tunnel.
    ///   - version: When its owner took it, or last changed the policy, in seconds since 1970.
    ///   - isReturning: Whether a token says that the port is the tunnel's: of two tunnels whose tokens say so, after a
    ///     restart that nobody remembers, the one with the later word has it, in whatever order they come.
    ///   - unusable: Ports that somebody else on this machine has.
    package mutating func take(
        _ wish: UInt16?,
        for tunnel: TunnelID,
        version: Double = 0,
        isReturning: Bool = false,
        except unusable: Set<UInt16> = [],
        now: NIODeadline
    ) throws(PortRefusal) -> UInt16 {
        let port: UInt16
        if let wish {
            guard self.range.contains(wish) else { throw .outside(self.range) }
            guard self.isFree(wish, for: tunnel, outrankedBy: isReturning ? version : nil, now: now),
                !unusable.contains(wish)
            else { throw .taken(wish) }
            port = wish
        } else if let own = self.ports[tunnel], !unusable.contains(own) {
            port = own
        } else {
            let start = Int(Self.hash(tunnel) % UInt64(self.range.count))
            let candidates = (0..<self.range.count).lazy.map { [range] step in
                range.lowerBound + UInt16((start + step) % range.count)
            }
            let free = candidates.first { self.isFree($0, for: tunnel, now: now) && !unusable.contains($0) }
            guard let free else { throw .noneFree(self.range) }
            port = free
        }
        if let own = self.ports[tunnel], own != port { self.leases[own] = nil }
        if let former = self.leases[port]?.tunnel, former != tunnel { self.ports[former] = nil }
        self.leases[port] = Lease(tunnel: tunnel, version: version, end: nil)
        self.ports[tunnel] = port
        return port
    }

    /// The tunnel is no more: others may have its port from a time on.
    package mutating func keep(_ tunnel: TunnelID, until end: NIODeadline) {
        guard let port = self.ports[tunnel] else { return }
        self.leases[port]?.end = end
    }

    /// Gives the port of a tunnel free.
    package mutating func release(_ tunnel: TunnelID) {
        guard let port = self.ports.removeValue(forKey: tunnel) else { return }
        self.leases[port] = nil
    }

    private func isFree(
        _ port: UInt16,
        for tunnel: TunnelID,
        outrankedBy version: Double? = nil,
        now: NIODeadline
    ) -> Bool {
        guard let lease = self.leases[port], lease.tunnel != tunnel else { return true }
        if let version, version > lease.version { return true }
        return lease.end.map { $0 <= now } ?? false
    }

    /// FNV-1a, since Swift's own hashes differ from run to run.
    private static func hash(_ tunnel: TunnelID) -> UInt64 {
        tunnel.description.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
