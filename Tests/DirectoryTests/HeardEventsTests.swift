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
            #expect(slow.waiting == 64 && slow.asked == 64)
            slow.letGo()
            try await self.until("everything was looked up twice, but for what is no more") { slow.asked >= 598 }
            #expect(slow.mostWaiting == 64)
            try await self.until("nothing is left") { !registry.hasMissed }
            #expect(slow.asked <= 599)
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

    @Test("A deletion does not wait behind a name that has moved, of which the directory answers slowly")
    func slowlyMoved() async throws {
        let slow = SlowDirectory(self.shared)
        let registry = self.registry(slow)
        for id in ["moved", "deleted"] { _ = try await registry.restore(.of(id), issuedAt: 50) { true } }
        let (moved, deleted) = (try tunnelID("moved"), try tunnelID("deleted"))
        try await self.following(registry) { events in
            _ = try await self.shared.join(DirectoryArrival(.of("moved", owner: "bob", version: 60), issuedAt: 60))
            slow.hold()
            events.tell(.moved(moved, owner: "bob", version: 60))
            events.tell(.deleted(deleted, issuedUntil: 100))
            try await self.until("the one is deleted") { registry.tunnel(deleted) == nil }
            try await self.until("the other is looked up") { slow.waiting == 1 }
            #expect(registry.tunnel(moved)?.owner == "ann")
            slow.letGo()
            try await self.until("it is forgotten") { registry.tunnel(moved) == nil }
        }
    }
}
