// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import NIOCore
import Synchronization
import Testing

@testable import EdgeTunnels

@Suite("What an edge hears, and what it may have missed")
struct HeardEventsTests {
    private struct NoEnds: CutoffLearner {
        let endedTunnels: [TunnelID] = []
        func learn(_ ends: TokenEnds, of id: TunnelID) {}
        func knownEnds(of id: TunnelID) -> TokenEnds { TokenEnds([]) }
    }

    private let shared = InMemoryTunnelDirectory(now: { 1_000_000 })

    private func registry(_ directory: any TunnelDirectory) -> DirectoryTunnelRegistry {
        DirectoryTunnelRegistry(InMemoryTunnelRegistry(), directory: directory, tokens: NoEnds())
    }

    /// Has events taken up while a test goes on.
    private func following(
        _ registry: DirectoryTunnelRegistry,
        visited: [TunnelID] = [],
        _ body: (HeardEvents) async throws -> Void
    ) async throws {
        let events = HeardEvents()
        try await withThrowingTaskGroup { group in
            group.addTask { await events.run(by: registry, visited: { visited }) { _ in } }
            defer { group.cancelAll() }
            try await body(events)
        }
    }

    private func until(_ what: Comment, _ isTrue: () -> Bool) async throws {
        try await RedisUnderTest.until(what) { isTrue() }
    }

    @Test("A deletion and a policy are in force at once while everything is looked up, sixty-four tunnels at a time")
    func beside() async throws {
        let slow = SlowDirectory(self.shared)
        let registry = self.registry(slow)
        for number in 0..<300 { _ = try await registry.restore(.of("app\(number)"), issuedAt: 50) { true } }
        try await self.following(registry) { events in
            slow.hold()
            events.mayHaveMissed()
            try await self.until("as many as may are under way") { slow.waiting == 64 }
            // Once more, when this is over.
            events.mayHaveMissed()
            let deleted = try #require(registry.tunnel(try tunnelID("app7")))
            events.tell(.deleted(deleted.id, issuedUntil: 100))
            try await self.until("it is deleted") { registry.tunnel(deleted.id) == nil }
            let changed = try #require(registry.tunnel(try tunnelID("app8")))
            var tighter = changed.specification
            (tighter.policy.ipDeny, tighter.version) = (["0.0.0.0/0"], 60)
            _ = try await self.shared.change(tighter)
            events.tell(.changed(changed.id, version: 60))
            try await self.until("the policy is in force") { changed.policy.ipDeny == ["0.0.0.0/0"] }
            #expect(slow.waiting == 64 && slow.joins == 64)
            slow.letGo()
            try await self.until("everything was looked up twice, but for what is no more") { slow.joins >= 598 }
            #expect(slow.mostWaiting == 64)
            try await self.until("nothing is left") { !registry.hasMissed }
            #expect(slow.joins <= 599)
        }
    }

    @Test("What could not be looked up, since the way to ask came back after the way to hear, is looked up by and by")
    func kept() async throws {
        let (one, other) = (self.registry(self.shared), self.registry(self.shared))
        for id in ["deleted", "changed", "heard", "visited"] {
            _ = try await one.restore(.of(id), issuedAt: 50) { true }
            if id != "visited" { _ = try await other.restore(.of(id), issuedAt: 50) { true } }
        }
        func mine(_ id: String) throws -> Tunnel { try #require(one.tunnel(try tunnelID(id))) }
        let visited = try #require(try await other.find(try tunnelID("visited")))
        let (changed, heard) = (
            try #require(other.tunnel(try tunnelID("changed"))), try #require(other.tunnel(try tunnelID("heard")))
        )
        var policy = TunnelPolicy()
        policy.ipDeny = ["0.0.0.0/0"]
        try await one.delete(try mine("deleted"), ending: TokenCutoffs.Cutoff(issuedUntil: 100, endAt: 100))
        for id in ["changed", "heard", "visited"] { try await one.change(try mine(id), to: policy, at: 60) }
        self.shared.isUp = false
        try await self.following(other, visited: [visited.id]) { events in
            events.mayHaveMissed()
            try await self.until("it was tried") { other.hasMissed }
            events.tell(.changed(heard.id, version: 60))
            // After a failure as before it.
            events.retry()
            events.retry()
            #expect(other.tunnel(try tunnelID("deleted")) != nil && changed.policy != policy)
            self.shared.isUp = true
            try await self.until("all of it is known") {
                events.retry()
                return !other.hasMissed && heard.policy == policy
            }
            #expect(other.tunnel(try tunnelID("deleted")) == nil)
            #expect(changed.policy == policy && visited.policy == policy)
        }
    }
}

/// A directory whose answers to arrivals wait while a test says so.
private final class SlowDirectory: TunnelDirectory {
    private struct State {
        var isHeld = false
        var waiters: [CheckedContinuation<Void, Never>] = []
        var mostWaiting = 0
        var joins = 0
    }

    private let directory: InMemoryTunnelDirectory
    private let state = Mutex(State())

    init(_ directory: InMemoryTunnelDirectory) {
        self.directory = directory
    }

    var waiting: Int { self.state.withLock { $0.waiters.count } }
    var mostWaiting: Int { self.state.withLock { $0.mostWaiting } }
    /// How many arrivals there were since the first that waited.
    var joins: Int { self.state.withLock { $0.joins } }

    func hold() {
        self.state.withLock { ($0.isHeld, $0.joins) = (true, 0) }
    }

    func letGo() {
        let waiters = self.state.withLock { state in
            defer { (state.isHeld, state.waiters) = (false, []) }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func join(_ arrival: DirectoryArrival) async throws -> DirectoryAdmission {
        await withCheckedContinuation { continuation in
            let waits = self.state.withLock { state in
                state.joins += 1
                if state.isHeld { state.waiters.append(continuation) }
                state.mostWaiting = max(state.mostWaiting, state.waiters.count)
                return state.isHeld
            }
            if !waits { continuation.resume() }
        }
        return try await self.directory.join(arrival)
    }

    var isUp: Bool { self.directory.isUp }

    func create(_ specification: TunnelSpecification, limit: Int) async throws -> DirectoryCreation {
        try await self.directory.create(specification, limit: limit)
    }

    func leave(_ place: DirectoryPlace, of id: TunnelID, isLast: Bool) async throws {
        try await self.directory.leave(place, of: id, isLast: isLast)
    }

    func change(_ specification: TunnelSpecification) async throws -> Double? {
        try await self.directory.change(specification)
    }

    func find(_ id: TunnelID) async throws -> DirectoryEntry? { try await self.directory.find(id) }

    func list(owner: String?, after cursor: TunnelID?, limit: Int) async throws -> [DirectoryEntry] {
        try await self.directory.list(owner: owner, after: cursor, limit: limit)
    }

    func end(_ cutoff: TokenCutoffs.Cutoff, of id: TunnelID) async throws {
        try await self.directory.end(cutoff, of: id)
    }

    func endAccess(issuedUntil: Double, of id: TunnelID) async throws {
        try await self.directory.endAccess(issuedUntil: issuedUntil, of: id)
    }

    func remove(_ id: TunnelID, of owner: String, ending cutoff: TokenCutoffs.Cutoff) async throws -> Bool {
        try await self.directory.remove(id, of: owner, ending: cutoff)
    }

    func removeIdle(limit: Int) async throws -> [TunnelID] { try await self.directory.removeIdle(limit: limit) }

    func port(of specification: TunnelSpecification) async throws -> UInt16? {
        try await self.directory.port(of: specification)
    }

    func claim(_ port: UInt16, for specification: TunnelSpecification, isReturning: Bool) async throws -> Bool {
        try await self.directory.claim(port, for: specification, isReturning: isReturning)
    }

    func onlinePorts() async throws -> [UInt16: TunnelID] { try await self.directory.onlinePorts() }

    func beat(_ pod: PodID, info: String) async throws -> DirectoryBeat {
        try await self.directory.beat(pod, info: info)
    }

    func reap(_ pod: PodID, isLeaving: Bool, limit: Int) async throws -> Int? {
        try await self.directory.reap(pod, isLeaving: isLeaving, limit: limit)
    }

    func useCode(step: UInt64, ofKey name: String) async throws -> Bool {
        try await self.directory.useCode(step: step, ofKey: name)
    }

    func take(_ wanted: Int, from bucket: String, limit: RateLimit) async throws -> DirectoryGrant {
        try await self.directory.take(wanted, from: bucket, limit: limit)
    }

    func spend(_ count: Int, from bucket: String, limit: RateLimit) async throws -> Double {
        try await self.directory.spend(count, from: bucket, limit: limit)
    }
}
