// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Sizes the reads of a connection whose bytes go into streams, by what came before, as NIO's adaptive one does.
///
/// NIO keeps a buffer with each channel to read into it again. One of 64 KiB would stay with every idle connection that
/// has once sent as much: here only small ones are kept, and large ones are made for the read.
///
/// A large buffer holds a little less than the longest message of a session, its headers included: so what one read of a
/// bulk brings is one message (docs/protocol.md §B.3.1), and no sliver of it needs another one.
public struct PipedReadAllocator: RecvByteBufferAllocator {
    /// The largest buffer that stays with a connection, in bytes.
    private static let largestKept = 4 << 10
    /// The largest buffer, in bytes.
    private static let largest = MessageLength.fast
    /// More than the headers of a WebSocket message and of a frame in it take, in bytes.
    private static let headers = 32

    // Most heads fit into one read.
    private var adaptive = AdaptiveRecvByteBufferAllocator(minimum: 1_024, initial: 2_048, maximum: Self.largest)

    /// Makes an allocator for one connection.
    public init() {}

    /// A buffer for the next read; what it has no room for stays with the kernel.
    public func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        var buffer = self.adaptive.buffer(allocator: allocator)
        if self.size == Self.largest {
            // NIO reads into all that is writable.
            buffer.moveWriterIndex(to: Self.headers)
            buffer.moveReaderIndex(to: Self.headers)
        }
        return buffer
    }

    /// Takes note of how much a read brought.
    ///
    /// - Returns: Whether the next buffer has to be another one.
    public mutating func record(actualReadBytes: Int) -> Bool {
        let mayGrow = self.adaptive.record(actualReadBytes: actualReadBytes)
        return mayGrow || self.size > Self.largestKept
    }

    /// How large a buffer NIO may keep for the next read, in bytes; `nil` where each read has a buffer of its own.
    public func nextBufferSize() -> Int? {
        self.size > Self.largestKept ? nil : self.size
    }

    private var size: Int { self.adaptive.nextBufferSize() ?? 0 }
}
