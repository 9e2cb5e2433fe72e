// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// A buffer of what came and has not been taken yet, whose end grows while its front is taken.
///
/// NIO keeps what was taken in front of what was not, and copies both where a slice shares the memory: where every read
/// ends in the middle of something, such a buffer would hold all that ever passed.
extension ByteBuffer {
    /// Adds what came, and lets go of what was taken.
    mutating func appendUnread(_ bytes: ByteBuffer) {
        // Not copied where nothing waits: slices of it go on their way.
        guard self.readableBytes > 0 else {
            self = bytes
            return
        }
        if self.readerIndex > 0 { self = self.copied(withRoomFor: bytes.readableBytes) }
        self.writeImmutableBuffer(bytes)
    }

    /// Lets go of memory that is much larger than what it holds, as between two reads.
    mutating func shrinkUnread() {
        guard self.readableBytes > 0 else {
            if self.storageCapacity > 0 { self = ByteBuffer() }
            return
        }
        guard self.storageCapacity > 2 * self.readableBytes + 1_024 else { return }
        self = self.copied(withRoomFor: 0)
    }

    private func copied(withRoomFor count: Int) -> ByteBuffer {
        var copy = ByteBufferAllocator().buffer(capacity: self.readableBytes + count)
        copy.writeImmutableBuffer(self)
        return copy
    }
}
