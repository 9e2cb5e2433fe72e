// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

/// The streams of a session: a slab of records, found by slot or by number.
struct StreamTable {
    private var records: ContiguousArray<StreamRecord> = []
    private var places: ContiguousArray<Place> = []
    private var free: [Int] = []
    private var slots: [StreamID: Int] = [:]

    /// How many records there are, zombies and streams not yet released included.
    private(set) var count = 0

    private struct Place {
        var generation: UInt32 = 0
        var isUsed = true
    }

    /// The slots that exist, used or not.
    var indices: Range<Int> { self.records.indices }

    mutating func insert(_ record: StreamRecord) -> StreamKey {
        self.count += 1
        let slot: Int
        if let vacant = self.free.popLast() {
            slot = vacant
            self.records[slot] = record
            self.places[slot].isUsed = true
        } else {
            slot = self.records.count
            self.records.append(record)
            self.places.append(Place())
        }
        if record.id != .session { self.slots[record.id] = slot }
        return StreamKey(slot: slot, generation: self.places[slot].generation)
    }

    mutating func remove(_ slot: Int) {
        guard self.places[slot].isUsed else { return }
        self.forgetNumber(of: slot)
        self.records[slot] = .vacant
        self.places[slot].isUsed = false
        self.places[slot].generation &+= 1
        self.free.append(slot)
        self.count -= 1
    }

    /// OPEN has been serialised: the stream can be found by its number from now on.
    mutating func assign(_ id: StreamID, to slot: Int) {
        self.records[slot].id = id
        self.slots[id] = slot
    }

    /// The stream has no state on the wire any more.
    mutating func forgetNumber(of slot: Int) {
        let id = self.records[slot].id
        if id != .session { self.slots[id] = nil }
    }

    func slot(of id: StreamID) -> Int? { self.slots[id] }

    /// The slot of a key, if its stream is still there.
    func slot(of key: StreamKey) -> Int? {
        guard key.slot < self.places.count, self.places[key.slot].isUsed,
            self.places[key.slot].generation == key.generation
        else { return nil }
        return key.slot
    }

    func key(of slot: Int) -> StreamKey {
        StreamKey(slot: slot, generation: self.places[slot].generation)
    }

    func isUsed(_ slot: Int) -> Bool { self.places[slot].isUsed }

    /// The record in a slot that is in use; changed in place, never copied.
    subscript(slot: Int) -> StreamRecord {
        _read { yield self.records[slot] }
        _modify { yield &self.records[slot] }
    }
}

extension StreamRecord {
    /// What stands in a slot that no stream uses.
    fileprivate static let vacant = StreamRecord(
        wire: .closed,
        state: StreamState(isOpener: true),
        kind: .http,
        urgency: 3,
        sendWindow: SendWindow(limit: 0),
        receiveWindow: ReceiveWindow(granted: 0),
        tuner: WindowTuner(window: 0, now: .uptimeNanoseconds(0))
    )
}
