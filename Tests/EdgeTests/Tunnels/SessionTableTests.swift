// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import Testing

@testable import Edge
@testable import EdgeTunnels

@Suite("Sessions of a tunnel")
struct SessionTableTests {
    private let here = EmbeddedEventLoop()
    private let there = EmbeddedEventLoop()

    private func slot(_ bundle: UInt8, _ index: UInt8) -> BundleSlot {
        BundleSlot(bundleID: Array(repeating: bundle, count: 16), index: index)
    }

    /// A table with sessions numbered from 0, on the given loops.
    private func table(_ loops: [EmbeddedEventLoop]) -> SessionTable<FakeUpstream> {
        var table = SessionTable<FakeUpstream>()
        for (index, loop) in loops.enumerated() {
            _ = table.join(FakeUpstream(UInt64(index), on: loop), slot: nil, limit: 100)
        }
        for index in loops.indices { table.setAvailability(.ready, id: UInt64(index)) }
        return table
    }

    @Test("Of a connector with several sessions here the last one can be spared, while another may be given requests")
    func crowded() {
        var table = SessionTable<FakeUpstream>()
        let slots = [self.slot(1, 0), self.slot(2, 0), self.slot(1, 1), nil, nil, self.slot(1, 2)]
        for (index, slot) in slots.enumerated() {
            _ = table.join(FakeUpstream(UInt64(index), on: self.here), slot: slot, limit: 100)
        }
        for index in slots.indices { table.setAvailability(.ready, id: UInt64(index)) }
        #expect(table.crowded.map(\.id) == [5])
        table.setAvailability(.draining, id: 5)
        #expect(table.crowded.map(\.id) == [2])
        table.setAvailability(.suspended, id: 0)
        #expect(table.crowded.isEmpty)
    }

    private func picks(_ table: inout SessionTable<FakeUpstream>, _ count: Int) -> [UInt64?] {
        (0..<count).map { _ in table.pick(preferring: ObjectIdentifier(self.here))?.id }
    }

    /// What became of a session, in a line.
    private func outcome(_ result: SessionTable<FakeUpstream>.JoinResult) -> String {
        switch result {
        case .joined(let replaced, let probed):
            "in for \(replaced.map { "\($0.id)" } ?? "-"), probing \(probed.map(\.id))"
        case .full: "full"
        case .closed: "closed"
        }
    }

    @Test("The sessions of one connector are told from those of others, and of those that don't say who they are")
    func siblings() {
        var table = SessionTable<FakeUpstream>()
        for (id, slot) in [(1, self.slot(1, 0)), (2, self.slot(2, 0)), (3, self.slot(1, 1)), (4, nil), (5, nil)]
            as [(UInt64, BundleSlot?)]
        {
            _ = table.join(FakeUpstream(id, on: self.here), slot: slot, limit: 9)
        }
        #expect([1, 2, 3, 4, 9].map { table.siblings(of: $0) } == [[1, 3], [2], [1, 3], [4], [9]])
    }

    @Test("Of each connector the oldest session that stays knows of the others, one session of each")
    func otherConnectors() {
        var table = SessionTable<FakeUpstream>()
        for (id, slot) in [
            (1, self.slot(1, 0)), (2, self.slot(1, 1)), (3, self.slot(2, 0)), (4, self.slot(2, 1)), (5, nil),
        ] as [(UInt64, BundleSlot?)] {
            _ = table.join(FakeUpstream(id, on: self.here), slot: slot, limit: 9)
        }
        let others = { (id: UInt64) in table.otherConnectors(than: id)?.map(\.id) }
        #expect([1, 2, 3, 4, 5, 6].map(others) == [[3, 5], nil, [1, 5], nil, [1, 3], nil])
        table.setAvailability(.draining, id: 1)
        table.setAvailability(.suspect, id: 3)
        #expect(
            [1, 2, 3, 5].map { id in table.otherConnectors(than: id)?.map(\.id) } == [nil, [3, 5], [2, 5], [2, 3]]
        )
    }

    @Test("A session with the same identity replaces the older one, even when the table is full")
    func takeOver() {
        var table = SessionTable<FakeUpstream>()
        let outcomes = [(1, 1, 0), (2, 1, 1), (3, 2, 0), (4, 1, 0)].map { id, bundle, index in
            self.outcome(table.join(FakeUpstream(id, on: self.here), slot: self.slot(bundle, index), limit: 2))
        }
        #expect(outcomes == ["in for -, probing []", "in for -, probing [1]", "full", "in for 1, probing [2]"])
        #expect(table.sessions.map(\.id).sorted() == [2, 4])
        let left = [table.leave(id: 1), table.leave(id: 4)]
        #expect(left == [false, true])
        #expect(table.count == 1)
    }

    @Test("A newcomer serves alone until those before it have shown that they are still there")
    func probe() {
        var table = self.table([self.here, self.here])
        table.setAvailability(.draining, id: 1)
        let newcomer = table.join(FakeUpstream(2, on: self.there), slot: nil, limit: 100)
        #expect(self.outcome(newcomer) == "in for -, probing [0]", "the one that was ready, and no other")
        var picked: Set<UInt64?>
        picked = Set(self.picks(&table, 4))
        #expect(picked == [2])
        table.setAvailability(.ready, id: 0)
        picked = Set(self.picks(&table, 4))
        #expect(picked == [0])
    }

    @Test("Sessions of the caller's loop come first, in turn")
    func sameLoop() {
        var table = self.table([self.there, self.here, self.here])
        let picked: Set<UInt64?>
        picked = Set(self.picks(&table, 6))
        #expect(picked == [1, 2])
    }

    @Test("Sessions of other loops serve when there is none here, each in turn")
    func otherLoops() {
        var table = self.table([self.there, self.there])
        let picks = self.picks(&table, 10)
        #expect(picks.count { $0 == 0 } == 5)
        #expect(picks.count { $0 == 1 } == 5)
    }

    @Test("A suspect session serves only while no other is left, a draining one never")
    func availability() {
        var table = self.table([self.here, self.there])
        var picked: Set<UInt64?>
        table.setAvailability(.suspect, id: 0)
        picked = Set(self.picks(&table, 4))
        #expect(picked == [1])
        table.setAvailability(.draining, id: 1)
        picked = Set(self.picks(&table, 4))
        #expect(picked == [0])
        #expect(table.isAvailable)
        table.setAvailability(.draining, id: 0)
        picked = Set(self.picks(&table, 2))
        #expect(picked == [nil])
        #expect(!table.isAvailable)
        table.setAvailability(.ready, id: 0)
        picked = Set(self.picks(&table, 2))
        #expect(picked == [nil])
    }

    @Test("A silent session serves nobody until it speaks, but for whoever asks for it, and has not left")
    func silence() {
        var table = self.table([self.here, self.there])
        table.setAvailability(.silent, id: 0)
        #expect(Set(self.picks(&table, 4)) == [1])
        #expect(!table.isSuspect && table.isSilent)
        table.setAvailability(.silent, id: 1)
        #expect(self.picks(&table, 2) == [nil, nil])
        #expect(!table.isAvailable && table.isSuspect && table.isAvailable(id: 0))
        let loop = ObjectIdentifier(self.here)
        #expect(table.pick(preferring: loop, excluding: [0], orSilent: true)?.id == 1)
        table.setAvailability(.suspended, id: 0)
        table.setAvailability(.suspended, id: 1)
        #expect(table.isSuspect && !table.isAvailable(id: 0))
        table.setAvailability(.silent, id: 0)
        table.setAvailability(.suspect, id: 1)
        #expect((0..<4).allSatisfy { _ in table.pick(preferring: loop, orSilent: true)?.id == 1 })
        // Another session joins: who is silent is asked already.
        guard case .joined(nil, let probed) = table.join(FakeUpstream(2, on: self.here), slot: nil, limit: 9) else {
            Issue.record("it has not joined, or somebody was asked again")
            return
        }
        #expect(probed.isEmpty)
        table.setAvailability(.ready, id: 0)
        #expect(Set(self.picks(&table, 4)) == [0, 2] && !table.isSilent)
    }

    @Test("A session that the request has been on is left out, however ready it is")
    func exclusion() {
        var table = self.table([self.here, self.there, self.here])
        table.setAvailability(.suspect, id: 2)
        var picked: [UInt64?] = []
        for tried: [UInt64] in [[], [0], [0, 1], [0, 1, 2]] {
            picked.append(table.pick(preferring: ObjectIdentifier(self.here), excluding: tried)?.id)
        }
        #expect(picked == [0, 1, 2, nil])
    }
}
