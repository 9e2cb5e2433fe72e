// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import EdgeTunnels

/// What every directory says about ports.
@Suite("A directory's ports", .serialized)
struct PortClaimTests {
    typealias Kind = DirectoryUnderTest.Kind

    @Test("Of 32 tunnels that ask for one port at once one has it", arguments: Kind.allCases)
    func race(kind: Kind) async throws {
        try await DirectoryUnderTest.run(kind) { test in
            for number in 0..<32 { _ = try await test.directory.create(.of("t-\(number)"), limit: 100) }
            let winners = try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<32 {
                    group.addTask {
                        try await test.directory.claim(20_000, for: .of("t-\(number)"), isReturning: false)
                    }
                }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(winners == 1)
        }
    }

    @Test("A port is its tunnel's until that is deleted, or has another one", arguments: Kind.allCases)
    func life(kind: Kind) async throws {
        try await DirectoryUnderTest.run(kind) { test in
            let (one, two) = (try TunnelSpecification.of("one"), try TunnelSpecification.of("two", owner: "bob"))
            for specification in [one, two] { _ = try await test.directory.create(specification, limit: 100) }
            #expect(try await test.directory.port(of: one) == nil)
            #expect(try await test.directory.claim(20_000, for: one, isReturning: false))
            #expect(try await test.directory.claim(20_000, for: one, isReturning: false))
            #expect(try await !test.directory.claim(20_000, for: two, isReturning: false))
            #expect(try await test.directory.port(of: one) == 20_000)
            // Another one of its own.
            #expect(try await test.directory.claim(20_001, for: one, isReturning: false))
            #expect(try await test.directory.claim(20_000, for: two, isReturning: false))
            #expect(try await !test.directory.claim(20_001, for: two, isReturning: false))
            #expect(try await test.directory.port(of: two) == 20_000)
            let cutoff = TokenCutoffs.Cutoff(issuedUntil: 20, endAt: 20)
            #expect(try await test.directory.remove(one.id, of: one.owner, ending: cutoff))
            #expect(try await test.directory.port(of: one) == nil)
            #expect(try await test.directory.claim(20_001, for: two, isReturning: false))
        }
    }

    @Test("Of two tunnels whose tokens name one port the one with the later word has it", arguments: Kind.allCases)
    func later(kind: Kind) async throws {
        try await DirectoryUnderTest.run(kind) { test in
            let (old, new) = (
                try TunnelSpecification.of("old", version: 10), try TunnelSpecification.of("new", version: 11)
            )
            for specification in [old, new] { _ = try await test.directory.create(specification, limit: 100) }
            #expect(try await test.directory.claim(20_000, for: old, isReturning: true))
            #expect(try await !test.directory.claim(20_000, for: new, isReturning: false))
            #expect(try await test.directory.claim(20_000, for: new, isReturning: true))
            #expect(try await !test.directory.claim(20_000, for: old, isReturning: true))
            #expect(try await test.directory.port(of: old) == nil)
        }
    }

    @Test("A port is kept for a tunnel whose name is kept, and then no longer", arguments: Kind.allCases)
    func kept(kind: Kind) async throws {
        try await DirectoryUnderTest.run(kind, idleExpiry: 0, nameLease: 1_000) { test in
            let (one, two) = (try TunnelSpecification.of("one"), try TunnelSpecification.of("two"))
            _ = try await test.directory.create(one, limit: 100)
            #expect(try await test.directory.claim(20_000, for: one, isReturning: false))
            #expect(try await test.directory.removeIdle(limit: 10) == [one.id])
            _ = try await test.directory.create(two, limit: 100)
            #expect(try await !test.directory.claim(20_000, for: two, isReturning: false))
            #expect(try await test.directory.port(of: one) == 20_000)
            try await test.pass(1.1)
            #expect(try await test.directory.claim(20_000, for: two, isReturning: false))
        }
    }

    @Test("Ports are told of tunnels that have sessions, whichever edge these are at", arguments: Kind.allCases)
    func online(kind: Kind) async throws {
        try await DirectoryUnderTest.run(kind) { test in
            let (one, two) = (try TunnelSpecification.of("one"), try TunnelSpecification.of("two"))
            for (specification, port) in [(one, UInt16(20_000)), (two, 20_001)] {
                _ = try await test.directory.create(specification, limit: 100)
                #expect(try await test.directory.claim(port, for: specification, isReturning: false))
            }
            #expect(try await test.directory.onlinePorts() == [:])
            let place = DirectoryPlace(pod: PodID("aaaaaaaaaa"), slot: "x.0")
            _ = try await test.directory.join(DirectoryArrival(one, issuedAt: 10, place: place))
            #expect(try await test.directory.onlinePorts() == [20_000: one.id])
            try await test.directory.leave(place, of: one.id, isLast: true)
            #expect(try await test.directory.onlinePorts() == [:])
        }
    }
}
