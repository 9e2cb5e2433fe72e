// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import NIOCore

/// Listens on a port; what it accepts is given to the closure, on the event loop of the accepted channel.
package typealias PortBinder =
    @Sendable (_ port: UInt16, _ accept: @escaping @Sendable (any Channel) throws -> Void) async throws -> any Channel

/// The ports of an edge that belong to tunnels of TCP, and the listeners on them.
///
/// Where several edges have a directory, a port is one tunnel's at all of them, and each listens on it while the tunnel is
/// online at any.
package actor TunnelPorts: PortKeeper {
    /// How many ports are tried for a tunnel without a wish, where other programs of the machine have some of the range.
    private static let attempts = 64

    let services: ConnectionServices
    private let bind: PortBinder
    let directory: (any TunnelDirectory)?
    let now: @Sendable () -> NIODeadline
    var leases: PortLeases
    /// The ports of tunnels that are online at any edge, as the directory said last.
    var online: [UInt16: TunnelID] = [:]
    /// When ports that could not be had are tried again.
    var unusableUntil: [UInt16: NIODeadline] = [:]
    /// By port; whoever comes while a listener is being made waits for the same one.
    var listeners: [UInt16: Listener] = [:]
    private(set) var isLeaving = false

    struct Listener {
        var tunnel: TunnelID
        var channel: Task<any Channel, any Error>
    }

    /// Makes the ports of an edge, of which none is open.
    ///
    /// - Parameters:
    ///   - range: The ports that tunnels may have (`tcp.ports`).
    ///   - services: What connections work with.
    ///   - directory: What knows whose a port is at all edges; `nil` for an edge that is alone.
    ///   - now: A clock that does not go back.
    ///   - bind: Listens on a port.
    package init(
        range: ClosedRange<UInt16>,
        services: ConnectionServices,
        directory: (any TunnelDirectory)? = nil,
        now: @escaping @Sendable () -> NIODeadline = { .now() },
        bind: @escaping PortBinder
    ) {
        self.leases = PortLeases(range: range)
        self.services = services
        self.directory = directory
        self.now = now
        self.bind = bind
    }

    package func open(_ wish: UInt16?, for tunnel: Tunnel, isReturning: Bool) async throws(PortRefusal) -> UInt16 {
        guard !self.isLeaving else { throw .notServed }
        let former = self.leases.port(of: tunnel.id)
        // Without a wish it is the one that other edges know the tunnel by, unless that can't be had here.
        var known = wish == nil ? await self.knownPort(of: tunnel) : nil
        // What others have been seen to have needs no question.
        var unusable: Set<UInt16> = isReturning ? [] : Set(self.online.filter { $0.value != tunnel.id }.keys)
        while true {
            let before = self.leases
            let port: UInt16
            do {
                port = try self.leases.take(
                    wish ?? known,
                    for: tunnel.id,
                    version: tunnel.version,
                    isReturning: isReturning,
                    except: unusable,
                    now: self.now()
                )
            } catch  where known != nil {
                known = nil
                continue
            }
            known = nil
            let isClaimed = await self.claim(port, for: tunnel, isReturning: isReturning)
            if isClaimed, let loser = before.holder(of: port), loser != tunnel.id { await self.end(loser) }
            if isClaimed, await self.listen(on: port, for: tunnel.id) {
                if let former, former != port { await self.closeListener(on: former, of: tunnel.id) }
                return port
            }
            if self.leases.port(of: tunnel.id) == port {
                self.leases.release(tunnel.id)
                if let former = before.port(of: tunnel.id), former != port {
                    _ = try? self.leases.take(former, for: tunnel.id, version: tunnel.version, now: self.now())
                    if isClaimed { _ = await self.claim(former, for: tunnel, isReturning: true) }
                }
            }
            guard wish == nil else { throw .taken(port) }
            unusable.insert(port)
            guard unusable.count < Self.attempts else { throw .noneFree(self.leases.range) }
        }
    }

    /// Ends a tunnel whose port is another's, by a later word.
    func end(_ tunnel: TunnelID) async {
        let tunnel = await self.services.registry.remove(tunnel, keepingNameFor: .zero)
        for session in tunnel?.close(isDeleted: true) ?? [] { session.revoke() }
    }

    package func close(_ tunnel: TunnelID, keepingPortFor lease: TimeAmount) async {
        for (port, listener) in self.listeners where listener.tunnel == tunnel {
            self.online[port] = nil
            await self.closeListener(on: port, of: tunnel)
        }
        guard self.leases.port(of: tunnel) != nil else { return }
        if lease > .zero {
            self.leases.keep(tunnel, until: self.now() + lease)
        } else {
            self.leases.release(tunnel)
        }
    }

    /// Closes the listeners of tunnels that nobody is likely to come back to; their ports stay theirs.
    ///
    /// - Parameter period: For how long after its last session a tunnel is waited for.
    package func closeIdle(after period: TimeAmount) async {
        let since = self.now() - period
        for (port, listener) in self.listeners where self.online[port] != listener.tunnel {
            guard let tunnel = self.services.registry.tunnel(listener.tunnel), !tunnel.isIdle(since: since) else {
                await self.closeListener(on: port, of: listener.tunnel)
                continue
            }
        }
    }

    /// Takes no more connections, for good.
    package func leave() async {
        self.isLeaving = true
        for (port, listener) in self.listeners { await self.closeListener(on: port, of: listener.tunnel) }
    }

    /// The ports that are listened on.
    package var openPorts: Set<UInt16> { Set(self.listeners.keys) }

    /// Listens on a port, unless that is done.
    ///
    /// - Returns: Whether the port is open; if not, it is of no use, mostly because somebody else has it.
    func listen(on port: UInt16, for tunnel: TunnelID) async -> Bool {
        if let listener = self.listeners[port], listener.tunnel != tunnel {
            // Its tunnel has been forgotten, or has another port by now.
            await self.closeListener(on: port, of: listener.tunnel)
        }
        let channel: Task<any Channel, any Error>
        if let listener = self.listeners[port] {
            channel = listener.channel
        } else {
            let (services, bind) = (self.services, self.bind)
            channel = Task {
                try await bind(port) { channel in
                    try TunnelConnection.begin(services, channel: channel, tunnel: tunnel, port: port)
                }
            }
            self.listeners[port] = Listener(tunnel: tunnel, channel: channel)
        }
        do {
            _ = try await channel.value
            return true
        } catch {
            if self.listeners[port]?.tunnel == tunnel { self.listeners[port] = nil }
            return false
        }
    }

    func closeListener(on port: UInt16, of tunnel: TunnelID) async {
        guard self.listeners[port]?.tunnel == tunnel, let listener = self.listeners.removeValue(forKey: port) else {
            return
        }
        guard let channel = try? await listener.channel.value else { return }
        try? await channel.close().get()
    }
}
