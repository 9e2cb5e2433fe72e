// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Testing

@testable import Mux

@Suite("Bytes that wait")
struct ByteQueueTests {
    /// A slice of one byte at the end of a large message.
    private func sliver(_ byte: UInt8, of storage: Int = 65_536) -> ByteBuffer {
        var message = ByteBufferAllocator().buffer(capacity: storage)
        message.writeRepeatingByte(0, count: storage - 1)
        message.writeInteger(byte)
        message.moveReaderIndex(forwardBy: storage - 1)
        return message.readSlice(length: 1) ?? ByteBuffer()
    }

    private func all(_ queue: ByteQueue) -> [UInt8] {
        var queue = queue
        var bytes: [UInt8] = []
        while let buffer = queue.popFirst() { bytes += Array(buffer.readableBytesView) }
        return bytes
    }

    @Test("buffers come out in order, empty ones leave no trace")
    func order() {
        var queue = ByteQueue()
        queue.append(ByteBuffer(bytes: [1, 2]))
        queue.append(ByteBuffer())
        queue.append(ByteBuffer(bytes: [3]))
        #expect(queue.byteCount == 3)
        #expect(queue.popFirst() == ByteBuffer(bytes: [1, 2]))
        #expect(queue.popFirst() == ByteBuffer(bytes: [3]))
        #expect(queue.popFirst() == nil)
        #expect(queue.isEmpty)
    }

    @Test("moving takes from several buffers and splits the last")
    func move() {
        var queue = ByteQueue()
        queue.append(ByteBuffer(bytes: [1, 2, 3]))
        queue.append(ByteBuffer(bytes: [4, 5, 6]))
        var destination = ByteBuffer(bytes: [0])
        queue.move(4, to: &destination)
        #expect(destination == ByteBuffer(bytes: [0, 1, 2, 3, 4]))
        #expect(queue.byteCount == 2)
        #expect(self.all(queue) == [5, 6])
    }

    @Test("dropping tells how many bytes there were")
    func removeAll() {
        var queue = ByteQueue()
        queue.append(ByteBuffer(bytes: [1, 2, 3]))
        #expect(queue.removeAll() == 3)
        #expect(queue.isEmpty)
        #expect(queue.popFirst() == nil)
    }

    @Test("compacting gathers slivers of large messages into one small buffer")
    func compact() {
        var queue = ByteQueue()
        for byte in 0..<200 as Range<UInt8> {
            queue.append(self.sliver(byte))
            queue.compact()
        }
        #expect(queue.byteCount == 200)
        let gathered = queue.popFirst()
        #expect(gathered?.readableBytes == 200)
        #expect(gathered.map { $0.storageCapacity <= 512 } == true)
        #expect(gathered.map { Array($0.readableBytesView) } == Array(0..<200))
        #expect(queue.popFirst() == nil)
    }

    @Test("compacting leaves buffers alone that fill their storage, and keeps the order around them")
    func compactMixed() {
        var queue = ByteQueue()
        let full = ByteBuffer(repeating: 9, count: 16_384)
        queue.append(self.sliver(1))
        queue.append(self.sliver(2))
        queue.append(full)
        queue.append(self.sliver(3))
        queue.compact()
        queue.append(self.sliver(4))
        queue.compact()
        #expect(queue.popFirst() == ByteBuffer(bytes: [1, 2]))
        #expect(queue.popFirst() == full)
        #expect(queue.popFirst() == ByteBuffer(bytes: [3, 4]))
        #expect(queue.popFirst() == nil)
    }

    /// Messages that came with one read, with headers between them.
    private func messages(_ count: Int, of size: Int = 16_352, in capacity: Int = 262_144) -> [ByteBuffer] {
        var read = ByteBufferAllocator().buffer(capacity: capacity)
        for number in 0..<count {
            read.writeRepeatingByte(0, count: 16)
            read.writeRepeatingByte(UInt8(truncatingIfNeeded: number), count: size)
        }
        return (0..<count).compactMap { _ in
            read.moveReaderIndex(forwardBy: 16)
            return read.readSlice(length: size)
        }
    }

    private func capacities(_ queue: ByteQueue) -> [Int] {
        var queue = queue
        var sizes: [Int] = []
        while let buffer = queue.popFirst() { sizes.append(buffer.storageCapacity) }
        return sizes
    }

    @Test(
        "messages that together are much of one read are left alone, and the last of them copied when the others are gone"
    )
    func runs() {
        var queue = ByteQueue()
        for message in self.messages(16) { queue.append(message) }
        queue.compact()
        #expect(self.capacities(queue) == Array(repeating: 262_144, count: 16))
        for left in (1..<16).reversed() {
            #expect(queue.popFirst()?.readableBytes == 16_352)
            #expect(queue.keepsRuns)
            queue.compact()
            let sizes = self.capacities(queue)
            #expect(sizes.count == left)
            #expect(sizes.allSatisfy { $0 == (left >= 4 ? 262_144 : 16_384) }, "\(left) left: \(sizes)")
        }
        #expect(queue.popFirst()?.readableBytes == 16_352)
        #expect(!queue.keepsRuns)
    }

    @Test("a queue that is never empty keeps what waits, and not what has passed")
    func neverEmpty() {
        var queue = ByteQueue()
        var destination = ByteBuffer()
        for number in 0..<200_000 {
            queue.append(self.sliver(UInt8(truncatingIfNeeded: number), of: 1_024))
            queue.compact()
            destination.clear()
            if number >= 10 { queue.move(1, to: &destination) }
        }
        var capacity = 0
        while let buffer = queue.popFirst() { capacity += buffer.storageCapacity }
        #expect(capacity <= 64 << 10)
    }

    @Test("compacting and taking in any order loses nothing", arguments: [1, 2, 3] as [UInt64])
    func compactRandomly(_ seed: UInt64) {
        var random = SplitMix(seed: seed)
        var queue = ByteQueue()
        var written: UInt8 = 0
        var expected: UInt8 = 0
        for _ in 0..<5_000 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                queue.append(self.sliver(written, of: 300))
                written &+= 1
            case 1:
                let bytes = (0..<Int.random(in: 1...600, using: &random)).map {
                    written &+ UInt8(truncatingIfNeeded: $0)
                }
                queue.append(ByteBuffer(bytes: bytes))
                written &+= UInt8(truncatingIfNeeded: bytes.count)
            case 2: queue.compact()
            default:
                var taken = ByteBuffer()
                if Bool.random(using: &random) {
                    taken = queue.popFirst() ?? ByteBuffer()
                } else {
                    queue.move(Int.random(in: 0...queue.byteCount, using: &random), to: &taken)
                }
                for byte in taken.readableBytesView {
                    #expect(byte == expected)
                    expected &+= 1
                }
            }
        }
        #expect(
            self.all(queue).allSatisfy { byte in
                defer { expected &+= 1 }
                return byte == expected
            }
        )
        #expect(expected == written)
    }
}
