// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import NIOCore
import Protocol
import Synchronization

/// Has the directory know which sessions this edge has, and renews its lease.
///
/// It tells what is so, not what happened: a tunnel is marked whenever something about it changes, and what the directory
/// was told last is made to agree. So nothing has to be kept for the time when the directory is away.
package final class SessionPublisher: Sendable {
    private struct Told {
        /// In which round of telling everything.
        var round: Int
        var slots: Set<String>
    }

    private struct State {
        var dirty = DirtyTunnels<TunnelID>()
        var told: [TunnelID: Told] = [:]
        var round = 0
        /// Of which it is told again in this round.
        var again: Set<TunnelID> = []
    }

    /// How many tunnels are told of at a time.
    private static let width = 64
    /// How many tunnels are taken away from a dead pod at a time.
    private static let reapedAtOnce = 100

    private let local: InMemoryTunnelRegistry
    private let directory: any TunnelDirectory
    private let tokens: any CutoffLearner
    /// This edge.
    package let pod: PodID
    /// The edges that live, as of the last beat.
    package let pods = PodTable()
    private let info = Mutex(PodInfo())
    private let rebalance: ConnectorRebalance?
    private let lastRefresh = Mutex(NIODeadline.distantPast)
    private let state = Mutex(State())
    private let (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    init(
        _ local: InMemoryTunnelRegistry,
        directory: any TunnelDirectory,
        tokens: any CutoffLearner,
        pod: PodID,
        rebalances: Bool = false
    ) {
        self.rebalance = rebalances ? ConnectorRebalance(local: local) : nil
        self.local = local
        self.directory = directory
        self.tokens = tokens
        self.pod = pod
    }

    /// How many tunnels the directory has yet to be told about.
    package var backlog: Int { self.state.withLock { $0.dirty.count } }

    /// Something about a tunnel has changed.
    func mark(_ id: TunnelID) {
        self.state.withLock { $0.dirty.mark(id) }
        self.signal.yield()
    }

    /// Tells the directory everything again: it may have forgotten, or others may have.
    package func tellEverything() {
        let ids = self.local.all.filter { !$0.sessions.isEmpty }.map(\.id)
        self.state.withLock { state in
            state.round += 1
            for id in ids { state.dirty.mark(id) }
            for id in state.told.keys { state.dirty.mark(id) }
        }
        self.signal.yield()
    }

    /// Tells the directory again of a tunnel's sessions, and learns whether they may go on.
    func tellAgain(_ id: TunnelID) {
        self.state.withLock { _ = $0.again.insert(id) }
        self.mark(id)
    }

    /// Tells the directory what changes, until the task is cancelled.
    package func run() async {
        for await _ in self.signals { await self.publish() }
    }

    /// Tells the directory all that it has yet to be told.
    package func publish() async {
        await withTaskGroup { group in
            for _ in 0..<min(Self.width, self.backlog) {
                group.addTask {
                    while let id = self.state.withLock({ $0.dirty.next() }) {
                        do {
                            try await self.publish(id)
                            self.state.withLock { $0.dirty.done(id) }
                        } catch {
                            self.state.withLock { $0.dirty.failed(id) }
                        }
                    }
                }
            }
        }
    }

    private func publish(_ id: TunnelID) async throws {
        let tunnel = self.local.tunnel(id)
        let here = tunnel?.slots(of: self.pod.description) ?? []
        let (known, round) = self.state.withLock { state in
            var known = state.told[id]
            if state.again.remove(id) != nil { known?.round = -1 }
            return (known, state.round)
        }
        var slots = known?.slots ?? []
        // In no round, unless all of it worked: what failed is told again, and not taken for told.
        var toldIn = -1
        defer {
            self.state.withLock { state in
                state.told[id] = slots.isEmpty ? nil : Told(round: toldIn, slots: slots)
            }
        }
        if let tunnel {
            for (slot, session) in here where known?.round != round || !slots.contains(slot) {
                // Before it is known whether that worked: what may be there has to be taken away one day.
                slots.insert(slot)
                if try await !self.join(session, slot, tunnel) { slots.remove(slot) }
            }
        }
        for slot in slots.subtracting(here.map(\.slot)) {
            let place = DirectoryPlace(pod: self.pod, slot: slot)
            try await self.directory.leave(place, of: id, isLast: slots.count == 1)
            slots.remove(slot)
        }
        toldIn = round
    }

    /// - Returns: Whether the session may go on.
    private func join(_ session: TunnelSession, _ slot: String, _ tunnel: Tunnel) async throws -> Bool {
        let arrival = DirectoryArrival(
            tunnel.specification,
            issuedAt: session.tokenIssuedAt,
            place: DirectoryPlace(pod: self.pod, slot: slot),
            limit: tunnel.maxConnections
        )
        switch try await self.directory.join(arrival) {
        case .joined(let entry):
            self.tokens.learn(entry.ends, of: tunnel.id)
            tunnel.adopt(entry.specification)
            return true
        case .ended(let ends):
            // What was decided while this edge could not be told.
            self.tokens.learn(ends, of: tunnel.id)
            session.revoke()
            try await self.forgetDeleted(tunnel)
        case .taken:
            session.revoke()
        case .full:
            session.end(code: .enhanceCalm, reason: "the tunnel has as many connections as it may have")
        }
        return false
    }

    /// Forgets a tunnel whose tokens have ended, if it was deleted: else it would be offline here, and unknown elsewhere.
    private func forgetDeleted(_ tunnel: Tunnel) async throws {
        // An inbox takes what is sent to a tunnel that the directory has forgotten, too.
        guard tunnel.inbox == nil,
            try await self.directory.find(tunnel.id)?.specification.owner != tunnel.owner
        else { return }
        _ = self.local.remove(tunnel)
        for session in tunnel.close(isDeleted: true) { session.revoke() }
    }

    // MARK: The lease

    /// Renews the lease, takes away what dead pods held, and tells what could not be told before.
    ///
    /// - Returns: The pods that live.
    @discardableResult
    package func beat() async throws -> DirectoryBeat {
        var info = self.info.withLock { $0 }
        // One without links has visitors for its own connectors alone, and keeps them.
        if info.address != nil, info.isLeaving != true { info.connections = self.rebalance?.count }
        let beat = try await self.directory.beat(self.pod, info: info.text)
        self.pods.update(beat.live)
        if info.connections != nil { self.rebalance?.step(others: self.pods.connections(besides: self.pod)) }
        if beat.hadLease {
            self.state.withLock { $0.dirty.retry() }
            self.signal.yield()
        } else {
            await self.tellEnds()
            self.tellEverything()
        }
        for pod in beat.dead where pod != self.pod { try await self.reap(pod, isLeaving: false) }
        return beat
    }

    /// Says something else of this edge, from the next beat on.
    package func tell(_ info: PodInfo) {
        self.info.withLock { $0 = info }
    }

    /// Says that this edge takes no connectors any more: others count it for their visitors alone.
    package func beginLeaving() {
        self.info.withLock { $0.isLeaving = true }
        // Its connectors are about to connect elsewhere, and are told how many edges there are.
        Task { try? await self.beat() }
    }

    /// Learns of edges that have come since the last beat, a few times a second at most.
    func refreshPods() async {
        let isDue = self.lastRefresh.withLock { last in
            guard NIODeadline.now() - last >= .milliseconds(250) else { return false }
            last = .now()
            return true
        }
        if isDue { _ = try? await self.beat() }
    }

    /// A directory that was emptied has forgotten what this edge heard of ended tokens, also of tunnels that are no more.
    private func tellEnds() async {
        let ids = self.tokens.endedTunnels
        await withTaskGroup { group in
            for first in 0..<min(Self.width, ids.count) {
                group.addTask {
                    for id in stride(from: first, to: ids.count, by: Self.width).lazy.map({ ids[$0] }) {
                        await self.tellEnds(of: id)
                    }
                }
            }
        }
    }

    private func tellEnds(of id: TunnelID) async {
        let ends = self.tokens.knownEnds(of: id)
        for cutoff in ends.cutoffs { try? await self.directory.end(cutoff, of: id) }
        if let access = ends.access { try? await self.directory.endAccess(issuedUntil: access, of: id) }
    }

    /// This edge is over: what it held is nobody's.
    package func leave() async {
        try? await self.reap(self.pod, isLeaving: true)
    }

    private func reap(_ pod: PodID, isLeaving: Bool) async throws {
        while let count = try await self.directory.reap(pod, isLeaving: isLeaving, limit: Self.reapedAtOnce), count > 0
        {}
    }
}
