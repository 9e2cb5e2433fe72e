// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import NIOCore
import Synchronization

/// The sessions between this edge and others.
package protocol PeerLinks: Sendable {
    /// Gives a tunnel a way to an edge, once there is a link to it: at once, soon, or never.
    func attach(_ tunnel: Tunnel, at pod: PodID)
    /// Tells the edges whose streams of a tunnel go on here that its sessions are suspect, or no more so.
    func tell(_ isSuspect: Bool, of id: TunnelID)
}

/// Asks the directory which edges have sessions of a tunnel, and has it given ways to them.
///
/// One look at a time for each tunnel, at most ``width`` in all. It is repeated while requests wait, since the connector may
/// be about to come somewhere; what else is known of the tunnel is taken up on the way.
package final class RouteSeeker: SessionSeeker {
    /// The most tunnels that are sought at a time.
    static let width = 1_024
    /// How long to wait before it is looked again.
    private static let pause = Duration.milliseconds(100)
    /// The most edges that a tunnel is given ways to at a time.
    private static let mostPods = 8

    private let directory: any TunnelDirectory
    private let tokens: any CutoffLearner
    private let own: PodID
    private let pods: PodTable
    private let underWay = Mutex<Set<TunnelID>>([])
    private let links = Mutex<(any PeerLinks)?>(nil)
    private let gone = Mutex<(@Sendable (Tunnel) async -> Void)?>(nil)
    private let taken = Mutex<(@Sendable (Tunnel, _ owner: String) async -> Void)?>(nil)
    private let outranked = Mutex<(@Sendable (Tunnel) async -> Void)?>(nil)
    /// Learns of edges that have come since the last beat.
    private let refresh: @Sendable () async -> Void

    /// Makes a seeker without links, which finds nothing.
    ///
    /// - Parameters:
    ///   - directory: What is asked.
    ///   - tokens: What is told of tokens that ended.
    ///   - pod: This edge.
    ///   - pods: The edges that live.
    ///   - refresh: Updates these.
    init(
        _ directory: any TunnelDirectory,
        tokens: any CutoffLearner,
        pod: PodID,
        pods: PodTable,
        refresh: @escaping @Sendable () async -> Void
    ) {
        self.directory = directory
        self.tokens = tokens
        self.own = pod
        self.pods = pods
        self.refresh = refresh
    }

    /// Takes the links that ways lead over.
    package func use(_ links: any PeerLinks) {
        self.links.withLock { $0 = links }
    }

    /// Has somebody told of tunnels that are no more, as far as the directory and the ways to them show.
    func whenGone(_ body: @escaping @Sendable (Tunnel) async -> Void) {
        self.gone.withLock { $0 = body }
    }

    /// Has somebody told of tunnels whose names are another owner's now, who has spoken later.
    func whenTaken(_ body: @escaping @Sendable (Tunnel, _ owner: String) async -> Void) {
        self.taken.withLock { $0 = body }
    }

    /// Has somebody told of tunnels of which the directory knows another owner's earlier word alone.
    func whenOutranked(_ body: @escaping @Sendable (Tunnel) async -> Void) {
        self.outranked.withLock { $0 = body }
    }

    package func seek(_ tunnel: Tunnel) {
        let (isNew, isFull) = self.underWay.withLock { ids -> (Bool, Bool) in
            guard ids.count < Self.width else { return (false, !ids.contains(tunnel.id)) }
            return (ids.insert(tunnel.id).inserted, false)
        }
        if isFull { tunnel.soughtInVain() }
        guard isNew else { return }
        Task {
            await self.look(for: tunnel)
            self.underWay.withLock { _ = $0.remove(tunnel.id) }
            // Who came in the last moment.
            if tunnel.isAwaited { self.seek(tunnel) }
        }
    }

    package func tell(_ isSuspect: Bool, of tunnel: Tunnel) {
        self.links.withLock { $0 }?.tell(isSuspect, of: tunnel.id)
    }

    private func look(for tunnel: Tunnel) async {
        repeat {
            do {
                await self.found(try await self.directory.find(tunnel.id), of: tunnel)
            } catch {
                tunnel.soughtNowhere()
            }
            guard tunnel.isAwaited else { return }
            try? await Task.sleep(for: Self.pause)
        } while tunnel.isAwaited
    }

    /// Takes up what the directory knows of a tunnel.
    func found(_ entry: DirectoryEntry?, of tunnel: Tunnel) async {
        // One that knows nothing may have been emptied: what serves goes on.
        guard let entry else {
            tunnel.soughtInVain()
            if !tunnel.hasWays, !tunnel.isAwaited, let gone = self.gone.withLock({ $0 }) { await gone(tunnel) }
            return
        }
        self.tokens.learn(entry.ends, of: tunnel.id)
        guard entry.specification.owner == tunnel.owner else {
            guard entry.specification.outranks(tunnel.version, of: tunnel.owner) else {
                // A replica that has become the primary lags behind: what serves goes on, and is told again.
                tunnel.soughtInVain()
                if let outranked = self.outranked.withLock({ $0 }) { await outranked(tunnel) }
                return
            }
            // What the ways lead to is another tunnel, which has another policy; what is under way went to the one before.
            tunnel.revokeWays()
            tunnel.soughtInVain()
            if let taken = self.taken.withLock({ $0 }) { await taken(tunnel, entry.specification.owner) }
            return
        }
        tunnel.adopt(entry.specification)
        let pods = Set(entry.places.map(\.pod)).subtracting([self.own])
        tunnel.keepWays(to: pods)
        guard let links = self.links.withLock({ $0 }), !pods.isEmpty else { return tunnel.soughtInVain() }
        if pods.contains(where: { !self.pods.contains($0) }) { await self.refresh() }
        for pod in pods.prefix(Self.mostPods) where !tunnel.hasWay(to: pod) { links.attach(tunnel, at: pod) }
    }
}
