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
        if self.compacted == 0 { self.isGathering = false }
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
    /// Small neighbours are gathered into one buffer. Each buffer is looked at once, however often this is called.
    mutating func compact() {
        guard self.compacted < self.bufferCount else { return }
        for index in self.compacted..<self.bufferCount {
            let buffer = self[index]
            if !buffer.isWasteful {
                self[self.compacted] = buffer
                self.isGathering = false
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

    /// In place: what is copied out of the queue to be changed would be copied as a whole.
    private mutating func gather(_ buffer: ByteBuffer, into index: Int) {
        if index == 0 {
            self.first?.writeImmutableBuffer(buffer)
        } else {
            self.others[index - 1].writeImmutableBuffer(buffer)
        }
    }
}
