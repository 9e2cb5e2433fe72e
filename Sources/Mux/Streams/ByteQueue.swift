// SPDX-License-Identifier: Apache-2.0
import DequeModule
import NIOCore

/// Bytes that wait in order, kept as the buffers they came in.
struct ByteQueue {
    private var buffers: Deque<ByteBuffer> = []

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
        guard let first = self.buffers.popFirst() else { return nil }
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
                destination.writeImmutableBuffer(self.buffers.removeFirst())
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
        self.byteCount = 0
        self.buffers.removeAll()
        return count
    }

    /// Copies bytes out of storage that is much larger than they are, so that a few unread bytes do not keep a whole
    /// message alive (docs/protocol.md §B.12, buffer retention).
    ///
    /// Small neighbours are gathered into one buffer on the way.
    mutating func compact() {
        guard self.buffers.contains(where: Self.isWasteful) else { return }
        var compacted: Deque<ByteBuffer> = []
        var gathered = ByteBuffer()
        for buffer in self.buffers {
            if Self.isWasteful(buffer) {
                gathered.writeImmutableBuffer(buffer)
            } else {
                if gathered.readableBytes > 0 {
                    compacted.append(gathered)
                    gathered = ByteBuffer()
                }
                compacted.append(buffer)
            }
        }
        if gathered.readableBytes > 0 { compacted.append(gathered) }
        self.buffers = compacted
    }

    private static func isWasteful(_ buffer: ByteBuffer) -> Bool {
        let capacity = buffer.storageCapacity
        guard capacity > 4 * buffer.readableBytes || buffer.readableBytes < 2_048 else { return false }
        return capacity > 2 * buffer.readableBytes + 64
    }
}
