// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Slices keep the whole of what was read with them: where they wait for somebody who takes nothing, a few bytes would
/// hold many (docs/protocol.md §B.12, buffer retention).
extension ByteBuffer {
    /// Whether the storage is much larger than what can be read of it.
    var isWasteful: Bool { self.isSliver || Self.isWasteful(self.readableBytes, of: self.storageCapacity) }

    /// Whether there is so little that a buffer of its own, which costs some 100 bytes, would be too much.
    var isSliver: Bool { self.readableBytes < 256 }

    /// Whether storage is much larger than what is in use of it, both in bytes.
    static func isWasteful(_ used: Int, of capacity: Int) -> Bool {
        // A full message of DATA fills a quarter of a read of 64 KiB but for its headers.
        guard capacity > 4 * used + 1_024 || used < 2_048 else { return false }
        return capacity > 2 * used + 64
    }

    /// The same bytes in storage of their own.
    var compacted: ByteBuffer {
        var copy = ByteBufferAllocator().buffer(capacity: self.readableBytes)
        copy.writeImmutableBuffer(self)
        return copy
    }

    /// Where in memory the readable bytes are.
    var place: MemoryPlace {
        self.withUnsafeReadableBytes {
            let start = UInt(bitPattern: $0.baseAddress)
            return MemoryPlace(start: start, end: start + UInt($0.count), capacity: self.storageCapacity)
        }
    }
}

extension ChannelHandlerContext {
    /// Whether bytes wait that the socket has not taken.
    package var hasQueuedBytes: Bool {
        ((try? self.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0) > 0
    }
}
