// SPDX-License-Identifier: Apache-2.0
import DequeModule
import NIOCore

/// Bytes that wait in order, kept as the buffers they came in.
struct ByteQueue {
    /// The oldest buffer, mostly the only one: it stands here, so that such a queue has no memory of its own.
    private var first: ByteBuffer?
    private var others: Deque<ByteBuffer> = []
    /// How many buffers at the front ``compact()`` has dealt with.
    private var compacted = 0
    /// Whether the last of those is a copy that more can be gathered in.
    private var isGathering = false
    /// Whether ``compact()`` has left buffers alone because together they are much of what they were read with: when some
    /// have been taken, it is to look at the others again.
    private(set) var keepsRuns = false

    /// Up to how many bytes neighbours are gathered into one buffer; what was taken from its front counts, for a queue that
    /// never becomes empty would keep all that passed.
    private static let gatherLimit = 16 << 10

    /// How many bytes wait.
    private(set) var byteCount = 0

    var isEmpty: Bool { self.byteCount == 0 }

    /// Appends bytes without copying them; an empty buffer leaves no trace.
    mutating func append(_ buffer: ByteBuffer) {
        let count = buffer.readableBytes
        guard count > 0 else { return }
        self.byteCount += count
        if self.first == nil { self.first = buffer } else { self.others.append(buffer) }
    }

    /// Takes the oldest buffer.
    mutating func popFirst() -> ByteBuffer? {
        guard let first = self.removeFirst() else { return nil }
        self.byteCount -= first.readableBytes
        return first
    }

    /// Moves the oldest `count` bytes to the end of `destination`.
    ///
    /// - Parameter count: How many bytes; at most ``byteCount``.
    mutating func move(_ count: Int, to destination: inout ByteBuffer) {
        precondition(count <= self.byteCount, "more bytes taken than there are")
        self.byteCount -= count
        var left = count
        while left > 0, let available = self.first?.readableBytes {
            if available <= left {
                if let whole = self.removeFirst() { destination.writeImmutableBuffer(whole) }
                left -= available
            } else {
                if let slice = self.first?.readSlice(length: left) { destination.writeImmutableBuffer(slice) }
                left = 0
            }
        }
    }

    /// Drops everything; returns how many bytes that were.
    @discardableResult
    mutating func removeAll() -> Int {
        let count = self.byteCount
        self = ByteQueue()
        return count
    }

    private mutating func removeFirst() -> ByteBuffer? {
        if self.compacted > 0 { self.compacted -= 1 }
        if self.compacted == 0 {
            self.isGathering = false
            self.keepsRuns = false
        }
        let first = self.first
        self.first = self.others.isEmpty ? nil : self.others.removeFirst()
        return first
    }

    /// In how many buffers the bytes wait.
    var bufferCount: Int { self.first == nil ? 0 : 1 + self.others.count }

    private subscript(index: Int) -> ByteBuffer {
        get { index == 0 ? self.first ?? ByteBuffer() : self.others[index - 1] }
        set { if index == 0 { self.first = newValue } else { self.others[index - 1] = newValue } }
    }

    /// Copies bytes out of storage that is much larger than they are, so that a few unread bytes do not keep a whole
    /// message alive (docs/protocol.md §B.12, buffer retention).
    ///
    /// Small neighbours are gathered into one buffer. Messages that came with one read keep it together: they are left
    /// alone while they are much of it. Other buffers are looked at once, however often this is called.
    mutating func compact() {
        if self.keepsRuns { self.compactFront() }
        guard self.compacted < self.bufferCount else { return }
        var run = Run(end: self.compacted, isWasteful: true)
        for index in self.compacted..<self.bufferCount {
            let buffer = self[index]
            let isWasteful = buffer.isWasteful
            if isWasteful, index >= run.end { run = self.run(from: index, to: self.bufferCount) }
            if !isWasteful || (!run.isWasteful && !buffer.isSliver) {
                self[self.compacted] = buffer
                self.isGathering = false
                self.keepsRuns = self.keepsRuns || isWasteful
                self.compacted += 1
            } else if self.isGathering, self[self.compacted - 1].writerIndex < Self.gatherLimit {
                self.gather(buffer, into: self.compacted - 1)
            } else {
                self[self.compacted] = buffer.compacted
                self.isGathering = true
                self.compacted += 1
            }
        }
        self.others.removeLast(self.bufferCount - self.compacted)
    }

    /// Neighbours that came with one read.
    private struct Run {
        /// The index behind the last of them.
        var end: Int
        /// Whether they are a small part of what was read.
        var isWasteful: Bool
    }

    private func run(from start: Int, to limit: Int) -> Run {
        var place = self[start].place
        var bytes = self[start].readableBytes
        var end = start + 1
        while end < limit {
            let next = self[end].place
            guard next.continues(place) else { break }
            bytes += self[end].readableBytes
            place = next
            end += 1
        }
        return Run(end: end, isWasteful: ByteBuffer.isWasteful(bytes, of: place.capacity))
    }

    /// Looks at the oldest buffers again, of which some have been taken.
    private mutating func compactFront() {
        guard let first, ByteBuffer.isWasteful(first.readableBytes, of: first.storageCapacity) else { return }
        let run = self.run(from: 0, to: self.compacted)
        guard run.isWasteful else { return }
        for index in 0..<run.end { self[index] = self[index].compacted }
    }

    /// In place: what is copied out of the queue to be changed would be copied as a whole.
    private mutating func gather(_ buffer: ByteBuffer, into index: Int) {
        if index == 0 {
            self.first?.writeImmutableBuffer(buffer)
        } else {
            self.others[index - 1].writeImmutableBuffer(buffer)
        }
    }
}
