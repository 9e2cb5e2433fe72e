// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeInbox
import Foundation
import NIOCore
import Synchronization
import Testing

@testable import EdgeTunnels

@Suite("A registry with a directory behind it")
struct DirectoryTunnelRegistryTests {
    /// What an edge knows of ended tokens.
    private final class Tokens: CutoffLearner {
        let cutoffs = Mutex(TokenCutoffs())
        let access = Mutex<[TunnelID: Double]>([:])

        func learn(_ ends: TokenEnds, of id: TunnelID) {
            self.cutoffs.withLock { $0.merge(ends.cutoffs, for: id, now: 1_000_000) }
            guard let end = ends.access else { return }
            self.access.withLock { $0[id] = max(end, $0[id] ?? end) }
        }

        func knownEnds(of id: TunnelID) -> TokenEnds {
            TokenEnds(self.cutoffs.withLock { $0[id] }, access: self.access.withLock { $0[id] })
        }

        var endedTunnels: [TunnelID] {
            Array(Set(self.cutoffs.withLock { $0.tunnels }).union(self.access.withLock { $0.keys }))
        }
    }

    /// One edge; another one made on the same directory is its neighbour, or itself after a restart.
    private struct EdgeOfTest {
        let tokens = Tokens()
        let registry: DirectoryTunnelRegistry

        init(_ directory: any TunnelDirectory, tunnelsPerOwner: Int = 100) {
            self.registry = DirectoryTunnelRegistry(
                InMemoryTunnelRegistry(),
                directory: directory,
                tokens: self.tokens,
                tunnelsPerOwner: tunnelsPerOwner
            )
        }

        func restore(_ specification: TunnelSpecification, issuedAt: Double) async throws -> Tunnel {
            try await self.registry.restore(specification, issuedAt: issuedAt) { true }
        }
    }

    /// A tunnel with a connector at one edge, whose visitors at another one come by way of the first.
    private struct ServedAndVisited {
        let served: Tunnel
        let connector = EndedUpstream()
        let guest: Tunnel
        let way = EndedUpstream()

        init(_ id: String, at one: EdgeOfTest, from visited: EdgeOfTest) async throws {
            self.served = try await one.restore(.of(id), issuedAt: 50)
            _ = self.served.join(try await self.connector.session(issuedAt: 50), slot: nil)
            one.registry.sessionsChanged(of: self.served)
            await one.registry.publisher.publish()
            self.guest = try #require(try await visited.registry.find(self.served.id))
            let session = try await self.way.session(issuedAt: 0)
            self.guest.attach(session, at: one.registry.publisher.pod, LinkReach())
        }
    }

    private let directory = InMemoryTunnelDirectory(now: { 1_000_000 })
    private let cutoff = TokenCutoffs.Cutoff(issuedUntil: 100, endAt: 100)

    @Test("A name taken at one edge is taken at the other, and found there by its owner and by visitors")
    func names() async throws {
        let (one, other) = (EdgeOfTest(self.directory), EdgeOfTest(self.directory))
        let id = try tunnelID("aaa")
        _ = try await one.registry.create(.of("aaa", allowing: "10.0.0.0/8"))
        await #expect(throws: TunnelRegistryError.nameTaken) {
            try await other.registry.create(.of("aaa", owner: "bob"))
        }
        #expect(other.registry.tunnel(id) == nil)
        let found = try #require(try await other.registry.find(id))
        #expect(found.owner == "ann" && found.policy.ipAllow == ["10.0.0.0/8"])
        #expect(other.registry.tunnel(id) === found)
        #expect(try await other.registry.find(try tunnelID("nobody")) == nil)
        let limited = EdgeOfTest(self.directory, tunnelsPerOwner: 1)
        await #expect(throws: TunnelRegistryError.tooManyTunnels(limit: 1)) {
            try await limited.registry.create(.of("bbb"))
        }
    }

    @Test("A tunnel deleted at one edge stays deleted at the other, and after a restart")
    func deletion() async throws {
        let one = EdgeOfTest(self.directory)
        let tunnel = try await one.restore(.of("aaa"), issuedAt: 50)
        try await one.registry.delete(tunnel, ending: self.cutoff)
        #expect(one.registry.tunnel(tunnel.id) == nil)
        let other = EdgeOfTest(self.directory)
        await #expect(throws: TunnelRegistryError.ended) { try await other.restore(.of("aaa"), issuedAt: 50) }
        #expect(other.tokens.knownEnds(of: tunnel.id) == TokenEnds([self.cutoff], access: 100))
        #expect(other.registry.tunnel(tunnel.id) == nil)
        _ = try await other.restore(.of("aaa"), issuedAt: 150)
    }

    @Test("Tokens that are replaced at one edge end at the other, and a policy is the owner's last word everywhere")
    func changes() async throws {
        let (one, other) = (EdgeOfTest(self.directory), EdgeOfTest(self.directory))
        let tunnel = try await one.restore(.of("aaa"), issuedAt: 50)
        try await one.registry.end(self.cutoff, of: tunnel)
        await #expect(throws: TunnelRegistryError.ended) { try await other.restore(.of("aaa"), issuedAt: 50) }
        var policy = TunnelPolicy()
        policy.ipDeny = ["0.0.0.0/0"]
        try await one.registry.change(tunnel, to: policy, at: 200)
        #expect(try await other.restore(.of("aaa"), issuedAt: 150).policy == policy)
    }

    @Test(
        "What is heard of another edge's deletions, cuts and policies is taken up; a tunnel made since then is another one"
    )
    func heard() async throws {
        let (one, other) = (EdgeOfTest(self.directory), EdgeOfTest(self.directory))
        let events = Mutex<[DirectoryEvent]>([])
        self.directory.onEvent { event in events.withLock { $0.append(event) } }
        let (mine, theirs) = (
            try await one.restore(.of("aaa"), issuedAt: 50), try await other.restore(.of("aaa"), issuedAt: 50)
        )
        var policy = TunnelPolicy()
        policy.ipDeny = ["0.0.0.0/0"]
        try await one.registry.change(mine, to: policy, at: 60)
        try await one.registry.end(TokenCutoffs.Cutoff(issuedUntil: 55, endAt: 90), of: mine)
        for event in events.withLock({ $0 }) { await other.registry.heard(event) }
        #expect(theirs.policy == policy && theirs.version == 60)
        #expect(other.tokens.knownEnds(of: mine.id).cutoffs == [TokenCutoffs.Cutoff(issuedUntil: 55, endAt: 90)])
        try await one.registry.delete(mine, ending: self.cutoff)
        let deletion = try #require(events.withLock { $0.last })
        #expect(deletion == .deleted(mine.id, issuedUntil: 100))
        await other.registry.heard(deletion)
        #expect(other.registry.tunnel(mine.id) == nil && theirs.isDeleted)
        let next = try await other.restore(.of("aaa", version: 150), issuedAt: 150)
        await other.registry.heard(deletion)
        #expect(other.registry.tunnel(mine.id) === next)
        await other.registry.heard(.forgotten(mine.id))
        #expect(other.registry.tunnel(mine.id) == nil && !next.isDeleted)
    }

    @Test(
        "A deletion by an edge whose clock is behind ends the tunnel of one that is ahead, and leaves the one after it alone"
    )
    func clocksApart() async throws {
        let (ahead, behind) = (EdgeOfTest(self.directory), EdgeOfTest(self.directory))
        let events = Mutex<[DirectoryEvent]>([])
        self.directory.onEvent { event in events.withLock { $0.append(event) } }
        let theirs = try await ahead.registry.create(.of("aaa", version: 101))
        let tunnel = try #require(try await behind.registry.find(theirs.id))
        try await behind.registry.delete(tunnel, ending: self.cutoff)
        let deletion = try #require(events.withLock { $0.last })
        #expect(deletion == .deleted(theirs.id, issuedUntil: 101))
        await ahead.registry.heard(deletion)
        #expect(theirs.isDeleted && ahead.registry.tunnel(theirs.id) == nil)
        let ends = TokenEnds([TokenCutoffs.Cutoff(issuedUntil: 101)], access: 101)
        #expect(ahead.tokens.knownEnds(of: theirs.id) == ends)
        await #expect(throws: TunnelRegistryError.ended) {
            try await ahead.restore(.of("aaa", version: 101), issuedAt: 101)
        }
        // Made again before it has heard of its own deletion, at a time that it takes for an earlier one.
        let next = try await behind.registry.create(.of("aaa", version: 100.5))
        #expect(next.version > 101 && behind.tokens.knownEnds(of: next.id).issuedUntil == 101)
        await behind.registry.heard(deletion)
        #expect(behind.registry.tunnel(next.id) === next && !next.isDeleted)
        #expect(try await ahead.restore(next.specification, issuedAt: 101.5).version == next.version)
    }

    @Test("What is another owner's in the directory ends at an edge that missed how it became so, and is found anew")
    func otherOwner() async throws {
        let (one, other) = (EdgeOfTest(self.directory), EdgeOfTest(self.directory))
        let first = try await one.registry.create(.of("aaa", allowing: "10.0.0.0/8"))
        let guest = try #require(try await other.registry.find(first.id))
        // One that was made here, and which nothing is connected to.
        let own = EdgeOfTest(self.directory)
        let made = try await own.restore(first.specification, issuedAt: 50)
        try await one.registry.delete(first, ending: self.cutoff)
        _ = try await one.registry.create(.of("aaa", owner: "bob", version: 150, allowing: "192.0.2.0/24"))
        #expect(other.registry.tunnel(first.id) === guest && own.registry.tunnel(first.id) === made)
        await other.registry.lookAround(for: guest)
        await own.registry.lookAround(for: made)
        #expect(other.registry.tunnel(first.id) == nil && guest.isDeleted && other.registry.guestCount == 0)
        #expect(own.registry.tunnel(first.id) == nil)
        #expect(other.tokens.knownEnds(of: first.id).issuedUntil == 100)
        let found = try #require(try await other.registry.find(first.id))
        #expect(found.owner == "bob" && found.policy.ipAllow == ["192.0.2.0/24"])
    }

    @Test("A name that goes to another owner, who has spoken later, ends what the one before has of it, as it is heard")
    func moved() async throws {
        let edges = (0..<3).map { _ in EdgeOfTest(self.directory) }
        let events = Mutex<[DirectoryEvent]>([])
        let told = Mutex<[String]>([])
        self.directory.onEvent { event in events.withLock { $0.append(event) } }
        let (one, visited, next) = (edges[0], edges[1], edges[2])
        let scene = try await ServedAndVisited("aaa", at: one, from: visited)
        let (served, connector, guest, way) = (scene.served, scene.connector, scene.guest, scene.way)
        visited.registry.whenMoved { id, owner in told.withLock { $0.append("\(id) \(owner)") } }

        // Nothing was deleted, and neither edge has looked.
        _ = try await next.restore(.of("aaa", owner: "bob", version: 150), issuedAt: 150)
        #expect(events.withLock { $0 } == [.moved(served.id, owner: "bob", version: 150)])
        for edge in edges {
            // Edges of earlier versions do not say when.
            let isDue = await edge.registry.heard(.moved(served.id, owner: "bob", version: nil))
            #expect(isDue == (edge.registry !== next.registry))
            await edge.registry.lookUpMissed()
        }
        #expect(visited.registry.tunnel(served.id) == nil && guest.isDeleted)
        try await RedisUnderTest.until("what visitors have under way there is over") { way.isEnded }
        #expect(told.withLock { Set($0) } == ["aaa bob"])
        await one.registry.publisher.publish()
        try await RedisUnderTest.until("the connector is told") { connector.isEnded }
        #expect(next.registry.tunnel(served.id)?.owner == "bob" && next.registry.tunnel(served.id)?.isDeleted == false)
        #expect(try await visited.registry.find(served.id)?.owner == "bob")
    }

    @Test("A policy that turns out to be another owner's ends what there is of the one before")
    func changedByAnother() async throws {
        let (one, other) = (EdgeOfTest(self.directory), EdgeOfTest(self.directory))
        let tunnel = try await one.restore(.of("aaa"), issuedAt: 50)
        let guest = try #require(try await other.registry.find(tunnel.id))
        let next = try await one.restore(.of("aaa", owner: "bob", version: 150), issuedAt: 150)
        try await one.registry.change(next, to: TunnelPolicy(), at: 160)
        await other.registry.heard(.changed(tunnel.id, version: 160))
        #expect(other.registry.tunnel(tunnel.id) == nil && guest.isDeleted)
    }

    @Test("Where another owner's policy shows that a name has moved, the connectors of the one before are sent away")
    func changedWithSession() async throws {
        let (one, other) = (EdgeOfTest(self.directory), EdgeOfTest(self.directory))
        let served = try await other.restore(.of("aaa"), issuedAt: 50)
        let connector = EndedUpstream()
        _ = served.join(try await connector.session(issuedAt: 50), slot: nil)
        other.registry.sessionsChanged(of: served)
        await other.registry.publisher.publish()
        let next = try await one.restore(.of("aaa", owner: "bob", version: 150), issuedAt: 150)
        try await one.registry.change(next, to: TunnelPolicy(), at: 160)
        await other.registry.heard(.changed(served.id, version: 160))
        await other.registry.publisher.publish()
        try await RedisUnderTest.until("the connector is told") { connector.isEnded }
    }

    @Test("A directory that lags behind, and knows the word of an earlier owner alone, ends nothing and is told again")
    func behind() async throws {
        let (one, visited) = (EdgeOfTest(self.directory), EdgeOfTest(self.directory))
        let told = Mutex<[String]>([])
        let scene = try await ServedAndVisited("aaa", at: one, from: visited)
        let (served, connector, guest, way) = (scene.served, scene.connector, scene.guest, scene.way)
        for edge in [one, visited] {
            edge.registry.whenMoved { id, owner in told.withLock { $0.append("\(id) \(owner)") } }
        }
        let earlier = try DirectoryEntry(.of("aaa", owner: "bob", version: 5))
        await one.registry.seeker.found(earlier, of: served)
        await visited.registry.seeker.found(earlier, of: guest)
        for edge in [one, visited] {
            let isDue = await edge.registry.heard(.moved(served.id, owner: "bob", version: 5))
            #expect(isDue)
            await edge.registry.lookUpMissed()
        }
        #expect(told.withLock { $0 }.isEmpty && one.registry.publisher.backlog == 1)
        await one.registry.publisher.publish()
        #expect(one.registry.tunnel(served.id) === served && visited.registry.tunnel(served.id) === guest)
        #expect(!served.isDeleted && !guest.isDeleted && guest.hasWays && !way.isEnded && !connector.isEnded)
        // What is here for visitors alone, and leads nowhere, the directory knows best.
        guest.revokeWays()
        await visited.registry.seeker.found(earlier, of: guest)
        #expect(visited.registry.tunnel(served.id) == nil)
    }

    @Test("A tunnel is removed while it is the one of its name, and not one that has come in its place")
    func inItsPlace() async throws {
        let local = InMemoryTunnelRegistry()
        let first = try await local.restore(.of("aaa"))
        let next = try await local.restore(.of("aaa", owner: "bob", version: 150))
        #expect(!local.remove(first) && local.tunnel(first.id) === next)
        #expect(local.remove(next) && local.tunnel(first.id) == nil && !local.remove(next))
    }

    @Test("An inbox of the owner before keeps no tunnel under a name that is another owner's")
    func inboxOfTheOwnerBefore() async throws {
        struct Quiet: InboxRecorder {
            func stored() {}
            func refused(_ reason: InboxRefusal) {}
            func concluded(_ outcome: DeliveryOutcome) {}
            func storeFailed(_ why: String) {}
        }
        let (one, other) = (EdgeOfTest(self.directory), EdgeOfTest(self.directory))
        let tunnel = try await other.restore(.of("aaa"), issuedAt: 50)
        let record = InboxRecord(
            tunnelID: "aaa",
            name: nil,
            owner: "ann",
            settings: InboxSettings(),
            policy: TunnelPolicy(),
            createdAt: Date(timeIntervalSince1970: 10),
            version: 10
        )
        tunnel.inbox = InboxDesk(store: MemoryInboxStore(), recorder: Quiet()).inbox(record, of: tunnel.id)
        await other.registry.heard(.forgotten(tunnel.id))
        #expect(other.registry.tunnel(tunnel.id) === tunnel)
        _ = try await one.restore(.of("aaa", owner: "bob", version: 150), issuedAt: 150)
        await other.registry.mayHaveMissed()
        #expect(other.registry.tunnel(tunnel.id) == nil && tunnel.isDeleted)
    }

    @Test("The list shows a tunnel as its owner has it, also where this edge still has the one before")
    func listed() async throws {
        let (one, other) = (EdgeOfTest(self.directory), EdgeOfTest(self.directory))
        let served = try await other.restore(.of("aaa"), issuedAt: 50)
        _ = served.join(try await EndedUpstream().session(issuedAt: 50), slot: nil)
        let next = try await one.restore(.of("aaa", owner: "bob", version: 150), issuedAt: 150)
        let listed = try #require(await other.registry.list(owner: "bob", after: nil, limit: 9).tunnels.first)
        #expect(listed.owner == "bob" && listed.version == next.version && listed.sessions.isEmpty)
        #expect(other.registry.tunnel(served.id) === served)
        #expect(await one.registry.list(owner: nil, after: nil, limit: 9).tunnels.first === next)
    }

    @Test("What an edge may have missed it looks up: what was deleted goes, and what is as it was stays")
    func missed() async throws {
        let (one, other) = (EdgeOfTest(self.directory), EdgeOfTest(self.directory))
        for id in ["deleted", "kept", "replaced"] {
            _ = try await one.restore(.of(id), issuedAt: 50)
            _ = try await other.restore(.of(id), issuedAt: 50)
        }
        let deleted = try #require(one.registry.tunnel(try tunnelID("deleted")))
        let (kept, replaced) = (
            try #require(other.registry.tunnel(try tunnelID("kept"))),
            try #require(other.registry.tunnel(try tunnelID("replaced")))
        )
        try await one.registry.delete(deleted, ending: self.cutoff)
        try await one.registry.end(self.cutoff, of: replaced)
        await other.registry.mayHaveMissed()
        #expect(other.registry.tunnel(deleted.id) == nil)
        #expect(other.registry.tunnel(kept.id) === kept)
        #expect(other.registry.tunnel(replaced.id) === replaced)
        #expect(other.tokens.knownEnds(of: replaced.id).cutoffs == [self.cutoff])
        // A directory that was emptied learns of tunnels that nothing is connected to.
        let empty = InMemoryTunnelDirectory(now: { 1_000_000 })
        let restarted = DirectoryTunnelRegistry(other.registry.local, directory: empty, tokens: other.tokens)
        await restarted.mayHaveMissed()
        #expect(try await empty.find(kept.id)?.specification.owner == "ann")
    }

    @Test("While the directory is away connectors are let in, and what would have to be remembered is refused whole")
    func away() async throws {
        let edge = EdgeOfTest(self.directory)
        let tunnel = try await edge.restore(.of("aaa"), issuedAt: 50)
        self.directory.isUp = false
        #expect(try await edge.restore(.of("aaa"), issuedAt: 60) === tunnel)
        #expect(try await edge.restore(.of("new"), issuedAt: 60).owner == "ann")
        #expect(try await edge.registry.find(tunnel.id) === tunnel)
        let unavailable = TunnelRegistryError.unavailable
        await #expect(throws: unavailable) { try await edge.registry.create(.of("ccc")) }
        await #expect(throws: unavailable) { try await edge.registry.find(try tunnelID("ccc")) }
        await #expect(throws: unavailable) { try await edge.registry.delete(tunnel, ending: self.cutoff) }
        await #expect(throws: unavailable) { try await edge.registry.end(self.cutoff, of: tunnel) }
        await #expect(throws: unavailable) { try await edge.registry.change(tunnel, to: TunnelPolicy(), at: 300) }
        #expect(edge.registry.tunnel(tunnel.id) === tunnel && tunnel.version == 10)
        let page = await edge.registry.list(owner: nil, after: nil, limit: 9)
        #expect(page.isPartial && page.tunnels.map(\.id.description) == ["aaa", "new"])
    }

    @Test("A directory that was emptied is told everything again: tunnels, and which tokens have ended")
    func emptied() async throws {
        let edge = EdgeOfTest(self.directory)
        let tunnel = try await edge.restore(.of("aaa"), issuedAt: 150)
        edge.tokens.learn(TokenEnds([self.cutoff], access: 120), of: tunnel.id)
        // Of one that was deleted nothing else is here any more.
        edge.tokens.learn(TokenEnds([self.cutoff], access: 100), of: try tunnelID("deleted"))
        let empty = InMemoryTunnelDirectory(now: { 1_000_000 })
        let publisher = SessionPublisher(edge.registry.local, directory: empty, tokens: edge.tokens, pod: PodID())
        try await publisher.beat()
        await publisher.publish()
        await #expect(throws: TunnelRegistryError.ended) {
            try await EdgeOfTest(empty).restore(.of("aaa"), issuedAt: 50)
        }
        await #expect(throws: TunnelRegistryError.ended) {
            try await EdgeOfTest(empty).restore(.of("deleted"), issuedAt: 50)
        }
        _ = try await EdgeOfTest(empty).restore(.of("aaa"), issuedAt: 150)
        #expect(try await empty.find(tunnel.id)?.ends.access == 120)
    }

    @Test("Access that was ended at one edge is ended at the other: when it is told, looks, or has been restarted")
    func access() async throws {
        let (one, other) = (EdgeOfTest(self.directory), EdgeOfTest(self.directory))
        let events = Mutex<[DirectoryEvent]>([])
        self.directory.onEvent { event in events.withLock { $0.append(event) } }
        let tunnel = try await one.restore(.of("aaa"), issuedAt: 50)
        let theirs = try #require(try await other.registry.find(tunnel.id))
        try await one.registry.endAccess(issuedUntil: 70, to: tunnel)
        #expect(events.withLock { $0 } == [.accessEnded(tunnel.id, issuedUntil: 70)])
        await other.registry.heard(.accessEnded(tunnel.id, issuedUntil: 70))
        #expect(other.tokens.knownEnds(of: tunnel.id) == TokenEnds(access: 70))
        // This one is not heard.
        try await one.registry.endAccess(issuedUntil: 80, to: tunnel)
        await other.registry.lookAround(for: theirs)
        #expect(other.tokens.knownEnds(of: tunnel.id).access == 80)
        let restarted = EdgeOfTest(self.directory)
        _ = try await restarted.restore(.of("aaa"), issuedAt: 50)
        #expect(restarted.tokens.knownEnds(of: tunnel.id).access == 80)
        self.directory.isUp = false
        await #expect(throws: TunnelRegistryError.unavailable) {
            try await one.registry.endAccess(issuedUntil: 90, to: tunnel)
        }
    }

    @Test("An edge that comes is known at once at those that are there")
    func newcomers() async throws {
        let (one, other) = (EdgeOfTest(self.directory), EdgeOfTest(self.directory))
        let events = Mutex<[DirectoryEvent]>([])
        self.directory.onEvent { event in events.withLock { $0.append(event) } }
        let info = PodInfo(address: "10.0.0.2:8991")
        try await one.registry.publisher.beat()
        other.registry.publisher.tell(info)
        try await other.registry.publisher.beat()
        // Later beats are no news.
        try await other.registry.publisher.beat()
        let pods = [one, other].map(\.registry.publisher.pod)
        #expect(
            events.withLock { $0 }
                == [.podCame(pods[0], info: PodInfo().text), .podCame(pods[1], info: info.text)]
        )
        #expect(one.registry.publisher.pods.countWithLinks == 0)
        await one.registry.heard(.podCame(pods[1], info: info.text))
        #expect(one.registry.publisher.pods.address(of: pods[1]) == "10.0.0.2:8991")
        #expect(one.registry.publisher.pods.countWithLinks == 1)
    }

    @Test("What there is no tunnel of is asked once in two seconds, and few such ids are remembered")
    func absences() {
        var absent = RecentAbsences<Int>(capacity: 10)
        absent.insert(1, now: 0)
        #expect(absent.contains(1, now: 1.9) && !absent.contains(1, now: 2) && !absent.contains(2, now: 0))
        absent.remove(1)
        #expect(!absent.contains(1, now: 0))
        for id in 0..<1_000 { absent.insert(id, now: 0) }
        #expect(absent.count <= 10 && absent.contains(999, now: 1))
    }

    @Test("A tunnel that changes while the directory is told of it is told of again, and never twice at a time")
    func dirty() {
        var dirty = DirtyTunnels<Int>()
        dirty.mark(1)
        dirty.mark(1)
        #expect(dirty.next() == 1 && dirty.next() == nil)
        dirty.mark(1)
        #expect(dirty.next() == nil && dirty.count == 1)
        dirty.done(1)
        #expect(dirty.next() == 1)
        dirty.failed(1)
        #expect(dirty.next() == nil && dirty.count == 1)
        dirty.retry()
        #expect(dirty.next() == 1)
        dirty.mark(1)
        dirty.failed(1)
        #expect(dirty.next() == 1)
        dirty.done(1)
        #expect(dirty.count == 0)
        for id in 0..<10_000 { dirty.mark(id % 100) }
        #expect(dirty.count == 100)
    }
}
