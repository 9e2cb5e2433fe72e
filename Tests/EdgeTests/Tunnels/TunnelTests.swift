// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Mux
import NIOCore
import NIOEmbedded
import Testing

@testable import Edge
@testable import EdgeTunnels

@Suite("Tunnels")
struct TunnelTests {
    private let loop = EmbeddedEventLoop()

    private func tunnel(_ limits: TunnelLimits = TunnelLimits(), now: NIODeadline = .now()) throws -> Tunnel {
        let specification = TunnelSpecification(
            id: try #require(TunnelID("my-app")),
            owner: "alice",
            policy: TunnelPolicy(),
            createdAt: Date()
        )
        return Tunnel(specification, limits: limits, now: now)
    }

    private func session(_ id: UInt64) -> TunnelSession {
        TunnelSession(
            over: FakeUpstream(id, on: self.loop),
            remoteAddress: nil,
            implementation: nil,
            connectedAt: Date(),
            tokenIssuedAt: 0
        )
    }

    @Test(
        "An id is 3 to 63 of a-z, 0-9 and -",
        arguments: [
            ("abc", true), ("a-1", true), (String(repeating: "a", count: 63), true), ("ab", false),
            (String(repeating: "a", count: 64), false), ("Abc", false), ("a_b", false), ("äbc", false), ("", false),
            ("a/b", false),
        ]
    )
    func identifiers(text: String, isValid: Bool) {
        #expect((TunnelID(text) != nil) == isValid)
    }

    @Test("Random ids are 16 letters of base 32, and differ")
    func randomIdentifiers() {
        var generator = SystemRandomNumberGenerator()
        let ids = Set((0..<1000).map { _ in TunnelID.random(using: &generator) })
        #expect(ids.count == 1000)
        #expect(ids.allSatisfy { $0.description.utf8.count == 16 && TunnelID($0.description) == $0 })
    }

    @Test("Requests that wait are answered by the next session")
    func wait() throws {
        let tunnel = try self.tunnel()
        let waiting = tunnel.waitForSession(on: self.loop, timeout: .seconds(5))
        let session = self.session(1)
        _ = tunnel.join(session, slot: nil)
        #expect(try waiting.wait() === session)
        #expect(tunnel.reachability == .online)
        #expect(try tunnel.waitForSession(on: self.loop, timeout: .seconds(5)).wait() === session)
    }

    @Test("A request that a session refused gets another one, or waits for one that it has not been on")
    func excluding() throws {
        let tunnel = try self.tunnel()
        let (one, other) = (self.session(1), self.session(2))
        _ = tunnel.join(one, slot: nil)
        #expect(tunnel.pickSession(preferring: self.loop, excluding: [1]) == nil)
        let waiting = tunnel.waitForSession(on: self.loop, excluding: [1], timeout: .seconds(5))
        _ = tunnel.join(other, slot: nil)
        #expect(try waiting.wait() === other)
        #expect(tunnel.pickSession(preferring: self.loop, excluding: [2]) === one)
        #expect(try tunnel.waitForSession(on: self.loop, excluding: [2], timeout: .seconds(5)).wait() === one)
    }

    @Test("Requests that wait in vain are told after the time-out")
    func waitInVain() throws {
        let tunnel = try self.tunnel()
        let waiting = tunnel.waitForSession(on: self.loop, timeout: .seconds(5))
        self.loop.advanceTime(by: .seconds(5))
        #expect(try waiting.wait() == nil)
    }

    @Test("Nobody waits for a tunnel that has long been offline")
    func longOffline() throws {
        let tunnel = try self.tunnel(now: .now() - .seconds(60))
        #expect(try tunnel.waitForSession(on: self.loop, timeout: .seconds(5)).wait() == nil)
    }

    @Test("A tunnel whose connector has said goodbye is waited for as any other: it may be restarted")
    func afterGoodbye() throws {
        let tunnel = try self.tunnel()
        let session = self.session(1)
        _ = tunnel.join(session, slot: nil)
        tunnel.setAvailability(.draining, of: session)
        tunnel.leave(session)
        let waiting = tunnel.waitForSession(on: self.loop, timeout: .seconds(5))
        let next = self.session(2)
        _ = tunnel.join(next, slot: nil)
        #expect(try waiting.wait() === next)
    }

    @Test("No more than a bounded number of requests wait")
    func boundedWait() throws {
        let tunnel = try self.tunnel(TunnelLimits(maxWaiters: 1))
        let first = tunnel.waitForSession(on: self.loop, timeout: .seconds(5))
        #expect(try tunnel.waitForSession(on: self.loop, timeout: .seconds(5)).wait() == nil)
        // One whose visitor has left makes room.
        tunnel.stopWaiting(for: first)
        #expect(try first.wait() == nil)
        let second = tunnel.waitForSession(on: self.loop, timeout: .seconds(5))
        tunnel.stopWaiting(for: first)
        #expect(tunnel.isAwaited)
        _ = tunnel.close(isDeleted: true)
        #expect(try second.wait() == nil)
    }

    @Test("A closed tunnel takes no session and keeps nobody waiting")
    func closed() throws {
        let tunnel = try self.tunnel()
        let session = self.session(1)
        _ = tunnel.join(session, slot: nil)
        #expect(tunnel.close(isDeleted: true).count == 1)
        guard case .closed = tunnel.join(self.session(2), slot: nil) else {
            return #expect(Bool(false), "a session joined a closed tunnel")
        }
        #expect(tunnel.reachability == .offline)
        #expect(try tunnel.waitForSession(on: self.loop, timeout: .seconds(5)).wait() == nil)
    }

    @Test("The state follows the sessions: offline, online, draining, offline")
    func states() throws {
        let tunnel = try self.tunnel()
        let session = self.session(1)
        #expect(tunnel.reachability == .offline)
        _ = tunnel.join(session, slot: nil)
        #expect(tunnel.reachability == .online)
        tunnel.setAvailability(.draining, of: session)
        #expect(tunnel.reachability == .draining)
        tunnel.leave(session)
        #expect(tunnel.reachability == .offline)
        #expect(!tunnel.isIdle(since: .now() - .seconds(60)))
        #expect(tunnel.isIdle(since: .now() + .seconds(1)))
    }

    @Test("A policy can narrow the number of sessions, never widen it")
    func sessionCap() throws {
        let tunnel = try self.tunnel(TunnelLimits(maxConnections: 2))
        var policy = tunnel.policy
        policy.maxConnections = 1
        tunnel.change(to: policy, at: 0)
        _ = tunnel.join(self.session(1), slot: nil)
        guard case .full = tunnel.join(self.session(2), slot: nil) else {
            return #expect(Bool(false), "the policy's cap was ignored")
        }
        policy.maxConnections = 50
        tunnel.change(to: policy, at: 0)
        _ = tunnel.join(self.session(3), slot: nil)
        guard case .full = tunnel.join(self.session(4), slot: nil) else {
            return #expect(Bool(false), "the edge's cap was ignored")
        }
    }

    @Test("The registry takes a name once, bounds a key's tunnels and pages by id")
    func registry() async throws {
        let registry = InMemoryTunnelRegistry(tunnelsPerOwner: 3)
        func specification(_ name: String, owner: String = "alice") throws -> TunnelSpecification {
            TunnelSpecification(
                id: try #require(TunnelID(name)),
                name: name,
                owner: owner,
                policy: TunnelPolicy(),
                createdAt: Date(timeIntervalSince1970: owner == "alice" ? 2 : 1)
            )
        }
        for name in ["ccc", "aaa", "bbb"] { _ = try await registry.create(specification(name)) }
        await #expect(throws: TunnelRegistryError.nameTaken) { try await registry.create(specification("aaa")) }
        await #expect(throws: TunnelRegistryError.tooManyTunnels(limit: 3)) {
            try await registry.create(specification("ddd"))
        }
        _ = try await registry.create(specification("ddd", owner: "bob"))
        #expect(
            await registry.list(owner: "alice", after: nil, limit: 2).tunnels.map(\.id.description) == ["aaa", "bbb"]
        )
        #expect(
            await registry.list(owner: nil, after: TunnelID("bbb"), limit: 9).tunnels.map(\.id.description) == [
                "ccc", "ddd",
            ]
        )
        #expect(try await registry.restore(specification("aaa")).id.description == "aaa")
        await #expect(throws: TunnelRegistryError.nameTaken) {
            try await registry.restore(specification("aaa", owner: "bob"))
        }
        let id = try #require(TunnelID("aaa"))
        #expect(await registry.remove(id, keepingNameFor: .zero) != nil)
        #expect(registry.tunnel(id) == nil)
    }

    @Test("A name stays its owner's for the lease after its tunnel was forgotten, and is free when it was deleted")
    func leases() async throws {
        let time = ManualTime()
        let start = NIODeadline.now()
        let registry = InMemoryTunnelRegistry(now: {
            start + .nanoseconds(Int64((time.seconds - 1_000_000_000) * 1e9))
        })
        func specification(_ owner: String, name: String? = "my-app", at time: Double = 0) throws -> TunnelSpecification
        {
            TunnelSpecification(
                id: try #require(TunnelID("my-app")),
                name: name,
                owner: owner,
                policy: TunnelPolicy(),
                createdAt: Date(timeIntervalSince1970: time)
            )
        }
        let id = try #require(TunnelID("my-app"))
        _ = try await registry.create(specification("alice"))
        _ = await registry.remove(id, keepingNameFor: .seconds(60))
        await #expect(throws: TunnelRegistryError.nameTaken) { try await registry.create(specification("bob", at: 9)) }
        await #expect(throws: TunnelRegistryError.nameTaken) {
            try await registry.restore(specification("bob", at: -1))
        }
        _ = try await registry.restore(specification("alice"))
        _ = await registry.remove(id, keepingNameFor: .seconds(60))
        time.advance(by: 61)
        _ = try await registry.create(specification("bob"))
        _ = await registry.remove(id, keepingNameFor: .zero)
        _ = try await registry.create(specification("alice"))
    }

    @Test("So many names are kept and no more; those that end first are given up first")
    func boundedLeases() throws {
        var leases = NameLeases(capacity: 16)
        let now = NIODeadline.now()
        for number in 0..<1_000 {
            let id = try #require(TunnelID("name-\(number)"))
            let specification = TunnelSpecification(id: id, owner: "alice", policy: TunnelPolicy(), createdAt: Date())
            leases.keep(specification, until: now + .seconds(Int64(number) + 1), now: now)
        }
        #expect(leases.count <= 16)
        #expect(leases.lease(of: try #require(TunnelID("name-999")), now: now)?.owner == "alice")
        #expect(leases.lease(of: try #require(TunnelID("name-0")), now: now)?.owner == nil)
    }
}
