// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTP1
import NIOCore
import Testing

@testable import EdgeProxy
@testable import EdgeTunnels

/// Every read ends in the middle of something: what was taken is let go of all the same.
@Suite("Bytes that were read and taken")
struct UnreadBytesTests {
    /// How much passes.
    private static let total = ProcessInfo.processInfo.environment["CULVERT_LONG"] == "1" ? 1 << 30 : 16 << 20
    /// How much more than the longest thing that is unfinished a buffer may hold.
    private static let bound = 128 << 10

    /// Gives pieces as a connection does, each in a buffer of its own.
    ///
    /// - Returns: The most that was held at a time.
    @discardableResult
    private func pass(_ cycle: String, cutAt cut: Int, _ take: (ByteBuffer) throws -> Int) rethrows -> Int {
        let bytes = Array(cycle.utf8)
        let piece = Array(bytes[cut...] + bytes[..<cut])
        var (passed, most) = (0, try take(ByteBuffer(bytes: bytes[..<cut])))
        while passed < Self.total {
            most = max(most, try take(ByteBuffer(bytes: piece)))
            passed += piece.count
        }
        #expect(most <= Self.bound, "\(most) bytes held after \(passed)")
        return most
    }

    @Test("Heads, each cut in its middle")
    func heads() throws {
        var input = VisitorInput(ProxySettings())
        let head = "GET / HTTP/1.1\r\nHost: x\r\nX-Filler: " + String(repeating: "a", count: 3_000) + "\r\n\r\n"
        var (count, taken) = (0, [ByteBuffer]())
        let most = try self.pass(String(repeating: head, count: 12), cutAt: 1_500) { piece in
            input.receive(piece)
            while let next = try input.takeHead() {
                count += 1
                // As requests do, some of which are still under way while the next ones come.
                taken = taken.suffix(3) + [next.section.bytes]
            }
            return input.heldBytes
        }
        #expect(count >= Self.total / head.utf8.count - 12)
        #expect(most > 0)
    }

    @Test("Chunks cut in their size lines, with and without their framing", arguments: [false, true])
    func chunks(contentOnly: Bool) throws {
        var input = VisitorInput(ProxySettings())
        input.receive(ByteBuffer(string: "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"))
        _ = try #require(try input.takeHead())
        let chunk = "1;" + String(repeating: "a", count: 3_900) + "\r\nx\r\n"
        let large = "4000\r\n" + String(repeating: "b", count: 0x4000) + "\r\n"
        var (count, taken) = (0, [ByteBuffer]())
        try self.pass(chunk + large + chunk, cutAt: 1_952) { piece in
            input.receive(piece)
            while let bytes = try input.takeBody(upTo: 20_000, contentOnly: contentOnly) {
                count += bytes.readableBytes
                taken = taken.suffix(3) + [bytes]
            }
            return input.heldBytes
        }
        #expect(count > Self.total / 2)
    }

    @Test("Bytes of which a part is taken at a time, and small ones that come one by one")
    func raw() throws {
        var input = VisitorInput(ProxySettings())
        var taken: [ByteBuffer] = []
        self.pass(String(repeating: "c", count: 9_000), cutAt: 500) { piece in
            input.receive(piece)
            if let bytes = input.takeBytes(upTo: piece.readableBytes) { taken = taken.suffix(3) + [bytes] }
            return input.heldBytes
        }
        for _ in 0..<100_000 {
            input.receive(ByteBuffer(string: "d"))
            _ = input.takeBytes(upTo: 1)
            #expect(input.heldBytes <= Self.bound)
        }
    }

    @Test("After all is taken nothing is held, and what is left of much is held at its own size")
    func shrinking() {
        var buffer = ByteBuffer(repeating: 1, count: 64 << 10)
        buffer.moveReaderIndex(forwardBy: (64 << 10) - 10)
        buffer.shrinkUnread()
        #expect(buffer.storageCapacity <= 1_024)
        #expect(Array(buffer.readableBytesView) == Array(repeating: 1, count: 10))
        buffer.clear()
        buffer.shrinkUnread()
        #expect(buffer.storageCapacity == 0)
    }

    @Test("A body that is kept to be sent again takes about its length, however small its pieces are")
    func keptBody() {
        var request = SentRequest(head: ByteBuffer(string: "POST / HTTP/1.1\r\n\r\n"), hasBody: true)
        for number in 0..<SentRequest.maximumBody {
            var read = ByteBuffer(repeating: UInt8(truncatingIfNeeded: number), count: 2_048)
            if let byte = read.readSlice(length: 1) { request.sent(byte) }
        }
        #expect(request.bodyBytes == SentRequest.maximumBody)
        #expect(request.room == 0)
        #expect(request.body.reduce(0) { $0 + $1.storageCapacity } <= 3 * SentRequest.maximumBody)
        let bytes = request.body.flatMap { Array($0.readableBytesView) }
        #expect(bytes == (0..<SentRequest.maximumBody).map { UInt8(truncatingIfNeeded: $0) })
    }

    @Test("A connection keeps no large buffer to read into")
    func readBuffers() {
        var allocator = VisitorReadAllocator()
        #expect(allocator.nextBufferSize() == 2_048)
        for _ in 0..<10 { _ = allocator.record(actualReadBytes: allocator.buffer(allocator: .init()).writableBytes) }
        #expect(allocator.buffer(allocator: .init()).writableBytes == 64 << 10)
        // NIO makes a buffer for each read where there is no size, and the next one may be larger.
        #expect(allocator.nextBufferSize() == nil)
        let isLargeStill = allocator.record(actualReadBytes: 10)
        #expect(isLargeStill)
        for _ in 0..<20 { _ = allocator.record(actualReadBytes: 10) }
        #expect(allocator.nextBufferSize() == 1_024)
    }
}
