// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

@testable import Mux

/// What the model knows of one stream at one side.
struct ModelStream {
    var isOpener: Bool
    var isAccepted = false
    /// Whether it is read before it is answered.
    var isRelaying = false
    var isReadable = false
    var isStopped = false
    var mayWrite = true
    var written = 0
    var read = 0
    var sawEnd = false

    /// The bytes of every stream are the same function of their offset, so that loss and disorder show.
    static func bytes(at offset: Int, count: Int) -> ByteBuffer {
        self.pattern.getSlice(at: offset % self.period, length: count) ?? ByteBuffer()
    }

    private static let period = 65_521
    private static let pattern = ByteBuffer(
        bytes: (0..<3 * period).map { UInt8(truncatingIfNeeded: ($0 % period) &* 31 &+ ($0 % period) >> 8) }
    )
}

/// One side of the model.
struct ModelSide {
    var core: SessionCore
    var encoder: WebSocketEncoder
    var decoder: WebSocketDecoder
    var streams: [StreamKey: ModelStream] = [:]
    /// How much was written to each stream when its latest frames went out, by its number.
    var written: [StreamID: Int] = [:]
    var order = ModelOrder()
    var turns = ModelTurns()
    var limits = ModelLimits()

    init(core: SessionCore) {
        self.core = core
        self.encoder = WebSocketEncoder(isClient: core.role == .connector, seed: 1)
        self.decoder = Self.decoder(core.role)
    }

    /// A decoder for a new connection.
    static func decoder(_ role: SessionRole) -> WebSocketDecoder {
        WebSocketDecoder(isServer: role == .edge, maximumMessage: 65_536)
    }

    func isOnWire(_ key: StreamKey) -> Bool {
        guard let slot = self.core.streams.slot(of: key) else { return false }
        return self.core.streams[slot].wire == .live
    }

    func number(of key: StreamKey) -> StreamID? {
        guard let slot = self.core.streams.slot(of: key), self.core.streams[slot].id != .session else { return nil }
        return self.core.streams[slot].id
    }

    /// Has the core write a message, and judges it (I9, I10).
    mutating func emit(limit: Int, now: NIODeadline) throws -> ByteBuffer? {
        self.turns.begin(self.core)
        var message = ByteBuffer()
        guard self.core.pollIfDue(into: &message, limit: limit, now: now) else { return nil }
        for (key, stream) in self.streams {
            if let id = self.number(of: key) { self.written[id] = stream.written }
        }
        let frames = try self.order.judge(message, limit: limit, role: self.core.role)
        try self.turns.judge(frames, self.core)
        return message
    }
}

/// The invariants of docs/protocol.md §C.1 that can be read off one core.
enum ModelInvariants {
    static func check(_ core: SessionCore) throws {
        var committed = 0
        var buffered = 0
        var held = 0
        for slot in core.streams.indices where core.streams.isUsed(slot) {
            let record = core.streams[slot]
            // I1
            try require(record.sendWindow.sent <= record.sendWindow.limit, "I1 stream sent beyond its limit")
            try require(record.receiveWindow.received <= record.receiveWindow.granted, "I1 stream received too much")
            try require(record.receiveWindow.consumed <= record.receiveWindow.received, "I4 consumed too much")
            // I4
            let unread = Int(record.receiveWindow.granted - record.receiveWindow.consumed)
            try require(record.receiveQueue.byteCount <= unread, "I4 a stream buffers more than its window")
            committed += record.budgeted
            buffered += record.receiveQueue.byteCount
            held += record.held
        }
        try require(core.credit.send.sent <= core.credit.send.limit, "I1 session sent beyond its limit")
        try require(core.credit.receive.received <= core.credit.receive.granted, "I1 session received too much")
        try require(committed == core.budget.committed, "I4 the budget does not add up")
        try require(core.committedByteCount <= core.budget.total, "I4 more committed than the budget")
        try require(buffered == core.bufferedBytes, "I4 the buffered bytes do not add up")
        // I5
        let released = Int(core.credit.receive.released) + held + core.credit.withheld
        try require(released == Int(core.credit.receive.received), "I5 credit is lost or given twice")
        // I6
        let window = core.credit.receive.window
        let available = Int(core.credit.receive.granted) - Int(core.credit.receive.received)
        if !core.credit.isUpdateDue, core.peer != nil, core.level == .normal, held + core.credit.withheld == 0 {
            try require(available * 4 >= window * 3, "I6 only \(available) of \(window) bytes of credit left")
        }
        // I7
        let peers = core.streams.indices.filter {
            core.streams.isUsed($0) && !core.streams[$0].state.isOpener
        }
        try require(
            peers.count + Int(core.allowance.granted - core.allowance.opened) == Int(core.allowance.concurrency),
            "I7 slots do not add up: \(peers.count) streams, \(core.allowance)"
        )
        // I8
        try require(core.pongs.count <= 16, "I8 more than 16 PONGs wait")
        try require(core.controlQueue.count <= 2 * core.streams.count + 64, "I8 the control queue grows")
    }

    static func checkSettled(_ core: SessionCore, peer: SessionCore) throws {
        try require(core.streams.count == 0, "I12 streams are left: \(core.leftovers)")
        try require(core.waitingOpens.isEmpty, "I12 opens still wait")
        try require(
            core.allowance.granted - core.allowance.opened == core.allowance.concurrency,
            "I12 slots are missing"
        )
        try require(core.credit.send.sent == peer.credit.receive.received, "I12 bytes are missing")
        try require(core.credit.receive.released == core.credit.receive.received, "I12 credit is missing")
        try require(core.bufferedBytes == 0 && core.budget.committed == 0, "I12 memory is still accounted for")
        try require(core.scheduler.isEmpty, "I12 the scheduler still holds streams")
    }

    static func require(_ condition: Bool, _ message: @autoclosure () -> String) throws {
        if !condition { throw ModelRun.Violation(description: message()) }
    }
}

extension SessionCore {
    /// What is in the table, for the message of a failure.
    fileprivate var leftovers: String {
        self.streams.indices.filter { self.streams.isUsed($0) }.map { slot in
            let record = self.streams[slot]
            return "stream \(record.id) \(record.wire) \(record.state) queued \(record.sendQueue.byteCount) "
                + "credit \(record.sendWindow.credit) control \(record.control.rawValue) "
                + "released \(record.isReleased) reported \(record.isEndReported)"
        }.joined(separator: "; ")
    }

    /// Mutation: the barrier is skipped.
    mutating func forgetZombies() {
        for slot in self.streams.indices where self.streams.isUsed(slot) && self.streams[slot].wire == .zombie {
            if !self.streams[slot].control.isAnyDue { self.closeWire(slot) }
        }
    }

    /// Mutation: a number is used up by a stream that is never opened.
    mutating func skipNumber() {
        self.openedCount += 1
    }

    /// Mutation: bytes for streams that were reset are charged and not given back as credit.
    mutating func receiveKeepingZombieCredit(_ message: ByteBuffer, now: NIODeadline) {
        var decoder = FrameDecoder(message: message)
        while let frame = try? decoder.next() {
            if case .data(let id, let payload, _) = frame, case .zombie = self.standing(of: id) {
                try? self.credit.received(payload.readableBytes)
            }
        }
        self.receive(message, now: now)
    }
}
