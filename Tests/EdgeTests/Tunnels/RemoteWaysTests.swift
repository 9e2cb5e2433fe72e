// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import EdgeTunnels

@Suite("Ways to other edges")
struct RemoteWaysTests {
    /// Counts how often it is asked.
    private final class Seeker: SessionSeeker {
        let asked = Atomic<Int>(0)
        let told = Mutex<[Bool]>([])
        func seek(_ tunnel: Tunnel) { self.asked.add(1, ordering: .relaxed) }
        func tell(_ isSuspect: Bool, of tunnel: Tunnel) { self.told.withLock { $0.append(isSuspect) } }
    }

    private let loop = EmbeddedEventLoop()
    private let seeker = Seeker()
    private let pod = PodID("aaaaaaaaaa")
    private let other = PodID("bbbbbbbbbb")

    private func session(_ id: UInt64) -> TunnelSession {
        TunnelSession(
            over: FakeUpstream(id, on: self.loop),
            remoteAddress: nil,
            implementation: nil,
            connectedAt: Date(),
            tokenIssuedAt: 0
        )
    }

    private func tunnel() throws -> Tunnel {
        let id = try #require(TunnelID("my-app"))
        let specification = TunnelSpecification(id: id, owner: "ann", policy: TunnelPolicy(), createdAt: Date())
        return Tunnel(specification, seeker: self.seeker)
    }

    @Test(
        "A ready session of this edge comes first, then a ready way, then a session that is suspect, and nothing silent"
    )
    func order() throws {
        let tunnel = try self.tunnel()
        let (own, reach) = (self.session(1), LinkReach())
        guard case .joined = tunnel.join(own, slot: nil) else { throw CancellationError() }
        tunnel.attach(self.session(2), at: self.pod, reach)
        let pick = { tunnel.pickSession(preferring: self.loop)?.id }
        #expect(pick() == 1)
        tunnel.setAvailability(.suspect, of: own)
        #expect(pick() == 2)
        tunnel.setAvailability(.silent, of: own)
        #expect(pick() == 2)
        // Whoever passes streams on looks at sessions of this edge alone.
        #expect(tunnel.pickLocalSession(preferring: self.loop) == nil)
        #expect(tunnel.pickLocalSession(preferring: self.loop, orSilent: true)?.id == 1)
        reach.state = .silent
        #expect(pick() == nil && tunnel.reachability == .online)
        #expect(tunnel.isServed(by: own), "what is bound to it waits for it")
        tunnel.setAvailability(.suspect, of: own)
        #expect(pick() == 1)
        tunnel.setAvailability(.suspended, of: own)
        #expect(pick() == nil)
        #expect(tunnel.pickLocalSession(preferring: self.loop, orSilent: true) == nil)
        reach.state = .ready
        #expect(pick() == 2)
        #expect(tunnel.pickSession(preferring: self.loop, excluding: [2]) == nil)
        reach.state = .over
        reach.state = .ready
        #expect(pick() == nil)
    }

    @Test("A way whose edge says that its sessions are silent is not used until it takes that back")
    func silence() throws {
        let tunnel = try self.tunnel()
        let (one, two) = (self.session(1), self.session(2))
        tunnel.attach(one, at: self.pod, LinkReach())
        tunnel.attach(two, at: self.other, LinkReach())
        let picks = { Set((0..<4).compactMap { _ in tunnel.pickSession(preferring: self.loop)?.id }) }
        #expect(picks() == [1, 2])
        tunnel.setSilent(true, at: one)
        #expect(picks() == [2])
        #expect(!tunnel.hasReadySession(besides: [2]) && tunnel.hasReadySession(besides: [1]))
        #expect(tunnel.pickSession(preferring: self.loop, excluding: [2]) == nil)
        #expect(tunnel.hasWay(to: self.pod) && tunnel.reachability == .online, "it need not be looked for")
        tunnel.setSilent(false, at: one)
        #expect(picks() == [1, 2])
        tunnel.setSilent(true, at: one, now: .now() - .minutes(2))
        #expect(picks() == [1, 2], "word of its end was lost")
    }

    @Test(
        "A request that came while all were silent goes on with the first that speaks, be it here, or at another edge",
        arguments: [false, true]
    )
    func spoken(isElsewhere: Bool) throws {
        let tunnel = try self.tunnel()
        let (own, way, reach) = (self.session(1), self.session(2), LinkReach())
        guard case .joined = tunnel.join(own, slot: nil) else { throw CancellationError() }
        tunnel.setAvailability(.silent, of: own)
        tunnel.attach(way, at: self.pod, reach)
        tunnel.setSilent(true, at: way)
        let waiting = tunnel.waitForSession(on: self.loop, timeout: .seconds(5))
        #expect(tunnel.isAwaited)
        guard isElsewhere else {
            tunnel.setAvailability(.ready, of: own)
            return #expect(try waiting.wait()?.id == 1)
        }
        reach.state = .silent
        tunnel.setSilent(false, at: way)
        #expect(tunnel.isAwaited, "the link is silent, too")
        reach.state = .ready
        tunnel.spoke(at: way)
        #expect(try waiting.wait()?.id == 2)
    }

    @Test("Other edges are told when no session here is well any more, and when one is, once each")
    func told() throws {
        let tunnel = try self.tunnel()
        let (one, two) = (self.session(1), self.session(2))
        for session in [one, two] { _ = tunnel.join(session, slot: nil) }
        tunnel.setAvailability(.ready, of: one)
        let told = { self.seeker.told.withLock { $0 } }
        tunnel.setAvailability(.suspect, of: one)
        #expect(told() == [] && !tunnel.isSuspect, "the other one is well")
        tunnel.setAvailability(.silent, of: two)
        tunnel.setAvailability(.suspect, of: two)
        #expect(told() == [true] && tunnel.isSuspect)
        tunnel.setAvailability(.ready, of: one)
        #expect(told() == [true, false])
        tunnel.leave(one)
        #expect(told() == [true, false, true], "the silent one is left")
        tunnel.leave(two)
        #expect(told() == [true, false, true], "nobody is there")
        let three = self.session(3)
        _ = tunnel.join(three, slot: nil)
        #expect(told() == [true, false, true, false])
        tunnel.setAvailability(.suspended, of: three)
        #expect(told() == [true, false, true, false, true], "its connection is lost")
    }

    @Test("Who waits for a silent way goes on waiting where other edges can't be looked for, however old it is")
    func silentWay() throws {
        let tunnel = try self.tunnel()
        let way = self.session(1)
        tunnel.attach(way, at: self.pod, LinkReach())
        tunnel.setSilent(true, at: way)
        let waiting = tunnel.waitForSession(on: self.loop, timeout: .seconds(5))
        tunnel.soughtInVain(now: .now() + .minutes(1))
        tunnel.soughtNowhere()
        #expect(tunnel.isAwaited)
        tunnel.setSilent(false, at: way)
        #expect(try waiting.wait()?.id == 1)
    }

    @Test("Where nobody may wait a silent session of this edge is better than none")
    func noHold() throws {
        let tunnel = try self.tunnel()
        let own = self.session(1)
        _ = tunnel.join(own, slot: nil)
        tunnel.setAvailability(.silent, of: own)
        #expect(try tunnel.waitForSession(on: self.loop, timeout: .zero).wait()?.id == 1)
        #expect(try tunnel.waitForSession(on: self.loop, excluding: [1], timeout: .zero).wait() == nil)
    }

    @Test("A way that was refused, or whose edge has no session any more, is gone; others stay")
    func stale() throws {
        let tunnel = try self.tunnel()
        let (one, two) = (self.session(1), self.session(2))
        tunnel.attach(one, at: self.pod, LinkReach())
        tunnel.attach(two, at: self.other, LinkReach())
        tunnel.wasRefused(by: one)
        #expect(!tunnel.hasWay(to: self.pod) && tunnel.hasWay(to: self.other))
        tunnel.keepWays(to: [self.pod])
        #expect(tunnel.pickSession(preferring: self.loop) == nil)
        #expect(!tunnel.hasWays)
    }

    @Test("A request without a session has other edges looked for, and goes on as soon as there is a way")
    func waiting() throws {
        let tunnel = try self.tunnel()
        let waiting = tunnel.waitForSession(on: self.loop, timeout: .seconds(5))
        #expect(self.seeker.asked.load(ordering: .relaxed) == 1 && tunnel.isAwaited)
        tunnel.attach(self.session(1), at: self.pod, LinkReach())
        #expect(try waiting.wait()?.id == 1)
        #expect(!tunnel.isAwaited)
    }

    @Test("Who waits for a tunnel that has long been offline everywhere is told at once; else the hold counts")
    func offline() throws {
        let tunnel = try self.tunnel()
        let waiting = tunnel.waitForSession(on: self.loop, timeout: .seconds(5))
        tunnel.soughtInVain(now: .now())
        #expect(tunnel.isAwaited)
        tunnel.soughtInVain(now: .now() + .minutes(1))
        #expect(try waiting.wait() == nil)
        #expect(!tunnel.couldNotLook)
        tunnel.soughtNowhere()
        #expect(tunnel.couldNotLook)
        tunnel.keepWays(to: [])
        #expect(!tunnel.couldNotLook)
    }

    @Test("A tunnel has a bounded number of ways: the oldest goes")
    func bound() {
        var ways = RemoteWays()
        for number in 0..<40 { ways.add(self.session(UInt64(number)), at: PodID("pod\(number)"), LinkReach()) }
        #expect(!ways.isAvailable(id: 23) && ways.isAvailable(id: 24) && ways.isAvailable(id: 39))
        let removed = ways.removeAll()
        #expect(removed.count == RemoteWays.limit && ways.isEmpty)
    }

    @Test("Guests that nobody uses go after ten minutes, and the longest unused when there are too many")
    func guests() throws {
        var guests = Guests(limit: 32)
        let ids = try (0..<34).map { try #require(TunnelID("guest-\($0)")) }
        for (number, id) in ids.enumerated() { guests.insert(id, now: Double(number)) }
        #expect(guests.isOverfull)
        // Two too many, and a sixteenth of the bound beside.
        let leaving = guests.takeLeaving(now: 40) { $0 == ids[0] ? 39 : nil }
        #expect(Set(leaving) == Set(ids[1...4]) && guests.count == 30 && guests.contains(ids[0]))
        let idle = guests.takeLeaving(now: 630) { _ in nil }
        #expect(Set(idle) == Set([ids[0]] + ids[5...30]) && guests.count == 3)
    }
}
