// SPDX-License-Identifier: Apache-2.0
import Protocol

@testable import Mux

/// The invariants of docs/protocol.md §C.1 that can be read off one core at any time.
enum SessionInvariants {
    static func check(_ core: SessionCore) throws {
        var budgeted = 0
        var buffered = 0
        var held = 0
        var peers = 0
        for slot in core.streams.indices where core.streams.isUsed(slot) {
            let send = core.streams[slot].sendWindow
            let receive = core.streams[slot].receiveWindow
            let queued = core.streams[slot].receiveQueue.byteCount
            try Finding.unless(send.sent <= send.limit, "I1: a stream sent beyond its limit")
            try Finding.unless(receive.received <= receive.granted, "I1: a stream received beyond its window")
            try Finding.unless(receive.consumed <= receive.received, "I4: more consumed than received")
            try Finding.unless(queued <= Int(receive.granted - receive.consumed), "I4: more buffered than granted")
            try Finding.unless(core.streams[slot].held <= queued, "I5: credit is held for bytes that are gone")
            budgeted += core.streams[slot].budgeted
            buffered += queued
            held += core.streams[slot].held
            if !core.streams[slot].state.isOpener { peers += 1 }
        }
        let connection = core.credit.receive
        try Finding.unless(core.credit.send.sent <= core.credit.send.limit, "I1: the session sent too much")
        try Finding.unless(connection.received <= connection.granted, "I1: the session received too much")
        try Finding.unless(budgeted == core.budget.committed, "I4: the budget does not add up")
        try Finding.unless(core.committedByteCount <= core.budget.total, "I4: more committed than the budget")
        try Finding.unless(buffered == core.bufferedByteCount, "I4: the buffered bytes do not add up")
        // What breaks the rules is charged and ends the session: its credit is of no use to anybody.
        try Finding.unless(
            core.life.end != nil || Int(connection.released) + held + core.credit.withheld == Int(connection.received),
            "I5: credit is lost or given twice"
        )
        let available = Int(connection.granted - connection.received)
        try Finding.unless(
            core.life.end != nil || core.peer == nil || core.level != .normal || held + core.credit.withheld > 0
                || core.credit.isUpdateDue
                || available * 4 >= connection.window * 3,
            "I6: only \(available) of \(connection.window) bytes of credit are left"
        )
        let ignored = Int(core.allowance.ignored)
        try Finding.unless(
            peers + ignored + Int(core.allowance.granted - core.allowance.opened) == Int(core.allowance.concurrency),
            "I7: slots do not add up: \(peers) streams, \(core.allowance)"
        )
        try Finding.unless(core.pongs.count <= 16, "I8: more than 16 PONGs wait")
        try Finding.unless(core.controlQueue.count <= 2 * core.streams.count + 64, "I8: the control queue grows")
    }

    /// What must hold when the session is over and its owner has let go of every stream.
    static func checkOver(_ core: SessionCore) throws {
        try Finding.unless(core.streams.count == 0, "I12: \(core.streams.count) streams are left")
        try Finding.unless(core.waitingOpens.isEmpty, "I12: opens still wait")
        try Finding.unless(core.bufferedByteCount == 0, "I12: \(core.bufferedByteCount) bytes are still buffered")
        try Finding.unless(core.budget.committed == 0, "I12: \(core.budget.committed) bytes are still committed")
        let governor = core.configuration.governor
        try Finding.unless(governor.bufferedBytes == 0, "I12: \(governor.bufferedBytes) bytes are still counted")
    }
}
