// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import Mux

@Suite("Reads of connections whose bytes go into streams")
struct PipedReadAllocatorTests {
    @Test("A connection keeps no large buffer to read into")
    func readBuffers() {
        var allocator = PipedReadAllocator()
        #expect(allocator.nextBufferSize() == 2_048)
        for _ in 0..<10 { _ = allocator.record(actualReadBytes: allocator.buffer(allocator: .init()).writableBytes) }
        let buffer = allocator.buffer(allocator: .init())
        // What one read brings is one message with its headers, of WebSocket and of a frame.
        #expect(buffer.writableBytes == 64 << 10 - 32)
        #expect(buffer.readableBytes == 0)
        // NIO makes a buffer for each read where there is no size, and the next one may be larger.
        #expect(allocator.nextBufferSize() == nil)
        let isLargeStill = allocator.record(actualReadBytes: 10)
        #expect(isLargeStill)
        for _ in 0..<20 { _ = allocator.record(actualReadBytes: 10) }
        #expect(allocator.nextBufferSize() == 1_024)
    }
}
