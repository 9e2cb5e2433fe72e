// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Redis
import RedisServer
import Synchronization
import Testing

@testable import EdgeDirectory
@testable import EdgeTunnels

/// What every directory does, held against the one in memory and against a real server.
@Suite("A directory", .serialized)
struct TunnelDirectoryTests {
    typealias Kind = DirectoryUnderTest.Kind

    private func arrival(
        _ id: String,
        _ owner: String = "ann",
        version: Double = 10,
        issuedAt: Double = 10,
        at place: DirectoryPlace? = nil,
        limit: Int = 100
    ) throws -> DirectoryArrival {
        DirectoryArrival(
            try .of(id, owner: owner, version: version),
            issuedAt: issuedAt,
            place: place,
            limit: limit
        )
    }

    private func place(_ pod: String, _ slot: String) -> DirectoryPlace {
        DirectoryPlace(pod: PodID(pod), slot: slot)
    }

    private func joined(_ admission: DirectoryAdmission) throws -> DirectoryEntry {
        guard case .joined(let entry) = admission else {
            throw TunnelDirectoryError.unavailable("\(admission)")
        }
        return entry
    }

    private func name(_ admission: DirectoryAdmission) -> String {
        switch admission {
        case .joined: "joined"
        case .ended: "ended"
        case .taken: "taken"
        case .full: "full"
        }
    }

    @Test("Of 32 keys that ask for one name at once one has it", arguments: Kind.allCases)
    func race(kind: Kind) async throws {
        try await DirectoryUnderTest.run(kind) { test in
            let winners = try await withThrowingTaskGroup(of: DirectoryCreation.self) { group in
                for key in 0..<32 {
                    group.addTask { try await test.directory.create(.of("race", owner: "k\(key)"), limit: 100) }
                }
                return try await group.reduce(into: [DirectoryCreation]()) { $0.append($1) }
            }
            #expect(winners.count { $0 == .created } == 1)
            #expect(winners.count { $0 == .taken } == 31)
        }
    }

    @Test("A name is its owner's, who has a limited number of them", arguments: Kind.allCases)
    func names(kind: Kind) async throws {
        try await DirectoryUnderTest.run(kind) { test in
            #expect(try await test.directory.create(.of("aaa"), limit: 2) == .created)
            #expect(try await test.directory.create(.of("aaa"), limit: 2) == .own)
            #expect(try await test.directory.create(.of("aaa", owner: "bob"), limit: 2) == .taken)
            #expect(try await test.directory.create(.of("bbb"), limit: 2) == .created)
            #expect(try await test.directory.create(.of("ccc"), limit: 2) == .limit)
            let entry = try #require(try await test.directory.find(try tunnelID("aaa")))
            #expect(entry.specification.owner == "ann" && entry.specification.name == "aaa")
            #expect(entry.specification.createdAt == Date(timeIntervalSince1970: 5))
            #expect(entry.specification.version == 10 && entry.places.isEmpty && entry.ends == TokenEnds())
            #expect(try await test.directory.find(try tunnelID("nobody")) == nil)
        }
    }

    @Test("Tunnels are listed in the order of their ids, those of an owner or all", arguments: Kind.allCases)
    func lists(kind: Kind) async throws {
        try await DirectoryUnderTest.run(kind) { test in
            for (id, owner) in [("ccc", "ann"), ("aaa", "bob"), ("bbb", "ann"), ("ddd", "ann")] {
                _ = try await test.directory.create(.of(id, owner: owner), limit: 100)
            }
            func ids(_ owner: String?, _ cursor: String?, _ limit: Int) async throws -> [String] {
                try await test.directory.list(owner: owner, after: cursor.flatMap { TunnelID($0) }, limit: limit)
                    .map(\.specification.id.description)
            }
            #expect(try await ids(nil, nil, 3) == ["aaa", "bbb", "ccc"])
            #expect(try await ids(nil, "ccc", 3) == ["ddd"])
            #expect(try await ids("ann", nil, 2) == ["bbb", "ccc"])
            #expect(try await ids("ann", "bbb", 9) == ["ccc", "ddd"])
            #expect(try await ids("nobody", nil, 9) == [])
        }
    }

    @Test(
        "Sessions are a set with one place a slot; a late leave takes nothing of another pod",
        arguments: Kind.allCases
    )
    func sessions(kind: Kind) async throws {
        try await DirectoryUnderTest.run(kind) { test in
            let (directory, id) = (test.directory, try tunnelID("aaa"))
            let first = try self.joined(try await directory.join(self.arrival("aaa", at: self.place("p1", "B.0"))))
            #expect(first.places == [self.place("p1", "B.0")])
            // The answer was lost.
            let again = try self.joined(try await directory.join(self.arrival("aaa", at: self.place("p1", "B.0"))))
            #expect(again.places == first.places)
            _ = try await directory.join(self.arrival("aaa", at: self.place("p2", "B.1")))
            let moved = try self.joined(try await directory.join(self.arrival("aaa", at: self.place("p3", "B.0"))))
            #expect(moved.places == [self.place("p3", "B.0"), self.place("p2", "B.1")])
            try await directory.leave(self.place("p1", "B.0"), of: id, isLast: true)
            #expect(try await directory.find(id)?.places == [self.place("p3", "B.0"), self.place("p2", "B.1")])
            let full = try await directory.join(self.arrival("aaa", at: self.place("p1", "C.0"), limit: 2))
            #expect(self.name(full) == "full")
            let stranger = try await directory.join(self.arrival("aaa", "bob", version: 9, at: self.place("p1", "X.0")))
            #expect(self.name(stranger) == "taken")
        }
    }

    @Test("The later word of an owner counts, and of two owners the later one's", arguments: Kind.allCases)
    func versions(kind: Kind) async throws {
        try await DirectoryUnderTest.run(kind) { test in
            let (directory, id) = (test.directory, try tunnelID("aaa"))
            func join(_ owner: String, _ version: Double, _ addresses: String) async throws -> DirectoryAdmission {
                let specification = try TunnelSpecification.of(
                    "aaa",
                    owner: owner,
                    version: version,
                    allowing: addresses
                )
                return try await directory.join(DirectoryArrival(specification, issuedAt: version))
            }
            _ = try await join("ann", 10, "10.0.0.0/8")
            let older = try self.joined(try await join("ann", 9, "9.0.0.0/8"))
            #expect(older.specification.policy.ipAllow == ["10.0.0.0/8"])
            #expect(older.specification.version == 10)
            let newer = try self.joined(try await join("ann", 11.25, "11.0.0.0/8"))
            #expect(newer.specification.policy.ipAllow == ["11.0.0.0/8"])
            #expect(newer.specification.version == 11.25)
            #expect(self.name(try await join("bob", 11.125, "1.0.0.0/8")) == "taken")
            #expect(try self.joined(try await join("bob", 12, "12.0.0.0/8")).specification.owner == "bob")
            #expect(try await directory.list(owner: "ann", after: nil, limit: 9).isEmpty)
            #expect(try await directory.list(owner: "bob", after: nil, limit: 9).count == 1)

            let changed = try await directory.change(.of("aaa", owner: "bob", version: 20, allowing: "20.0.0.0/8"))
            #expect(changed == 20)
            // A clock that went back makes no later word an earlier one.
            let again = try await directory.change(.of("aaa", owner: "bob", version: 15, allowing: "15.0.0.0/8"))
            #expect(try #require(again) > 20)
            #expect(try await directory.find(id)?.specification.policy.ipAllow == ["15.0.0.0/8"])
            #expect(try await directory.change(.of("aaa", owner: "ann", version: 30)) == nil)
            #expect(try await directory.change(.of("nobody", version: 30)) == nil)
        }
    }

    @Test("The token of a deleted tunnel opens nothing any more; a later one does", arguments: Kind.allCases)
    func deletion(kind: Kind) async throws {
        try await DirectoryUnderTest.run(kind) { test in
            let (directory, id, now) = (test.directory, try tunnelID("aaa"), test.now())
            _ = try await directory.join(self.arrival("aaa", issuedAt: now - 5, at: self.place("p1", "B.0")))
            let cutoff = TokenCutoffs.Cutoff(issuedUntil: now, endAt: now)
            #expect(try await !directory.remove(id, of: "bob", ending: cutoff))
            #expect(try await directory.find(id) != nil)
            #expect(try await directory.remove(id, of: "ann", ending: cutoff))
            #expect(try await !directory.remove(id, of: "ann", ending: cutoff))
            #expect(try await directory.find(id) == nil)
            #expect(try await directory.list(owner: nil, after: nil, limit: 9).isEmpty)
            guard case .ended(let ends) = try await directory.join(self.arrival("aaa", issuedAt: now - 5)) else {
                return #expect(Bool(false), "the old token opens the tunnel")
            }
            let ended = TokenEnds([cutoff], access: now)
            #expect(ends == ended)
            #expect(
                try self.joined(try await directory.join(self.arrival("aaa", issuedAt: now + 1))).ends == ended
            )
        }
    }

    @Test(
        "A deletion by an edge whose clock is behind ends the tokens of one that is ahead, and a tunnel after it is later",
        arguments: Kind.allCases
    )
    func clocksApart(kind: Kind) async throws {
        try await DirectoryUnderTest.run(kind) { test in
            let (directory, id, now) = (test.directory, try tunnelID("aaa"), test.now())
            let ahead = now + 1
            #expect(try await directory.create(.of("aaa", version: ahead), limit: 9) == .created)
            #expect(try await directory.remove(id, of: "ann", ending: TokenCutoffs.Cutoff(issuedUntil: now + 0.25)))
            let ends = TokenEnds([TokenCutoffs.Cutoff(issuedUntil: ahead)], access: ahead)
            let arrival = try self.arrival("aaa", version: ahead, issuedAt: ahead)
            guard case .ended(ends) = try await directory.join(arrival) else {
                return #expect(Bool(false), "the token that was issued by the clock ahead opens the tunnel")
            }
            for owner in ["ann", "bob"] {
                let creation = try await directory.create(.of("aaa", owner: owner, version: now + 0.5), limit: 9)
                #expect(creation == .ended(ends))
            }
            #expect(try await directory.find(id) == nil)
            #expect(try await directory.create(.of("aaa", version: ahead.nextUp), limit: 9) == .created)
            let next = try self.arrival("aaa", version: ahead.nextUp, issuedAt: ahead.nextUp)
            #expect(try self.joined(try await directory.join(next)).specification.version == ahead.nextUp)
        }
    }

    @Test("The latest end of a tunnel's access tokens counts, whatever comes after it", arguments: Kind.allCases)
    func access(kind: Kind) async throws {
        try await DirectoryUnderTest.run(kind) { test in
            let (directory, id, now) = (test.directory, try tunnelID("aaa"), test.now())
            // Also of a tunnel that the directory does not know yet.
            try await directory.endAccess(issuedUntil: now, of: id)
            try await directory.endAccess(issuedUntil: now - 5, of: id)
            #expect(try self.joined(try await directory.join(self.arrival("aaa"))).ends == TokenEnds(access: now))
            try await directory.endAccess(issuedUntil: now + 0.25, of: id)
            #expect(try await directory.find(id)?.ends == TokenEnds(access: now + 0.25))
            try await directory.remove(id, of: "ann", ending: TokenCutoffs.Cutoff(issuedUntil: 10, endAt: 10))
            #expect(
                try self.joined(try await directory.join(self.arrival("aaa", issuedAt: 11))).ends.access
                    == now + 0.25
            )
        }
    }

    @Test("Tokens that end later are good until then, and few cut-offs are kept", arguments: Kind.allCases)
    func overlap(kind: Kind) async throws {
        try await DirectoryUnderTest.run(kind) { test in
            let (directory, id, now) = (test.directory, try tunnelID("aaa"), test.now())
            try await directory.end(TokenCutoffs.Cutoff(issuedUntil: now, endAt: now + 60), of: id)
            #expect(self.name(try await directory.join(self.arrival("aaa", issuedAt: now - 1))) == "joined")
            for step in 1...40 {
                let cutoff = TokenCutoffs.Cutoff(issuedUntil: now + Double(step), endAt: now + 60 + Double(step))
                try await directory.end(cutoff, of: id)
            }
            let kept = try #require(try await directory.find(id)).ends.cutoffs
            #expect(kept.count == 8)
            #expect(kept.last == TokenCutoffs.Cutoff(issuedUntil: now + 40, endAt: now + 100))
            // One that reaches further and ends at once says all that the others said.
            try await directory.end(TokenCutoffs.Cutoff(issuedUntil: now + 41, endAt: now), of: id)
            #expect(
                try await directory.find(id)?.ends.cutoffs == [TokenCutoffs.Cutoff(issuedUntil: now + 41, endAt: now)]
            )
        }
    }

    @Test(
        "A tunnel without a session is forgotten, and its name stays its owner's for a while",
        arguments: Kind.allCases
    )
    func idle(kind: Kind) async throws {
        try await DirectoryUnderTest.run(kind, idleExpiry: 300, nameLease: 3_000) { test in
            let (directory, id) = (test.directory, try tunnelID("aaa"))
            _ = try await directory.create(.of("aaa", allowing: "10.0.0.0/8"), limit: 9)
            _ = try await directory.join(self.arrival("aaa", at: self.place("p1", "B.0")))
            try await test.pass(0.4)
            #expect(try await directory.removeIdle(limit: 9) == [])
            try await directory.leave(self.place("p1", "B.0"), of: id, isLast: true)
            if kind == .inMemory { #expect(try await directory.removeIdle(limit: 9) == []) }
            try await test.pass(0.4)
            #expect(try await directory.removeIdle(limit: 9) == [id])
            #expect(try await directory.find(id) == nil)
            #expect(try await directory.create(.of("aaa", owner: "bob"), limit: 9) == .taken)
            #expect(self.name(try await directory.join(self.arrival("aaa", "bob", version: 9))) == "taken")
            // An older token does not bring back an older policy.
            let back = try self.joined(try await directory.join(self.arrival("aaa", version: 9)))
            #expect(back.specification.policy.ipAllow == ["10.0.0.0/8"] && back.specification.version == 10)
            try await test.pass(0.4)
            #expect(try await directory.removeIdle(limit: 9) == [id])
            try await test.pass(3.2)
            #expect(try await directory.create(.of("aaa", owner: "bob"), limit: 9) == .created)
        }
    }

    @Test("What a dead pod held is taken away in parts; nothing is taken from a living one", arguments: Kind.allCases)
    func pods(kind: Kind) async throws {
        try await DirectoryUnderTest.run(kind, lease: 2_000) { test in
            let (directory, pod, dead) = (test.directory, PodID("p1"), PodID("p9"))
            #expect(try await !directory.beat(pod, info: "{}").hadLease)
            #expect(try await directory.beat(pod, info: "{}").hadLease)
            _ = try await directory.beat(dead, info: "{}")
            for number in 0..<25 {
                _ = try await directory.join(self.arrival("r\(number)00", at: self.place("p9", "B.0")))
            }
            _ = try await directory.join(self.arrival("r000", at: self.place("p1", "B.1")))
            #expect(try await directory.reap(dead, isLeaving: false, limit: 10) == nil)
            try await test.pass(2.2)
            let beat = try await directory.beat(pod, info: "{\"n\":1}")
            #expect(beat == DirectoryBeat(hadLease: false, live: [pod: "{\"n\":1}"], dead: [dead]))
            var parts: [Int?] = []
            repeat { parts.append(try await directory.reap(dead, isLeaving: false, limit: 10)) } while parts.last != 0
            #expect(parts == [10, 10, 5, 0])
            #expect(try await directory.find(try tunnelID("r100"))?.places == [])
            #expect(try await directory.find(try tunnelID("r000"))?.places == [self.place("p1", "B.1")])
            #expect(try await directory.beat(pod, info: "{}").dead == [])
            #expect(try await directory.reap(pod, isLeaving: false, limit: 10) == nil)
            #expect(try await directory.reap(pod, isLeaving: true, limit: 10) == 1)
            #expect(try await directory.reap(pod, isLeaving: true, limit: 10) == 0)
            #expect(try await directory.beat(dead, info: "{}").live == [dead: "{}"])
        }
    }

    @Test("A one-time code counts once, and none before it", arguments: Kind.allCases)
    func codes(kind: Kind) async throws {
        try await DirectoryUnderTest.run(kind) { test in
            var used: [Bool] = []
            for step in [5, 5, 4, 6] as [UInt64] {
                used.append(try await test.directory.useCode(step: step, ofKey: "k"))
            }
            #expect(used == [true, false, false, true])
            #expect(try await test.directory.useCode(step: 5, ofKey: "other"))
        }
    }

    @Test("A bucket gives what it has, refills at its rate and takes back", arguments: Kind.allCases)
    func buckets(kind: Kind) async throws {
        try await DirectoryUnderTest.run(kind) { test in
            let slow = RateLimit(10, perSeconds: 1_000)
            var granted: [Int] = []
            for _ in 0..<4 { granted.append(try await test.directory.take(4, from: "a", limit: slow).granted) }
            #expect(granted == [4, 4, 2, 0])
            _ = try await test.directory.take(-1, from: "a", limit: slow)
            #expect(try await test.directory.take(4, from: "a", limit: slow).granted == 1)
            let fast = RateLimit(10, perSeconds: 1)
            #expect(try await test.directory.take(10, from: "b", limit: fast).granted == 10)
            try await test.pass(0.5)
            #expect((5...9).contains(try await test.directory.take(100, from: "b", limit: fast).granted))
        }
    }

    @Test(
        "What was used already is owed by a bucket that does not have it, as much as it holds",
        arguments: Kind.allCases
    )
    func spending(kind: Kind) async throws {
        try await DirectoryUnderTest.run(kind) { test in
            let limit = RateLimit(10, perSeconds: 1_000)
            var left: [Double] = []
            for count in [4, 4, 4, 100] {
                left.append(try await test.directory.spend(count, from: "a", limit: limit).rounded())
            }
            #expect(left == [6, 2, -2, -10])
            #expect(try await test.directory.take(1, from: "a", limit: limit).granted == 0)
            let fast = RateLimit(10, perSeconds: 1)
            #expect(try await test.directory.spend(20, from: "b", limit: fast) == -10)
            try await test.pass(0.5)
            #expect((-6.0 ... -1.0).contains(try await test.directory.spend(0, from: "b", limit: fast)))
        }
    }

    @Test("A tunnel with an inbox is not forgotten, however long nobody is there")
    func inbox() async throws {
        let server = try RedisServer()
        try await RedisUnderTest.run(server) { client in
            var times = DirectoryTimes()
            times.idleExpiry = 100
            let directory = RedisTunnelDirectory(
                client,
                times: times,
                recorder: NoRecorder(),
                logger: RedisUnderTest.quiet
            )
            for id in ["app-a", "app-b"] { _ = try await directory.create(.of(id), limit: 9) }
            _ = try await client.command(["SADD", "cv:ib", "app-a"])
            try await Task.sleep(for: .milliseconds(150))
            #expect(try await directory.removeIdle(limit: 9) == [try tunnelID("app-b")])
            #expect(try await directory.find(try tunnelID("app-a")) != nil)
            _ = try await client.command(["SREM", "cv:ib", "app-a"])
            try await Task.sleep(for: .milliseconds(150))
            #expect(try await directory.removeIdle(limit: 9) == [try tunnelID("app-a")])
        }
    }
}
