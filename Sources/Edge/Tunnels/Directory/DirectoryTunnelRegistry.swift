// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import NIOCore
import Protocol
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What knows which tokens have ended, and is told of those that ended elsewhere.
package protocol CutoffLearner: Sendable {
    /// Takes up what others know of the ends of a tunnel's tokens.
    func learn(_ ends: TokenEnds, of id: TunnelID)
    /// What is known of the ends of a tunnel's tokens.
    func knownEnds(of id: TunnelID) -> TokenEnds
    /// The tunnels of which some ends are known, those that are no more among them.
    var endedTunnels: [TunnelID] { get }
}

/// A registry that has a directory know what it does, so that a restart, or another edge, does not forget it.
///
/// While the directory is away, connectors with valid tokens are let in and tunnels that are here are served; what would
/// have to be remembered is refused.
package final class DirectoryTunnelRegistry: TunnelRegistry {
    /// The tunnels that this edge has.
    package let local: InMemoryTunnelRegistry
    /// This edge's sessions, as the directory is to know them.
    package let publisher: SessionPublisher
    private let directory: any TunnelDirectory
    private let tokens: any CutoffLearner
    private let tunnelsPerOwner: Int
    /// Finds the edges that have sessions of a tunnel.
    package let seeker: RouteSeeker
    private let guests: Mutex<Guests>
    private let absent = Mutex(RecentAbsences<TunnelID>())
    private let lookups = SharedLookups<Tunnel?>()
    /// Of which tunnels something may have been missed.
    private let missed = Mutex(DirtyTunnels<TunnelID>())
    private let moved = Mutex<(@Sendable (TunnelID, _ owner: String) -> Void)?>(nil)
    /// How many of them are looked up at a time.
    private static let width = 64

    /// Puts a directory behind a registry.
    ///
    /// - Parameters:
    ///   - local: The tunnels of this edge.
    ///   - directory: What remembers.
    ///   - tokens: What is told of tokens that ended.
    ///   - pod: This edge.
    ///   - tunnelsPerOwner: The most tunnels that one API key may have.
    ///   - maxGuests: The most tunnels that are kept only because visitors came for them.
    ///   - rebalances: Whether connectors are asked to go elsewhere where this edge has more of them than others.
    package init(
        _ local: InMemoryTunnelRegistry,
        directory: any TunnelDirectory,
        tokens: any CutoffLearner,
        pod: PodID = PodID(),
        tunnelsPerOwner: Int = 100,
        maxGuests: Int = 65_536,
        rebalances: Bool = false
    ) {
        self.local = local
        self.directory = directory
        self.tokens = tokens
        self.tunnelsPerOwner = tunnelsPerOwner
        let publisher = SessionPublisher(local, directory: directory, tokens: tokens, pod: pod, rebalances: rebalances)
        self.publisher = publisher
        self.guests = Mutex(Guests(limit: maxGuests))
        self.seeker = RouteSeeker(directory, tokens: tokens, pod: pod, pods: publisher.pods) {
            await publisher.refreshPods()
        }
        local.seek(by: self.seeker, sharing: DirectoryRateSharer(directory: directory, pods: publisher.pods))
        self.seeker.whenGone { [weak self] tunnel in
            guard let self, self.guests.withLock({ $0.contains(tunnel.id) }), tunnel.sessions.isEmpty else { return }
            self.forget(tunnel)
        }
        self.seeker.whenTaken { [weak self] tunnel, owner in
            self?.tellMoved(tunnel.id, to: owner)
            // Those of this edge end with what the directory says of their tokens.
            self?.publisher.tellAgain(tunnel.id)
            await self?.giveUp(tunnel)
        }
        self.seeker.whenOutranked { [weak self] tunnel in
            self?.publisher.tellAgain(tunnel.id)
            // One without sessions of this edge, or ways to others, has nobody else who could tell of it.
            if tunnel.sessions.isEmpty, !tunnel.hasWays { await self?.giveUp(tunnel) }
        }
    }

    package func tunnel(_ id: TunnelID) -> Tunnel? { self.local.tunnel(id) }

    package var looksFurther: Bool { true }

    package func find(_ id: TunnelID) async throws -> Tunnel? {
        if let tunnel = self.local.tunnel(id) { return tunnel }
        guard !self.absent.withLock({ $0.contains(id, now: Self.uptime) }) else { return nil }
        return try await self.lookups.answer(of: id) { try await self.lookUp(id) }
    }

    private func lookUp(_ id: TunnelID) async throws -> Tunnel? {
        // Whoever asked until a moment ago may have found it.
        if let tunnel = self.local.tunnel(id) { return tunnel }
        let now = Self.uptime
        guard let entry = try await self.asking({ try await self.directory.find(id) }) else {
            self.absent.withLock { $0.insert(id, now: now) }
            return nil
        }
        self.tokens.learn(entry.ends, of: id)
        let tunnel = try await self.local.restore(entry.specification)
        let isOverfull = self.guests.withLock { guests in
            guests.insert(id, now: Self.time)
            return guests.isOverfull
        }
        if isOverfull { await self.dropIdleGuests() }
        await self.seeker.found(entry, of: tunnel)
        return tunnel
    }

    @discardableResult
    package func lookAround(for tunnel: Tunnel) async -> [OtherEdgeSessions] {
        do {
            guard let entry = try await self.directory.find(tunnel.id) else { return [] }
            await self.seeker.found(entry, of: tunnel)
            return entry.specification.owner == tunnel.owner ? self.elsewhere(entry) : []
        } catch {
            self.missed.withLock { $0.mark(tunnel.id) }
            return []
        }
    }

    /// How many sessions of a tunnel other edges have; those of one that is dead are about to be taken away.
    private func elsewhere(_ entry: DirectoryEntry) -> [OtherEdgeSessions] {
        let pods = entry.places.map(\.pod).filter { $0 != self.publisher.pod && self.publisher.pods.contains($0) }
        return Dictionary(grouping: pods) { $0 }
            .map { OtherEdgeSessions(pod: $0.key.description, sessions: $0.value.count) }
            .sorted { $0.pod < $1.pod }
    }

    package func create(_ specification: TunnelSpecification) async throws -> Tunnel {
        // What this edge knows counts, too: a directory that was emptied knows less.
        if self.local.tunnel(specification.id) != nil { throw TunnelRegistryError.nameTaken }
        var specification = specification
        while true {
            let creation = try await self.asking { [specification] in
                try await self.directory.create(specification, limit: self.tunnelsPerOwner)
            }
            switch creation {
            case .taken, .own: throw TunnelRegistryError.nameTaken
            case .limit: throw TunnelRegistryError.tooManyTunnels(limit: self.tunnelsPerOwner)
            case .ended(let ends): try self.move(&specification, beyond: ends)
            case .created:
                self.absent.withLock { $0.remove(specification.id) }
                return try await self.local.create(specification)
            }
        }
    }

    /// Makes a tunnel later than the end of the tokens of one that had its id.
    private func move(_ specification: inout TunnelSpecification, beyond ends: TokenEnds) throws {
        self.tokens.learn(ends, of: specification.id)
        guard let issuedUntil = ends.issuedUntil, issuedUntil >= specification.version else {
            throw TunnelRegistryError.unavailable
        }
        specification.version = issuedUntil.nextUp
    }

    package func restore(
        _ specification: TunnelSpecification,
        issuedAt: Double,
        provided isValid: @Sendable () -> Bool
    ) async throws -> Tunnel {
        var specification = specification
        let id = specification.id
        // The token says enough to let a connector in; what it can't say is learned when the directory is back.
        switch try? await self.directory.join(DirectoryArrival(specification, issuedAt: issuedAt)) {
        case .joined(let entry):
            self.tokens.learn(entry.ends, of: id)
            if entry.specification.version > specification.version {
                guard entry.specification.form.kind == specification.form.kind else {
                    throw TunnelRegistryError.ended
                }
                (specification.policy, specification.form, specification.version) = (
                    entry.specification.policy, entry.specification.form, entry.specification.version
                )
            }
        case .ended(let ends):
            self.tokens.learn(ends, of: id)
            throw TunnelRegistryError.ended
        case .taken, .full: throw TunnelRegistryError.nameTaken
        case nil: break
        }
        self.absent.withLock { $0.remove(id) }
        self.guests.withLock { $0.remove(id) }
        return try await self.local.restore(specification, issuedAt: issuedAt, provided: isValid)
    }

    package func confirm(_ tunnel: Tunnel, issuedAt: Double?) async throws {
        let entry: DirectoryEntry
        if let issuedAt {
            // An arrival, so that a directory that was emptied answers as one that was not.
            let arrival = DirectoryArrival(tunnel.specification, issuedAt: issuedAt)
            switch try await self.asking({ try await self.directory.join(arrival) }) {
            case .joined(let joined): entry = joined
            case .ended(let ends):
                self.tokens.learn(ends, of: tunnel.id)
                throw TunnelRegistryError.ended
            case .taken, .full: throw TunnelRegistryError.nameTaken
            }
        } else {
            // Whether one that is not known was deleted or is yet to be told of shows within seconds.
            guard let found = try await self.asking({ try await self.directory.find(tunnel.id) }) else {
                throw TunnelRegistryError.unavailable
            }
            guard found.specification.owner == tunnel.owner else { throw TunnelRegistryError.nameTaken }
            entry = found
        }
        self.tokens.learn(entry.ends, of: tunnel.id)
        tunnel.adopt(entry.specification)
    }

    package func change(_ tunnel: Tunnel, to policy: TunnelPolicy, at now: Double) async throws {
        var specification = tunnel.specification
        specification.policy = policy
        specification.version = max(now, specification.version.nextUp)
        if let version = try await self.asking({ [specification] in try await self.directory.change(specification) }) {
            return tunnel.change(to: policy, at: version)
        }
        // A directory that was emptied learns of the tunnel now.
        while true {
            let arrival = DirectoryArrival(specification, issuedAt: specification.version)
            switch try await self.asking({ try await self.directory.join(arrival) }) {
            case .joined: return tunnel.change(to: policy, at: specification.version)
            case .ended(let ends): try self.move(&specification, beyond: ends)
            case .taken, .full: throw TunnelRegistryError.nameTaken
            }
        }
    }

    package func end(_ cutoff: TokenCutoffs.Cutoff, of tunnel: Tunnel) async throws {
        try await self.asking { try await self.directory.end(cutoff, of: tunnel.id) }
    }

    package func endAccess(issuedUntil: Double, to tunnel: Tunnel) async throws {
        try await self.asking { try await self.directory.endAccess(issuedUntil: issuedUntil, of: tunnel.id) }
    }

    @discardableResult
    package func delete(_ tunnel: Tunnel, ending cutoff: TokenCutoffs.Cutoff) async throws -> Bool {
        let wasThere = try await self.asking {
            try await self.directory.remove(tunnel.id, of: tunnel.owner, ending: cutoff)
        }
        _ = await self.local.remove(tunnel.id, keepingNameFor: .zero)
        self.publisher.mark(tunnel.id)
        return wasThere
    }

    package func list(owner: String?, after cursor: TunnelID?, limit: Int) async -> TunnelPage {
        do {
            let entries = try await self.directory.list(owner: owner, after: cursor, limit: limit)
            var elsewhere: [TunnelID: [OtherEdgeSessions]] = [:]
            let tunnels = entries.map { entry in
                // What this edge still has of an owner before is not what is listed.
                let known = self.local.tunnel(entry.specification.id)
                    .flatMap { $0.owner == entry.specification.owner ? $0 : nil }
                let tunnel = known ?? Tunnel(entry.specification)
                tunnel.keepWays(to: Set(entry.places.map(\.pod)).subtracting([self.publisher.pod]))
                elsewhere[tunnel.id] = self.elsewhere(entry)
                return tunnel
            }
            return TunnelPage(tunnels, elsewhere: elsewhere)
        } catch {
            var page = await self.local.list(owner: owner, after: cursor, limit: limit)
            page.isPartial = true
            return page
        }
    }

    /// Forgets a tunnel here; what the directory knows of it stays until it has been idle there.
    package func remove(_ id: TunnelID, keepingNameFor lease: TimeAmount) async -> Tunnel? {
        self.guests.withLock { $0.remove(id) }
        defer { self.publisher.mark(id) }
        return await self.local.remove(id, keepingNameFor: lease)
    }

    package func sessionsChanged(of tunnel: Tunnel) {
        self.publisher.mark(tunnel.id)
    }

    // MARK: Guests

    /// How many tunnels are here only because visitors came for them.
    package var guestCount: Int { self.guests.withLock { $0.count } }

    /// Forgets those of them that nobody uses; the directory knows them.
    package func dropIdleGuests() async {
        let leaving = self.guests.withLock { guests in
            guests.takeLeaving(now: Self.time) { self.local.tunnel($0)?.lastActiveAt?.timeIntervalSince1970 }
        }
        for id in leaving {
            guard let tunnel = self.local.tunnel(id), tunnel.sessions.isEmpty else { continue }
            self.forget(tunnel)
        }
    }

    private static var time: Double { Date().timeIntervalSince1970 }

    // MARK: What other edges do

    /// Has somebody told of names that are another owner's now, as soon as that is known here.
    package func whenMoved(_ body: @escaping @Sendable (TunnelID, _ owner: String) -> Void) {
        self.moved.withLock { $0 = body }
    }

    private func tellMoved(_ id: TunnelID, to owner: String) { self.moved.withLock { $0 }?(id, owner) }

    /// Takes up what was done at another edge, or here.
    ///
    /// - Returns: Whether something is to be looked up, which would hold up the events behind this one.
    @discardableResult
    package func heard(_ event: DirectoryEvent) async -> Bool {
        guard case .moved(let id, let owner, let version) = event else {
            await self.takeUp(event)
            return false
        }
        if let tunnel = self.local.tunnel(id), tunnel.owner != owner {
            self.publisher.tellAgain(id)
            self.missed.withLock { $0.mark(id) }
            // What this edge knows may be the later word, which has only not been told yet.
            if let version, tunnel.specification.outranks(version, of: owner) { return true }
            tunnel.revokeWays()
            self.tellMoved(id, to: owner)
            return true
        }
        self.tellMoved(id, to: owner)
        return false
    }

    private func takeUp(_ event: DirectoryEvent) async {
        switch event {
        case .deleted(let id, let issuedUntil):
            let cutoff = TokenCutoffs.Cutoff(issuedUntil: issuedUntil)
            self.tokens.learn(TokenEnds([cutoff], access: issuedUntil), of: id)
            // A tunnel that was made since then is another one.
            guard let tunnel = self.local.tunnel(id), tunnel.version <= issuedUntil else { return }
            self.end(tunnel)
        case .cut(let id, let cutoff):
            self.tokens.learn(TokenEnds([cutoff]), of: id)
            let end = Date(timeIntervalSince1970: cutoff.endAt)
            for session in self.local.tunnel(id)?.sessions ?? []
            where session.tokenIssuedAt <= cutoff.issuedUntil {
                session.limitLifetime(to: end)
            }
        case .accessEnded(let id, let issuedUntil):
            self.tokens.learn(TokenEnds(access: issuedUntil), of: id)
        case .changed(let id, let version):
            guard let tunnel = self.local.tunnel(id), tunnel.version < version else { return }
            do {
                guard let entry = try await self.directory.find(id) else { return }
                guard entry.specification.owner == tunnel.owner else {
                    return await self.seeker.found(entry, of: tunnel)
                }
                tunnel.adopt(entry.specification)
            } catch {
                self.missed.withLock { $0.mark(id) }
            }
        case .moved: break
        case .forgotten(let id):
            guard let tunnel = self.local.tunnel(id), tunnel.sessions.isEmpty else { return }
            self.forget(tunnel)
        case .podCame(let pod, let info):
            self.publisher.pods.add(pod, info)
            let isElsewhere = pod != self.publisher.pod && self.publisher.pods.address(of: self.publisher.pod) != nil
            if isElsewhere, self.publisher.pods.takesConnectors(pod) { ConnectorSpread(local: self.local).begin() }
        }
    }

    /// This edge may have missed something: everything is told again, which shows whether it may go on.
    ///
    /// - Parameter visited: Tunnels that are looked at even if nobody comes for them again.
    package func mayHaveMissed(with visited: [TunnelID] = []) async {
        self.publisher.tellEverything()
        var ids = visited
        for tunnel in self.local.all {
            tunnel.suspectWays()
            // What visitors came for is looked at when they come again.
            if self.isOffline(tunnel) { ids.append(tunnel.id) }
        }
        self.missed.withLock { missed in
            for id in ids { missed.mark(id) }
        }
        await self.lookUpMissed()
    }

    /// Whether there is something to look up, which the directory did not answer about.
    package var hasMissed: Bool { self.missed.withLock { $0.count > 0 } }

    /// Looks up what may have been missed; where the directory does not answer it is kept for another time.
    package func lookUpMissed() async {
        let count = self.missed.withLock { missed in
            missed.retry()
            return missed.count
        }
        await withTaskGroup { group in
            for _ in 0..<min(Self.width, count) {
                group.addTask {
                    while let id = self.missed.withLock({ $0.next() }) {
                        do {
                            if let tunnel = self.local.tunnel(id) { try await self.lookAgain(at: tunnel) }
                            self.missed.withLock { $0.done(id) }
                        } catch {
                            self.missed.withLock { $0.failed(id) }
                        }
                    }
                }
            }
        }
    }

    /// Whether a tunnel is here because it was made here or a connector came, and has none now.
    private func isOffline(_ tunnel: Tunnel) -> Bool {
        tunnel.sessions.isEmpty && !self.guests.withLock { $0.contains(tunnel.id) }
    }

    private func lookAgain(at tunnel: Tunnel) async throws {
        guard self.isOffline(tunnel) else {
            // Of its sessions the publisher tells, and learns whether they may go on.
            if let entry = try await self.directory.find(tunnel.id) { await self.seeker.found(entry, of: tunnel) }
            return
        }
        let arrival = DirectoryArrival(tunnel.specification, issuedAt: tunnel.version)
        switch try await self.directory.join(arrival) {
        case .joined(let entry):
            self.tokens.learn(entry.ends, of: tunnel.id)
            tunnel.adopt(entry.specification)
        case .ended(let ends):
            self.tokens.learn(ends, of: tunnel.id)
            // Its tokens may have been replaced, or it was deleted: then there is nothing, or what is another owner's.
            let entry = try await self.directory.find(tunnel.id)
            switch entry?.specification.owner {
            case tunnel.owner: break
            case nil: self.forget(tunnel)
            default: self.end(tunnel)
            }
        case .taken: self.end(tunnel)
        case .full: break
        }
    }

    /// Ends a tunnel whose name is another owner's: the next visitor finds that one's.
    private func giveUp(_ tunnel: Tunnel) async {
        // With sessions of this edge it is for the directory to say whose word is the later one.
        guard tunnel.sessions.isEmpty, self.local.tunnel(tunnel.id) === tunnel else { return }
        if self.guests.withLock({ $0.contains(tunnel.id) }) {
            self.end(tunnel)
        } else {
            try? await self.lookAgain(at: tunnel)
        }
    }

    /// Ends a tunnel that was deleted, or is another owner's, whose inbox is not this one's.
    private func end(_ tunnel: Tunnel) {
        guard self.drop(tunnel) else { return }
        for session in tunnel.close(isDeleted: true) { session.revoke() }
    }

    private func forget(_ tunnel: Tunnel) {
        // What is sent to it has to be kept, also while nobody is there.
        guard tunnel.inbox == nil, self.drop(tunnel) else { return }
        for session in tunnel.close(isDeleted: false) { session.end(code: .shutdown, reason: "the tunnel was idle") }
    }

    /// Removes a tunnel, unless another one has come in its place while the directory was asked.
    private func drop(_ tunnel: Tunnel) -> Bool {
        guard self.local.remove(tunnel) else { return false }
        self.guests.withLock { $0.remove(tunnel.id) }
        self.publisher.mark(tunnel.id)
        return true
    }

    private func asking<Answer: Sendable>(_ question: () async throws -> Answer) async throws -> Answer {
        do {
            return try await question()
        } catch is TunnelDirectoryError {
            throw TunnelRegistryError.unavailable
        }
    }

    private static var uptime: Double { Double(NIODeadline.now().uptimeNanoseconds) / 1e9 }
}
