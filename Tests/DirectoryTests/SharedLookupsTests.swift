// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Testing

@testable import EdgeTunnels

@Suite("Lookups of the same tunnel")
struct SharedLookupsTests {
    private struct NoEnds: CutoffLearner {
        let endedTunnels: [TunnelID] = []
        func learn(_ ends: TokenEnds, of id: TunnelID) {}
        func knownEnds(of id: TunnelID) -> TokenEnds { TokenEnds([]) }
    }

    private struct Refusal: Error {}

    private let shared = InMemoryTunnelDirectory(now: { 1_000_000 })

    @Test(
        "A crowd at an id that an edge does not know costs the directory one question, whether there is a tunnel or none"
    )
    func crowd() async throws {
        _ = try await self.shared.create(.of("there"), limit: 9)
        let slow = SlowDirectory(self.shared)
        let registry = DirectoryTunnelRegistry(InMemoryTunnelRegistry(), directory: slow, tokens: NoEnds())
        for (name, isThere) in [("there", true), ("nowhere", false)] {
            let id = try tunnelID(name)
            slow.hold(.find)
            let found = try await withThrowingTaskGroup(of: Tunnel?.self) { group in
                for _ in 0..<200 { group.addTask { try await registry.find(id) } }
                try await RedisUnderTest.until("it is asked") { slow.waiting == 1 }
                slow.letGo()
                return try await group.reduce(into: [Tunnel?]()) { $0.append($1) }
            }
            #expect(slow.asked == 1)
            #expect(found.count == 200 && found.allSatisfy { ($0 != nil) == isThere && $0 === found[0] })
        }
    }

    @Test("Who waits for the same answer is refused together, and who comes afterwards asks anew")
    func refused() async throws {
        let lookups = SharedLookups<Int>()
        let id = try tunnelID("aaa")
        await #expect(throws: Refusal.self) { try await lookups.answer(of: id) { throw Refusal() } }
        #expect(lookups.count == 0)
        #expect(try await lookups.answer(of: id) { 7 } == 7)
        #expect(lookups.count == 0)
    }

    @Test("Beyond the bound each asks alone, and is not kept waiting")
    func bound() async throws {
        let lookups = SharedLookups<Int>(bound: 1)
        let (shared, other) = (try tunnelID("aaa"), try tunnelID("bbb"))
        let (answers, answer) = AsyncStream.makeStream(of: Int.self)
        try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask {
                try await lookups.answer(of: shared) {
                    for await number in answers { return number }
                    return 0
                }
            }
            try await RedisUnderTest.until("it is under way") { lookups.count == 1 }
            #expect(try await lookups.answer(of: other) { 2 } == 2)
            #expect(lookups.count == 1)
            answer.yield(1)
            #expect(try await group.next() == 1)
        }
        #expect(lookups.count == 0)
    }
}
