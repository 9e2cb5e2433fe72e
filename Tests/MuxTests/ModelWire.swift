// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

@testable import Mux

/// What one side has sent, in its order: whole frames, OPEN before the rest of its stream, numbers without a gap, no
/// message beyond its limit (docs/protocol.md §C.1, I9).
struct ModelOrder {
    private var opened: UInt32 = 0
    private var streamsGranted: UInt32 = 0
    private var credit: [StreamID: UInt64] = [:]

    /// - Returns: The frames of the message.
    mutating func judge(_ message: ByteBuffer, limit: Int, role: SessionRole) throws -> [Frame] {
        var frames: [Frame] = []
        var decoder = FrameDecoder(message: message)
        do {
            while let frame = try decoder.next() { frames.append(frame) }
        } catch {
            throw ModelRun.Violation(description: "I9 a message does not decode: \(error)")
        }
        try ModelInvariants.require(
            frames.count == 1 || message.readableBytes <= limit,
            "I9 \(frames.count) frames in \(message.readableBytes) bytes where \(limit) are allowed"
        )
        for frame in frames { try self.judge(frame, role) }
        return frames
    }

    private mutating func judge(_ frame: Frame, _ role: SessionRole) throws {
        switch frame {
        case .open(let id, _):
            self.opened += 1
            let isNext = id == SessionCore.streamID(ordinal: self.opened, role: role)
            try ModelInvariants.require(isNext, "I9 OPEN of \(id) is not the next")
        case .windowUpdate(let id, let offset):
            try ModelInvariants.require(offset >= self.credit[id] ?? 0, "I2 credit of stream \(id) falls")
            self.credit[id] = offset
            if id != .session { try self.judgeKnown(id, role) }
        case .maximumStreams(let count):
            try ModelInvariants.require(count > self.streamsGranted, "I2 MAX_STREAMS does not rise")
            self.streamsGranted = count
        case .data(let id, _, _), .reset(let id, _, _), .stopSending(let id, _): try self.judgeKnown(id, role)
        default: break
        }
    }

    private func judgeKnown(_ id: StreamID, _ role: SessionRole) throws {
        let isOwn = id.isOpenedByEdge == (role == .edge)
        try ModelInvariants.require(!isOwn || id.ordinal <= self.opened, "I9 a frame of stream \(id) before its OPEN")
    }
}

/// Limits that one side knows, which never fall (I2).
struct ModelLimits {
    private var session: (send: UInt64, receive: UInt64, own: UInt32, peer: UInt32) = (0, 0, 0, 0)
    /// Those of streams, by slot.
    private var streams: [(key: StreamKey, send: UInt64, receive: UInt64)] = []

    mutating func judge(_ core: SessionCore) throws {
        let now = (
            core.credit.send.limit, core.credit.receive.granted, core.peerStreamLimit, core.allowance.announced
        )
        let isKept =
            now.0 >= self.session.send && now.1 >= self.session.receive && now.2 >= self.session.own
            && now.3 >= self.session.peer
        try ModelInvariants.require(isKept, "I2 a limit of the session falls: \(self.session) to \(now)")
        self.session = now
        for slot in core.streams.indices {
            let key = core.streams.key(of: slot)
            let (send, receive) = (core.streams[slot].sendWindow.limit, core.streams[slot].receiveWindow.granted)
            if slot == self.streams.count { self.streams.append((key, send, receive)) }
            let before = self.streams[slot]
            let isKept = before.key != key || (send >= before.send && receive >= before.receive)
            try ModelInvariants.require(isKept, "I2 a limit of a stream falls: \(before) to \(send), \(receive)")
            self.streams[slot] = (key, send, receive)
        }
    }
}

/// Whose turn it was to send: a stream that is ready is served before those that were ready beside it have sent more
/// than their turns (I10).
struct ModelTurns {
    private var waiting: [StreamKey: Wait] = [:]

    private struct Wait {
        /// Those that were ready when the wait began and have been since.
        var rivals: Set<StreamKey>
        /// What they may send meanwhile, and have sent, in bytes.
        var allowance: Int
        var sent = 0
    }

    private static func ready(_ core: SessionCore) -> [StreamKey: UInt8] {
        var ready: [StreamKey: UInt8] = [:]
        for slot in core.streams.indices where core.streams.isUsed(slot) && core.scheduler.contains(slot) {
            ready[core.streams.key(of: slot)] = core.streams[slot].urgency
        }
        return ready
    }

    private static func wait(of key: StreamKey, _ ready: [StreamKey: UInt8]) -> Wait {
        let turn = DeficitRoundRobin.quantum(urgency: ready[key] ?? 3)
        let largest = WireFormat.dataChunk + WireFormat.headerLength
        let rounds = max(1, (largest + turn - 1) / turn)
        let round = ready.values.reduce(0) { $0 + DeficitRoundRobin.quantum(urgency: $1) + largest }
        return Wait(rivals: Set(ready.keys.filter { $0 != key }), allowance: rounds * round)
    }

    /// Takes in who is ready before a message is written.
    mutating func begin(_ core: SessionCore) {
        guard !core.scheduler.isEmpty else { return self.waiting.removeAll(keepingCapacity: true) }
        let ready = Self.ready(core)
        self.forget(allBut: ready)
        for key in ready.keys where self.waiting[key] == nil { self.waiting[key] = Self.wait(of: key, ready) }
    }

    mutating func judge(_ frames: [Frame], _ core: SessionCore) throws {
        guard !self.waiting.isEmpty else { return }
        let ready = Self.ready(core)
        for case .data(let id, let payload, _) in frames {
            // A stream whose FIN is out may be gone already.
            let served = core.streams.slot(of: id).map { core.streams.key(of: $0) }
            for key in self.waiting.keys where key != served {
                guard let served, self.waiting[key]?.rivals.contains(served) == true else { continue }
                self.waiting[key]?.sent += payload.readableBytes + WireFormat.headerLength
                if let wait = self.waiting[key], wait.sent > wait.allowance {
                    throw ModelRun.Violation(description: "I10 a stream waits for \(wait.sent) bytes of others")
                }
            }
            if let served, self.waiting[served] != nil { self.waiting[served] = Self.wait(of: served, ready) }
        }
        self.forget(allBut: ready)
    }

    private mutating func forget(allBut ready: [StreamKey: UInt8]) {
        self.waiting = self.waiting.filter { ready[$0.key] != nil }
        for key in self.waiting.keys {
            self.waiting[key]?.rivals.formIntersection(ready.keys)
        }
    }
}
