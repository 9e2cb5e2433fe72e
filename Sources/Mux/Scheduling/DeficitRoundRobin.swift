// SPDX-License-Identifier: Apache-2.0

/// Chooses the stream that sends next: shares by bytes, with priority for streams that have just become busy
/// (docs/protocol.md §B.8.2; RFC 8290 §4 applied to streams).
///
/// A stream that becomes busy has priority if of late it has sent less than half a turn beyond its share: one that asks
/// and answers at its own pace is never behind bulk, and one that pauses only to look new waits with the others.
///
/// Streams are known by their slot. Two lists are threaded through one array, so choosing costs no allocation.
struct DeficitRoundRobin {
    private var nodes: ContiguousArray<Node> = []
    private var fresh = Ends()
    private var established = Ends()
    /// The bytes of one turn of every stream in the lists.
    private var roundLength = 0
    /// How many rounds' worth of bytes have been sent, in units of 1/65 536.
    private var rounds: UInt64 = 0

    /// How many bytes a stream of normal urgency sends before the next has its turn.
    static let quantum = 16_384

    private enum Membership: UInt8 {
        case none, fresh, established
    }

    private struct Node {
        var next: Int32 = -1
        var previous: Int32 = -1
        var deficit: Int32 = 0
        var quantum: Int32 = 0
        var membership = Membership.none
        /// What the stream has sent of late beyond its share, in bytes, as it was at `settled`.
        var surplus: Int32 = 0
        /// When that was, by `rounds`.
        var settled: UInt64 = 0

        /// Takes the turns into account that have gone by: each was worth a quantum.
        mutating func settle(at rounds: UInt64) {
            let missed = Int64(min(rounds - self.settled, 1 << 20))
            self.surplus = Int32(max(0, Int64(self.surplus) - (missed * Int64(self.quantum)) >> 16))
            self.settled = rounds
        }
    }

    private struct Ends {
        var first: Int32 = -1
        var last: Int32 = -1
    }

    var isEmpty: Bool { self.fresh.first < 0 && self.established.first < 0 }

    func contains(_ slot: Int) -> Bool {
        slot < self.nodes.count && self.nodes[slot].membership != .none
    }

    /// The stream that is likely to be next.
    func peek() -> Int? {
        let slot = self.fresh.first >= 0 ? self.fresh.first : self.established.first
        return slot >= 0 ? Int(slot) : nil
    }

    /// The bytes of a turn at an urgency of RFC 9218.
    static func quantum(urgency: UInt8) -> Int {
        switch urgency {
        case 0, 1: 4 * self.quantum
        case 2: 2 * self.quantum
        case 3, 4: self.quantum
        case 5, 6: self.quantum / 2
        default: self.quantum / 4
        }
    }

    /// The stream has something to send.
    mutating func activate(_ slot: Int, urgency: UInt8) {
        while self.nodes.count <= slot { self.nodes.append(Node()) }
        guard self.nodes[slot].membership == .none else { return }
        let quantum = Int32(Self.quantum(urgency: urgency))
        self.nodes[slot].quantum = quantum
        self.nodes[slot].settle(at: self.rounds)
        self.roundLength += Int(quantum)
        let isSparse = self.nodes[slot].surplus < quantum / 2
        // What a turn was overdrawn by is still owed.
        self.nodes[slot].deficit =
            isSparse ? quantum - self.nodes[slot].surplus : quantum + min(self.nodes[slot].deficit, 0)
        self.append(Int32(slot), to: isSparse ? .fresh : .established)
    }

    /// The stream has ended; the next with this slot is another.
    mutating func remove(_ slot: Int) {
        guard slot < self.nodes.count else { return }
        self.idled(slot)
        self.nodes[slot].surplus = 0
    }

    /// The stream whose turn it is.
    mutating func next() -> Int? {
        while true {
            let slot = self.fresh.first >= 0 ? self.fresh.first : self.established.first
            guard slot >= 0 else { return nil }
            if self.nodes[Int(slot)].deficit > 0 { return Int(slot) }
            self.nodes[Int(slot)].deficit += self.nodes[Int(slot)].quantum
            self.unlink(slot)
            self.append(slot, to: .established)
        }
    }

    /// The stream has sent a frame.
    mutating func served(_ slot: Int, bytes: Int) {
        self.nodes[slot].deficit -= Int32(truncatingIfNeeded: bytes)
        self.nodes[slot].settle(at: self.rounds)
        let most = 2 * self.nodes[slot].quantum
        self.nodes[slot].surplus = min(self.nodes[slot].surplus + Int32(truncatingIfNeeded: bytes), most)
        self.rounds += (UInt64(bytes) << 16) / UInt64(max(1, self.roundLength))
    }

    /// The stream can send nothing for now.
    mutating func idled(_ slot: Int) {
        guard self.contains(slot) else { return }
        self.unlink(Int32(slot))
        self.roundLength -= Int(self.nodes[slot].quantum)
    }

    private mutating func append(_ slot: Int32, to membership: Membership) {
        let last = membership == .fresh ? self.fresh.last : self.established.last
        self.nodes[Int(slot)].membership = membership
        self.nodes[Int(slot)].previous = last
        self.nodes[Int(slot)].next = -1
        if last >= 0 { self.nodes[Int(last)].next = slot }
        switch membership {
        case .fresh:
            self.fresh.last = slot
            if last < 0 { self.fresh.first = slot }
        default:
            self.established.last = slot
            if last < 0 { self.established.first = slot }
        }
    }

    private mutating func unlink(_ slot: Int32) {
        let node = self.nodes[Int(slot)]
        if node.previous >= 0 { self.nodes[Int(node.previous)].next = node.next }
        if node.next >= 0 { self.nodes[Int(node.next)].previous = node.previous }
        switch node.membership {
        case .fresh:
            if node.previous < 0 { self.fresh.first = node.next }
            if node.next < 0 { self.fresh.last = node.previous }
        case .established:
            if node.previous < 0 { self.established.first = node.next }
            if node.next < 0 { self.established.last = node.previous }
        case .none: break
        }
        self.nodes[Int(slot)].membership = .none
        self.nodes[Int(slot)].next = -1
        self.nodes[Int(slot)].previous = -1
    }
}
