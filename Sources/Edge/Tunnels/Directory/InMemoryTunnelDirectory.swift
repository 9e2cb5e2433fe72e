// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Synchronization

/// A directory in the memory of one process: what every other one is held against, and what tests stand several edges on.
package final class InMemoryTunnelDirectory: TunnelDirectory {
    struct Record {
        var specification: TunnelSpecification
        var sessions: [String: PodID] = [:]
        /// When it may be forgotten; `nil` while it has sessions.
        var idleUntil: Double?
    }

    struct Lease {
        var specification: TunnelSpecification
        var end: Double
    }

    struct State {
        var isUp = true
        var records: [TunnelID: Record] = [:]
        var leases: [TunnelID: Lease] = [:]
        var cutoffs = TokenCutoffs()
        var accessEnds: [TunnelID: Double] = [:]
        var pods: [PodID: (beat: Double, info: String)] = [:]
        var codes: [String: UInt64] = [:]
        var buckets: [String: (tokens: Double, at: Double)] = [:]
        var ports: [UInt16: PortClaim] = [:]
        var observers: [@Sendable (DirectoryEvent) -> Void] = []
    }

    private let state = Mutex(State())
    private let times: DirectoryTimes
    private let now: @Sendable () -> Double

    /// Makes an empty directory.
    ///
    /// - Parameters:
    ///   - times: For how long it remembers what.
    ///   - now: The time in seconds since 1970.
    package init(times: DirectoryTimes = DirectoryTimes(), now: @escaping @Sendable () -> Double) {
        self.times = times
        self.now = now
    }

    package var isUp: Bool {
        get { self.state.withLock { $0.isUp } }
        set { self.state.withLock { $0.isUp = newValue } }
    }

    /// Has somebody told of what concerns all edges.
    package func onEvent(_ observer: @escaping @Sendable (DirectoryEvent) -> Void) {
        self.state.withLock { $0.observers.append(observer) }
    }

    private func tell(_ event: DirectoryEvent) {
        for observer in self.state.withLock({ $0.observers }) { observer(event) }
    }

    func change<Result>(_ body: (inout sending State, Double) -> sending Result) throws -> Result {
        let now = self.now()
        return try self.state.withLock { state in
            guard state.isUp else { throw TunnelDirectoryError.unavailable("switched off") }
            return body(&state, now)
        }
    }

    // MARK: Tunnels

    package func create(_ specification: TunnelSpecification, limit: Int) async throws -> DirectoryCreation {
        try self.change { state, now in
            if let known = state.records[specification.id]?.specification.owner {
                return known == specification.owner ? .own : .taken
            }
            if let lease = state.leases[specification.id], lease.end > now,
                lease.specification.owner != specification.owner
            {
                return .taken
            }
            let owned = state.records.values.count { $0.specification.owner == specification.owner }
            guard owned < limit else { return .limit }
            let ends = Self.ends(of: specification.id, state)
            if let issuedUntil = ends.issuedUntil, specification.version <= issuedUntil { return .ended(ends) }
            state.records[specification.id] = Record(
                specification: specification,
                idleUntil: now + Double(self.times.idleExpiry) / 1000
            )
            state.leases[specification.id] = nil
            return .created
        }
    }

    package func join(_ arrival: DirectoryArrival) async throws -> DirectoryAdmission {
        let (admission, isMoved) = try self.admit(arrival)
        if isMoved {
            let specification = arrival.specification
            self.tell(.moved(specification.id, owner: specification.owner, version: specification.version))
        }
        return admission
    }

    private func admit(_ arrival: DirectoryArrival) throws -> (DirectoryAdmission, isMoved: Bool) {
        try self.change { state, now in
            var isMoved = false
            var specification = arrival.specification
            let id = specification.id
            if state.cutoffs.isEnded(issuedAt: arrival.issuedAt, of: id, now: now) {
                return (.ended(Self.ends(of: id, state)), isMoved)
            }
            if let known = state.records[id]?.specification, known.owner != specification.owner {
                guard specification.outranks(known.version, of: known.owner) else { return (.taken, isMoved) }
                state.records[id] = nil
                isMoved = true
            }
            if let known = state.records[id]?.specification {
                if specification.version <= known.version { specification = known }
            } else if let lease = state.leases[id], lease.end > now,
                !specification.outranks(lease.specification.version, of: lease.specification.owner)
            {
                guard lease.specification.owner == specification.owner else { return (.taken, isMoved) }
                (specification.policy, specification.form, specification.version) = (
                    lease.specification.policy, lease.specification.form, lease.specification.version
                )
            }
            var record = state.records[id] ?? Record(specification: specification)
            record.specification.policy = specification.policy
            record.specification.form = specification.form
            record.specification.version = specification.version
            state.leases[id] = nil
            if let place = arrival.place {
                if record.sessions[place.slot] == nil, record.sessions.count >= arrival.limit {
                    return (.full, isMoved)
                }
                record.sessions[place.slot] = place.pod
                record.idleUntil = nil
            } else if record.sessions.isEmpty {
                record.idleUntil = now + Double(self.times.idleExpiry) / 1000
            }
            state.records[id] = record
            return (.joined(Self.entry(record, state)), isMoved)
        }
    }

    private static func entry(_ record: Record, _ state: State) -> DirectoryEntry {
        DirectoryEntry(
            record.specification,
            ends: self.ends(of: record.specification.id, state),
            places: Set(record.sessions.map { DirectoryPlace(pod: $0.value, slot: $0.key) })
        )
    }

    private static func ends(of id: TunnelID, _ state: State) -> TokenEnds {
        TokenEnds(state.cutoffs[id], access: state.accessEnds[id])
    }

    package func leave(_ place: DirectoryPlace, of id: TunnelID, isLast: Bool) async throws {
        try self.change { state, now in
            guard state.records[id]?.sessions[place.slot] == place.pod else { return }
            state.records[id]?.sessions[place.slot] = nil
            self.look(at: id, &state, now)
        }
    }

    private func look(at id: TunnelID, _ state: inout State, _ now: Double) {
        guard let record = state.records[id], record.sessions.isEmpty, record.idleUntil == nil else { return }
        state.records[id]?.idleUntil = now + Double(self.times.idleExpiry) / 1000
    }

    package func change(_ specification: TunnelSpecification) async throws -> Double? {
        let changed: Double? = try self.change { state, _ in
            guard let known = state.records[specification.id]?.specification, known.owner == specification.owner else {
                return nil
            }
            let version = max(specification.version, known.version.nextUp)
            state.records[specification.id]?.specification.policy = specification.policy
            state.records[specification.id]?.specification.form = specification.form
            state.records[specification.id]?.specification.version = version
            return version
        }
        if let changed { self.tell(.changed(specification.id, version: changed)) }
        return changed
    }

    package func find(_ id: TunnelID) async throws -> DirectoryEntry? {
        try self.change { state, _ in state.records[id].map { Self.entry($0, state) } }
    }

    package func list(owner: String?, after cursor: TunnelID?, limit: Int) async throws -> [DirectoryEntry] {
        try self.change { state, _ in
            let found = state.records.values.filter { record in
                (owner == nil || record.specification.owner == owner)
                    && cursor.map { $0 < record.specification.id } ?? true
            }
            return found.sorted { $0.specification.id < $1.specification.id }.prefix(limit)
                .map { Self.entry($0, state) }
        }
    }

    package func end(_ cutoff: TokenCutoffs.Cutoff, of id: TunnelID) async throws {
        let isNews = try self.change { state, now in
            guard !state.cutoffs[id].contains(cutoff) else { return false }
            state.cutoffs.merge([cutoff], for: id, now: now)
            return true
        }
        if isNews { self.tell(.cut(id, cutoff)) }
    }

    package func endAccess(issuedUntil: Double, of id: TunnelID) async throws {
        let isNews = try self.change { state, _ in
            guard issuedUntil > state.accessEnds[id] ?? -.infinity else { return false }
            state.accessEnds[id] = issuedUntil
            return true
        }
        if isNews { self.tell(.accessEnded(id, issuedUntil: issuedUntil)) }
    }

    package func remove(
        _ id: TunnelID,
        of owner: String,
        ending cutoff: TokenCutoffs.Cutoff
    ) async throws -> Bool {
        let done: (wasThere: Bool, issuedUntil: Double)? = try self.change { state, now in
            let known = state.records[id]?.specification
            if let known, known.owner != owner { return nil }
            var cutoff = cutoff
            cutoff.issuedUntil = max(cutoff.issuedUntil, known?.version ?? cutoff.issuedUntil)
            state.cutoffs.merge([cutoff], for: id, now: now)
            state.accessEnds[id] = max(state.accessEnds[id] ?? -.infinity, cutoff.issuedUntil)
            state.ports = state.ports.filter { $0.value.tunnel != id }
            return (state.records.removeValue(forKey: id) != nil, cutoff.issuedUntil)
        }
        if let done { self.tell(.deleted(id, issuedUntil: done.issuedUntil)) }
        return done?.wasThere ?? false
    }

    package func removeIdle(limit: Int) async throws -> [TunnelID] {
        let forgotten: [TunnelID] = try self.change { state, now in
            let due = state.records.values.filter { $0.idleUntil.map { $0 <= now } ?? false }
                .sorted { $0.idleUntil ?? 0 < $1.idleUntil ?? 0 }.prefix(limit).map(\.specification)
            for specification in due {
                state.records[specification.id] = nil
                if specification.isWorthALease, self.times.nameLease > 0 {
                    let end = now + Double(self.times.nameLease) / 1000
                    state.leases[specification.id] = Lease(specification: specification, end: end)
                }
            }
            return due.map(\.id)
        }
        for id in forgotten { self.tell(.forgotten(id)) }
        return forgotten
    }

    // MARK: Pods

    package func beat(_ pod: PodID, info: String) async throws -> DirectoryBeat {
        let beat = try self.change { state, now in
            let since = now - Double(self.times.lease) / 1000
            let hadLease = (state.pods[pod]?.beat).map { $0 > since } ?? false
            state.pods[pod] = (now, info)
            return DirectoryBeat(
                hadLease: hadLease,
                live: state.pods.filter { $0.value.beat > since }.mapValues(\.info),
                dead: Set(state.pods.filter { $0.value.beat <= since }.keys)
            )
        }
        if !beat.hadLease { self.tell(.podCame(pod, info: info)) }
        return beat
    }

    package func reap(_ pod: PodID, isLeaving: Bool, limit: Int) async throws -> Int? {
        try self.change { state, now in
            let since = now - Double(self.times.lease) / 1000
            if !isLeaving, let beat = state.pods[pod]?.beat, beat > since { return nil }
            let held = state.records.filter { $0.value.sessions.values.contains(pod) }.keys.prefix(limit)
            for id in held {
                let others = state.records[id]?.sessions.filter { $0.value != pod } ?? [:]
                state.records[id]?.sessions = others
                self.look(at: id, &state, now)
            }
            if held.isEmpty { state.pods[pod] = nil }
            return held.count
        }
    }

    // MARK: What is used up

    package func useCode(step: UInt64, ofKey name: String) async throws -> Bool {
        try self.change { state, _ in
            if let last = state.codes[name], step <= last { return false }
            state.codes[name] = step
            return true
        }
    }

    package func take(_ wanted: Int, from bucket: String, limit: RateLimit) async throws -> DirectoryGrant {
        try self.change { state, now in
            let old = state.buckets[bucket] ?? (limit.burst, now)
            let tokens = min(limit.burst, old.tokens + max(0, now - old.at) * limit.perSecond)
            // One that owes gives nothing.
            let granted = min(wanted, max(0, Int(tokens)))
            let left = min(limit.burst, tokens - Double(granted))
            state.buckets[bucket] = (left, now)
            return DirectoryGrant(granted: granted, left: left)
        }
    }

    package func spend(_ count: Int, from bucket: String, limit: RateLimit) async throws -> Double {
        try self.change { state, now in
            let old = state.buckets[bucket] ?? (limit.burst, now)
            let tokens = min(limit.burst, old.tokens + max(0, now - old.at) * limit.perSecond)
            let left = max(-limit.burst, tokens - Double(count))
            state.buckets[bucket] = (left, now)
            return left
        }
    }
}
