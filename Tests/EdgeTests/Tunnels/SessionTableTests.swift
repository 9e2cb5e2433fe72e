// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import Edge

@Suite("Sessions of a tunnel")
struct SessionTableTests {
    private final class Loop {}
    private let here = Loop()
    private let there = Loop()

    private func slot(_ bundle: UInt8, _ index: UInt8) -> BundleSlot {
        BundleSlot(bundleID: Array(repeating: bundle, count: 16), index: index)
    }

    /// A table with sessions whose names are their numbers, on the given loops.
    private func table(_ loops: [Loop]) -> SessionTable<UInt64> {
        var table = SessionTable<UInt64>()
        for (index, loop) in loops.enumerated() {
            let id = UInt64(index)
            _ = table.join(id, id: id, loop: ObjectIdentifier(loop), slot: nil, limit: 100)
        }
        for index in loops.indices { table.setAvailability(.ready, id: UInt64(index)) }
        return table
    }

    private func picks(_ table: inout SessionTable<UInt64>, _ count: Int) -> [UInt64?] {
        (0..<count).map { _ in table.pick(preferring: ObjectIdentifier(self.here)) }
    }

    @Test("A session with the same identity replaces the older one, even when the table is full")
    func takeOver() {
        var table = SessionTable<UInt64>()
        let loop = ObjectIdentifier(self.here)
        guard
            case .joined(replaced: nil, doubted: []) = table.join(1, id: 1, loop: loop, slot: self.slot(1, 0), limit: 2),
            case .joined(replaced: nil, doubted: [1]) = table.join(
                2,
                id: 2,
                loop: loop,
                slot: self.slot(1, 1),
                limit: 2
            ),
            case .full = table.join(3, id: 3, loop: loop, slot: self.slot(2, 0), limit: 2),
            case .joined(replaced: 1, doubted: [2]) = table.join(4, id: 4, loop: loop, slot: self.slot(1, 0), limit: 2)
        else { return #expect(Bool(false), "a session joined or was refused against the rules") }
        #expect(table.sessions.sorted() == [2, 4])
        let left = [table.leave(id: 1), table.leave(id: 4)]
        #expect(left == [false, true])
        #expect(table.count == 1)
    }

    @Test("A newcomer serves alone until those before it have shown that they are still there")
    func doubt() {
        var table = self.table([self.here, self.here])
        table.setAvailability(.draining, id: 1)
        let newcomer = table.join(2, id: 2, loop: ObjectIdentifier(self.there), slot: nil, limit: 100)
        guard case .joined(replaced: nil, doubted: [0]) = newcomer else {
            return #expect(Bool(false), "the one that was ready has to be doubted, and no other")
        }
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

    @Test("A session that the request has been on is left out, however ready it is")
    func exclusion() {
        var table = self.table([self.here, self.there, self.here])
        table.setAvailability(.suspect, id: 2)
        var picked: [UInt64?] = []
        for tried: [UInt64] in [[], [0], [0, 1], [0, 1, 2]] {
            picked.append(table.pick(preferring: ObjectIdentifier(self.here), excluding: tried))
        }
        #expect(picked == [0, 1, 2, nil])
    }
}
