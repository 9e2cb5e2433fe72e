// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Buffers that nobody needs any more, for the next messages.
///
/// While requests are busy, a buffer comes back with every acknowledgement, and a small answer costs no allocation.
struct SpareBatches {
    /// How much memory is kept at most, in bytes.
    static let limit = 128 << 10
    /// The sizes that are kept, in bytes: from one small answer to those of some hundred streams, but not what bulk needs.
    static let sizes = 2_048...16_384

    private var buffers: [ByteBuffer] = []
    /// How much memory they have, in bytes.
    private var byteCount = 0
    /// Whether one was taken since the clock was last looked at.
    private var isInUse = false

    /// Keeps a buffer, if there is room and its size is a usual one.
    ///
    /// Its bytes may still be held elsewhere: nobody sees them change.
    mutating func keep(_ buffer: ByteBuffer) {
        let size = buffer.storageCapacity
        guard Self.sizes.contains(size), self.byteCount + size <= Self.limit else { return }
        self.byteCount += size
        self.buffers.append(buffer)
    }

    /// An empty buffer, if there is one for so many bytes.
    mutating func take(holding count: Int) -> ByteBuffer? {
        guard count <= Self.sizes.lowerBound, var buffer = self.buffers.popLast() else { return nil }
        self.byteCount -= buffer.storageCapacity
        buffer.clear()
        self.isInUse = true
        return buffer
    }

    /// The clock is looked at: a session that has taken none since the last time rests, and gives all memory back.
    mutating func age() {
        if !self.isInUse { self.removeAll() }
        self.isInUse = false
    }

    /// Gives all memory back.
    mutating func removeAll() {
        self.buffers = []
        self.byteCount = 0
    }
}
