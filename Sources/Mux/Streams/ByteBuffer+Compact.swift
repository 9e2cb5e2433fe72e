// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Slices keep the whole of what was read with them: where they wait for somebody who takes nothing, a few bytes would
/// hold many (docs/protocol.md §B.12, buffer retention).
extension ByteBuffer {
    /// Whether the storage is much larger than what can be read of it.
    var isWasteful: Bool {
        // A buffer of its own costs some 100 bytes.
        if self.readableBytes < 256 { return true }
        let capacity = self.storageCapacity
        guard capacity > 4 * self.readableBytes || self.readableBytes < 2_048 else { return false }
        return capacity > 2 * self.readableBytes + 64
    }

    /// The same bytes in storage of their own.
    var compacted: ByteBuffer {
        var copy = ByteBufferAllocator().buffer(capacity: self.readableBytes)
        copy.writeImmutableBuffer(self)
        return copy
    }
}

extension ChannelHandlerContext {
    /// Whether bytes wait that the socket has not taken.
    package var hasQueuedBytes: Bool {
        ((try? self.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0) > 0
    }
}
