// SPDX-License-Identifier: Apache-2.0
import DequeModule
import NIOCore

/// Bytes that wait in order, kept as the buffers they came in.
struct ByteQueue {
    private var buffers: Deque<ByteBuffer> = []
    /// How many buffers at the front ``compact()`` has dealt with.
    private var compacted = 0
    /// Whether the last of those is a copy that more can be gathered in.
    private var isGathering = false

    /// How many bytes wait.
    private(set) var byteCount = 0

    var isEmpty: Bool { self.byteCount == 0 }

    /// Appends bytes without copying them; an empty buffer leaves no trace.
    mutating func append(_ buffer: ByteBuffer) {
        let count = buffer.readableBytes
        guard count > 0 else { return }
        self.byteCount += count
        self.buffers.append(buffer)
    }

    /// Takes the oldest buffer.
    mutating func popFirst() -> ByteBuffer? {
        guard !self.buffers.isEmpty else { return nil }
        let first = self.removeFirst()
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
        while left > 0 {
            let available = self.buffers[0].readableBytes
            if available <= left {
                destination.writeImmutableBuffer(self.removeFirst())
                left -= available
            } else {
                if let slice = self.buffers[0].readSlice(length: left) {
                    destination.writeImmutableBuffer(slice)
                }
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

    private mutating func removeFirst() -> ByteBuffer {
        if self.compacted > 0 { self.compacted -= 1 }
        if self.compacted == 0 { self.isGathering = false }
        return self.buffers.removeFirst()
    }

    /// Copies bytes out of storage that is much larger than they are, so that a few unread bytes do not keep a whole
    /// message alive (docs/protocol.md §B.12, buffer retention).
    ///
    /// Small neighbours are gathered into one buffer. Each buffer is looked at once, however often this is called.
    mutating func compact() {
        guard self.compacted < self.buffers.count else { return }
        for index in self.compacted..<self.buffers.count {
            let buffer = self.buffers[index]
            if !Self.isWasteful(buffer) {
                self.buffers[self.compacted] = buffer
                self.isGathering = false
                self.compacted += 1
            } else if self.isGathering {
                self.buffers[self.compacted - 1].writeImmutableBuffer(buffer)
            } else {
                var copy = ByteBuffer()
                copy.writeImmutableBuffer(buffer)
                self.buffers[self.compacted] = copy
                self.isGathering = true
                self.compacted += 1
            }
        }
        self.buffers.removeLast(self.buffers.count - self.compacted)
    }

    private static func isWasteful(_ buffer: ByteBuffer) -> Bool {
        // A buffer of its own costs some 100 bytes.
        if buffer.readableBytes < 256 { return true }
        let capacity = buffer.storageCapacity
        guard capacity > 4 * buffer.readableBytes || buffer.readableBytes < 2_048 else { return false }
        return capacity > 2 * buffer.readableBytes + 64
    }
}
