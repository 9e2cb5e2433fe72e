// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Sizes the reads of a visitor's connection by what came before, as NIO's adaptive one does.
///
/// NIO keeps a buffer with each channel to read into it again. One of 64 KiB would stay with every idle connection that
/// has once sent as much: here only small ones are kept, and large ones are made for the read.
package struct VisitorReadAllocator: RecvByteBufferAllocator {
    /// The largest buffer that stays with a connection, in bytes.
    private static let largestKept = 4 << 10

    // Most heads fit into one read.
    private var adaptive = AdaptiveRecvByteBufferAllocator(minimum: 1_024, initial: 2_048, maximum: 65_536)

    /// Makes an allocator for one connection.
    package init() {}

    package func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        self.adaptive.buffer(allocator: allocator)
    }

    package mutating func record(actualReadBytes: Int) -> Bool {
        let mayGrow = self.adaptive.record(actualReadBytes: actualReadBytes)
        return mayGrow || self.size > Self.largestKept
    }

    package func nextBufferSize() -> Int? {
        self.size > Self.largestKept ? nil : self.size
    }

    private var size: Int { self.adaptive.nextBufferSize() ?? 0 }
}
