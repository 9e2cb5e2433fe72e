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

    /// How large a buffer for frames of control alone is, in bytes.
    static let smallest = 512

    private var buffers: [ByteBuffer] = []
    /// How much memory they have, in bytes.
    private(set) var byteCount = 0
    /// One that is smaller, for frames of control.
    private var small: ByteBuffer?
    /// Whether one of a usual size was written since the clock was last looked at.
    private var isInUse = false

    /// Whether there is none of a usual size.
    var isEmpty: Bool { self.buffers.isEmpty }

    /// Keeps a buffer, if there is room and its size is a usual one.
    ///
    /// Its bytes may still be held elsewhere: nobody sees them change.
    mutating func keep(_ buffer: ByteBuffer) {
        let size = buffer.storageCapacity
        if size < Self.sizes.lowerBound {
            // What an ACK that went alone was copied to is less, and of no use to anybody.
            if size >= Self.smallest { self.small = buffer }
        } else if size <= Self.sizes.upperBound, self.byteCount + size <= Self.limit {
            self.byteCount += size
            self.buffers.append(buffer)
        }
    }

    /// An empty buffer, if there is one for so many bytes.
    mutating func take(holding count: Int) -> ByteBuffer? {
        // To name a buffer before it is taken would make a second holder of it, for whom `clear()` leaves its bytes alone.
        if self.small?.storageCapacity ?? 0 >= count, var buffer = self.small.take() {
            buffer.clear()
            return buffer
        }
        guard self.buffers.last?.storageCapacity ?? 0 >= count, var buffer = self.buffers.popLast() else { return nil }
        self.byteCount -= buffer.storageCapacity
        buffer.clear()
        return buffer
    }

    /// A buffer of so many bytes of memory was written.
    mutating func wrote(_ size: Int) {
        if size >= Self.sizes.lowerBound { self.isInUse = true }
    }

    /// The clock is looked at: where nothing was written since the last time, all memory is given back.
    mutating func age() {
        if !self.isInUse { self.removeAll() }
        self.isInUse = false
    }

    /// Gives all memory back.
    mutating func removeAll() {
        self.buffers = []
        self.byteCount = 0
        self.small = nil
    }
}
