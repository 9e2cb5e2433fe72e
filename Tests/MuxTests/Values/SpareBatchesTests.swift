// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Testing

@testable import Mux

@Suite("Buffers that come back")
struct SpareBatchesTests {
    private static let now = NIODeadline.uptimeNanoseconds(1_000_000_000)

    /// A buffer of so many bytes of memory that holds a word.
    private static func buffer(of capacity: Int, saying word: String = "old") -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: capacity)
        buffer.writeString(word)
        return buffer
    }

    @Test("what the peer has acknowledged is the memory of the next messages, and nothing else is")
    func acknowledged() throws {
        var replay = ReplayBuffer()
        var batch = Self.buffer(of: 2_048)
        let place = batch.place.start
        replay.number(owesAcknowledgement: true, now: Self.now)
        replay.keep(batch)
        batch = ByteBuffer()
        let early = replay.spares.take(holding: 512)
        #expect(early == nil, "not acknowledged yet")
        try replay.acknowledge(1, now: Self.now)
        var next = replay.spares.take(holding: 2_048) ?? ByteBuffer()
        #expect(next.readableBytes == 0)
        next.writeString("new")
        #expect(next.place.start == place)
        let second = replay.spares.take(holding: 512)
        #expect(second == nil, "one came back")
    }

    @Test("whoever still holds a buffer that came back keeps its bytes")
    func held() {
        var spares = SpareBatches()
        let held = Self.buffer(of: 2_048)
        spares.keep(held)
        var next = spares.take(holding: 512)
        next?.writeString("new")
        #expect(String(buffer: held) == "old")
        #expect(next.map { String(buffer: $0) } == "new")
    }

    /// Takes all that are there; how much memory they have, in bytes.
    private static func takeAll(_ spares: inout SpareBatches) -> Int {
        var total = 0
        while let buffer = spares.take(holding: 512) { total += buffer.storageCapacity }
        return total
    }

    @Test("128 KiB of usual sizes are kept, and all are given back at once")
    func bounds() {
        var spares = SpareBatches()
        for size in [512, 256, 32, 32_768, 65_536] { spares.keep(Self.buffer(of: size)) }
        let small = Self.takeAll(&spares)
        #expect(small == 512, "one for frames of control, and none of bulk")
        for _ in 0..<40 { spares.keep(Self.buffer(of: 4_096)) }
        let larger = spares.take(holding: 4_097)
        #expect(larger == nil)
        let usual = Self.takeAll(&spares)
        #expect(usual == SpareBatches.limit)
        for _ in 0..<3 { spares.keep(Self.buffer(of: 2_048)) }
        spares.removeAll()
        let none = Self.takeAll(&spares)
        #expect(none == 0)
        for _ in 0..<100 { spares.keep(Self.buffer(of: 2_048)) }
        let again = Self.takeAll(&spares)
        #expect(again == SpareBatches.limit, "what was given back counts no more")
    }

    @Test("they stay while they are used, and go when a session rests")
    func rest() {
        var spares = SpareBatches()
        for _ in 0..<3 { spares.keep(Self.buffer(of: 2_048)) }
        for size in [2_048, 4_096] {
            spares.wrote(size)
            spares.age()
            #expect(spares.byteCount == 3 * 2_048)
        }
        // Frames of control alone are no use for them, and neither is a look that finds nothing to send.
        spares.wrote(512)
        let looked = spares.take(holding: 2_048)
        spares.keep(looked ?? ByteBuffer())
        spares.age()
        #expect(spares.isEmpty && spares.byteCount == 0)
    }

    @Test("a session that is over keeps none")
    func over() throws {
        var replay = ReplayBuffer()
        replay.number(owesAcknowledgement: true, now: Self.now)
        replay.keep(Self.buffer(of: 2_048))
        try replay.acknowledge(1, now: Self.now)
        replay.removeAll()
        let left = Self.takeAll(&replay.spares)
        #expect(left == 0)
    }
}
