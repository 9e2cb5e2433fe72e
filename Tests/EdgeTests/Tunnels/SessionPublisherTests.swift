// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
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
}
