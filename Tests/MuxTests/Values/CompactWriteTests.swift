// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOEmbedded
import Testing

@testable import Mux

/// A socket that takes nothing: what is written to it waits.
@Suite("Bytes for a socket that takes none")
struct CompactWriteTests {
    private final class Writer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private(set) var context: ChannelHandlerContext?

        func handlerAdded(context: ChannelHandlerContext) { self.context = context }
        func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }
    }

    /// A byte that was read together with many others.
    private func sliver() throws -> ByteBuffer {
        var read = ByteBuffer(repeating: 7, count: 16_384)
        let byte = read.readSlice(length: 1)
        return try #require(byte)
    }

    private func storage(_ channel: EmbeddedChannel) throws -> [Int] {
        var sizes: [Int] = []
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { sizes.append(bytes.storageCapacity) }
        return sizes
    }

    @Test("The first few go as they came, the others keep no more memory than they need")
    func waiting() throws {
        let writer = Writer()
        let channel = EmbeddedChannel(handler: writer)
        let context = try #require(writer.context)
        var writes = CompactWrites()
        for _ in 0..<1_000 { context.write(NIOAny(writes.next(try self.sliver(), to: context)), promise: nil) }
        context.flush()
        let sizes = try self.storage(channel)
        #expect(sizes.count == 1_000)
        #expect(sizes.prefix(CompactWrites.uncheckedWrites).allSatisfy { $0 == 16_384 })
        #expect(sizes.dropFirst(CompactWrites.uncheckedWrites).allSatisfy { $0 < 64 })
        _ = try channel.finish()
    }

    @Test("A socket that took all is not taken for one that takes nothing")
    func taken() throws {
        let writer = Writer()
        let channel = EmbeddedChannel(handler: writer)
        let context = try #require(writer.context)
        var writes = CompactWrites()
        for _ in 0..<100 {
            context.write(NIOAny(writes.next(try self.sliver(), to: context)), promise: nil)
            context.flush()
        }
        #expect(try self.storage(channel) == Array(repeating: 16_384, count: 100))
        _ = try channel.finish()
    }

    @Test("What fills its memory is never copied")
    func whole() throws {
        let writer = Writer()
        let channel = EmbeddedChannel(handler: writer)
        let context = try #require(writer.context)
        let bytes = ByteBuffer(repeating: 7, count: 16_384)
        var writes = CompactWrites()
        for _ in 0..<20 { context.write(NIOAny(writes.next(bytes, to: context)), promise: nil) }
        context.flush()
        #expect(try self.storage(channel) == Array(repeating: 16_384, count: 20))
        _ = try channel.finish()
    }
}
