// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Protocol
import Testing

@testable import EdgeTunnels

@Suite("What the directory is told of sessions")
struct SessionPublisherTests {
    /// Nothing has ended.
    private struct NoEnds: CutoffLearner {
        let endedTunnels: [TunnelID] = []
        func learn(_ ends: TokenEnds, of id: TunnelID) {}
        func knownEnds(of id: TunnelID) -> TokenEnds { TokenEnds([]) }
    }

    /// One of a token that was made after the tunnel.
    private var session: TunnelSession {
        TunnelSession(
            over: FakeUpstream(1),
            remoteAddress: nil,
            implementation: nil,
            connectedAt: Date(),
            tokenIssuedAt: 60
        )
    }

    @Test("A session that came while the directory was away is told of when it is back, with the lease still there")
    func cameWhileAway() async throws {
        let local = InMemoryTunnelRegistry()
        let directory = InMemoryTunnelDirectory(now: { 1_000_000 })
        let publisher = SessionPublisher(local, directory: directory, tokens: NoEnds(), pod: PodID())
        let id = try #require(TunnelID("my-app"))
        let specification = TunnelSpecification(id: id, owner: "ann", policy: TunnelPolicy(), createdAt: Date())
        let tunnel = try await local.restore(specification, issuedAt: 50) { true }
        #expect(try await !publisher.beat().hadLease)
        await publisher.publish()

        directory.isUp = false
        _ = tunnel.join(self.session, slot: nil)
        publisher.mark(id)
        await publisher.publish()
        await #expect(throws: (any Error).self) { try await publisher.beat() }

        directory.isUp = true
        #expect(try await publisher.beat().hadLease)
        await publisher.publish()
        #expect(try await directory.find(id)?.places.count == 1)
        #expect(publisher.backlog == 0)
    }

    @Test("A tunnel that was deleted elsewhere while the directory was away is unknown here when it is back")
    func deletedWhileAway() async throws {
        let local = InMemoryTunnelRegistry()
        let directory = InMemoryTunnelDirectory(now: { 1_000_000 })
        let publisher = SessionPublisher(local, directory: directory, tokens: NoEnds(), pod: PodID())
        let (deleted, other) = (try #require(TunnelID("my-app")), try #require(TunnelID("other-app")))
        for id in [deleted, other] {
            let specification = TunnelSpecification(id: id, owner: "ann", policy: TunnelPolicy(), createdAt: Date())
            let tunnel = try await local.restore(specification, issuedAt: 50) { true }
            _ = tunnel.join(self.session, slot: nil)
            publisher.mark(id)
        }
        await publisher.publish()
        #expect(try await directory.find(deleted)?.places.count == 1)

        // Another edge; nobody tells this one.
        let cutoff = TokenCutoffs.Cutoff(issuedUntil: 100, endAt: 100)
        #expect(try await directory.remove(deleted, of: "ann", ending: cutoff))
        publisher.tellEverything()
        await publisher.publish()
        #expect(local.tunnel(deleted) == nil)
        #expect(local.tunnel(other)?.sessions.count == 1)
    }

    @Test("An edge that leaves says so, and is not counted where connectors may go, nor its connections in their mean")
    func leaving() async throws {
        let directory = InMemoryTunnelDirectory(now: { 1_000_000 })
        let edges = (0..<3).map { _ in
            SessionPublisher(InMemoryTunnelRegistry(), directory: directory, tokens: NoEnds(), pod: PodID())
        }
        for (number, edge) in edges.enumerated() {
            edge.tell(PodInfo(address: "10.0.0.\(number):8991"))
            try await edge.beat()
        }
        func told() async throws -> UInt16? {
            try await edges[0].beat()
            var settings = SessionSettings()
            EdgePresence(pod: edges[0].pod, pods: edges[0].pods).tell(&settings)
            return settings.pods
        }
        #expect(try await told() == 3)
        edges[2].beginLeaving()
        try await edges[2].beat()
        #expect(try await told() == 2)
        // What it serves for visitors of others it serves on.
        #expect(edges[0].pods.count == 3 && edges[0].pods.address(of: edges[2].pod) != nil)
        #expect(!edges[0].pods.takesConnectors(edges[2].pod) && edges[0].pods.takesConnectors(edges[1].pod))
        // One of an earlier version says nothing of it.
        #expect(!PodInfo(address: "h:1").text.contains("\"d\""))
        let table = PodTable()
        table.update([
            edges[0].pod: #"{"a":"h:1","c":1}"#, edges[1].pod: #"{"a":"h:2","c":5}"#,
            edges[2].pod: #"{"a":"h:3","c":9,"d":true}"#,
        ])
        #expect(table.connections(besides: edges[0].pod) == [5])
        #expect(table.countWithLinks == 2)
    }

    @Test("No way leads to a tunnel that is another owner's now, and its streams end")
    func otherOwner() async throws {
        let directory = InMemoryTunnelDirectory(now: { 1_000_000 })
        let registry = DirectoryTunnelRegistry(InMemoryTunnelRegistry(), directory: directory, tokens: NoEnds())
        let (id, pod) = (try #require(TunnelID("my-app")), PodID("aaaaaaaaaa"))
        func join(_ owner: String, version: Double) async throws {
            let policy = TunnelPolicy { $0.ipAllow = owner == "ann" ? [] : ["192.0.2.0/24"] }
            let specification = TunnelSpecification(
                id: id,
                owner: owner,
                policy: policy,
                createdAt: Date(),
                version: version
            )
            let place = DirectoryPlace(pod: pod, slot: "B.0")
            _ = try await directory.join(DirectoryArrival(specification, issuedAt: version, place: place))
        }
        try await join("ann", version: 10)
        let guest = try #require(try await registry.find(id))
        let upstream = FakeUpstream(1)
        let way = TunnelSession(
            over: upstream,
            remoteAddress: nil,
            implementation: nil,
            connectedAt: Date(),
            tokenIssuedAt: 0
        )
        guest.attach(way, at: pod, LinkReach())
        try await join("bob", version: 20)
        await registry.lookAround(for: guest)
        #expect(!guest.hasWays && guest.isDeleted && registry.tunnel(id) == nil)
        #expect(try await registry.find(id)?.policy.ipAllow == ["192.0.2.0/24"])
    }
}
