// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import Testing

@testable import Mux

@Suite("What is kept to be sent again")
struct ReplayBufferTests {
    private static let now = NIODeadline.uptimeNanoseconds(1_000_000_000)

    /// A buffer with batches of so many messages; each message is one byte, its number.
    private static func buffer(_ batches: [Int]) -> ReplayBuffer {
        var replay = ReplayBuffer()
        for count in batches {
            var bytes = ByteBuffer()
            for _ in 0..<count {
                replay.number(owesAcknowledgement: true, now: Self.now)
                bytes.writeInteger(UInt8(replay.sent))
            }
            replay.keep(bytes)
        }
        return replay
    }

    /// The numbers of the messages that are sent again.
    private static func again(_ replay: inout ReplayBuffer) -> [UInt8] {
        var numbers: [UInt8] = []
        while let again = replay.nextAgain() { numbers += again.bytes.readableBytesView.dropFirst(again.skipped) }
        return numbers
    }

    /// The numbers of those of six messages that a peer lacks which has received so many.
    private static func numbers(after received: UInt64) -> [UInt8] {
        let first = UInt8(received) + 1
        return Array(first..<7)
    }

    @Test("whatever was acknowledged, and wherever the peer is, exactly the rest is sent again, in order")
    func exhaustive() throws {
        for batches in [[1, 1, 1, 1, 1, 1], [6], [2, 3, 1], [3, 3], [1, 4, 1]] {
            for acknowledged in 0...6 as ClosedRange<UInt64> {
                for received in acknowledged...6 {
                    var replay = Self.buffer(batches)
                    try replay.acknowledge(acknowledged, now: Self.now)
                    let repeated = try replay.restart(after: received, now: Self.now)
                    #expect(repeated == Int(6 - received))
                    let numbers = Self.again(&replay)
                    #expect(numbers == Self.numbers(after: received))
                    #expect(!replay.isRestarting)
                }
            }
        }
    }

    @Test(
        "acknowledgements while messages are sent again, and a second restart, leave nothing out and bring nothing twice"
    )
    func acknowledgedMeanwhile() throws {
        for (first, second) in (0...6).flatMap({ first in (first...6).map { (UInt64(first), UInt64($0)) } }) {
            var replay = Self.buffer([2, 1, 3])
            _ = try replay.restart(after: first, now: Self.now)
            _ = replay.nextAgain()
            try replay.acknowledge(second, now: Self.now)
            _ = try replay.restart(after: second, now: Self.now)
            let numbers = Self.again(&replay)
            #expect(numbers == Self.numbers(after: second))
        }
    }

    @Test("a count below an earlier one says nothing, one beyond what was sent is a PROTOCOL_ERROR")
    func counts() throws {
        var replay = Self.buffer([1, 1])
        try replay.acknowledge(2, now: Self.now)
        try replay.acknowledge(1, now: Self.now)
        #expect(replay.acknowledged == 2)
        #expect(replay.isEmpty)
        #expect(replay.byteCount == 0)
        let beyond = #expect(throws: ProtocolViolation.self) { try replay.acknowledge(3, now: Self.now) }
        #expect(beyond?.code == .protocolError)
        let before = #expect(throws: ProtocolViolation.self) { try replay.restart(after: 1, now: Self.now) }
        #expect(before?.code == .protocolError)
    }

    @Test("memory counts as it is taken, and is given back with the last message of a batch")
    func memory() throws {
        var replay = ReplayBuffer()
        replay.number(owesAcknowledgement: true, now: Self.now)
        replay.number(owesAcknowledgement: true, now: Self.now)
        let bytes = ByteBuffer(repeating: 1, count: 3_000)
        replay.keep(bytes)
        #expect(replay.byteCount == bytes.storageCapacity)
        // Nothing new was numbered: what is kept now could not be counted.
        replay.keep(bytes)
        #expect(replay.byteCount == bytes.storageCapacity)
        try replay.acknowledge(1, now: Self.now)
        #expect(replay.byteCount == bytes.storageCapacity)
        try replay.acknowledge(2, now: Self.now)
        #expect(replay.byteCount == 0)
    }

    @Test("an acknowledgement is owed since the first message that none came for, and not for ACKs alone")
    func owed() throws {
        var replay = ReplayBuffer()
        replay.number(owesAcknowledgement: false, now: Self.now)
        #expect(replay.waitingSince == nil)
        replay.number(owesAcknowledgement: true, now: Self.now + .seconds(1))
        replay.number(owesAcknowledgement: true, now: Self.now + .seconds(2))
        replay.number(owesAcknowledgement: false, now: Self.now + .seconds(3))
        #expect(replay.waitingSince == Self.now + .seconds(1))
        try replay.acknowledge(2, now: Self.now + .seconds(4))
        #expect(replay.waitingSince == Self.now + .seconds(4))
        try replay.acknowledge(3, now: Self.now + .seconds(5))
        #expect(replay.waitingSince == nil)
    }

    @Test("an ACK that goes alone is kept in little memory, until something else is acknowledged")
    func acknowledgementAlone() throws {
        var replay = ReplayBuffer()
        var large = ByteBuffer()
        large.reserveCapacity(2_048)
        large.writeRepeatingByte(1, count: 24)
        replay.number(owesAcknowledgement: true, now: Self.now)
        replay.keep(large)
        #expect(replay.byteCount >= 2_048, "as it went to the socket")
        try replay.acknowledge(1, now: Self.now)
        replay.number(owesAcknowledgement: false, now: Self.now)
        replay.keep(large)
        #expect((24...64).contains(replay.byteCount))
        let repeated = try replay.restart(after: 1, now: Self.now)
        #expect(repeated == 1)
        let again = replay.nextAgain()
        #expect(again == ReplayBuffer.Again(bytes: large, skipped: 0))
        replay.number(owesAcknowledgement: true, now: Self.now)
        replay.keep(large)
        try replay.acknowledge(3, now: Self.now)
        #expect(replay.byteCount == 0)
    }

    @Test("received messages are acknowledged after 1 MiB or 250 ms, and ACKs alone never")
    func received() {
        var received = ReceivedCount()
        received.received(16, owesAcknowledgement: false, now: Self.now)
        #expect(!received.isDue(now: Self.now + .seconds(9)))
        received.received(16, owesAcknowledgement: true, now: Self.now)
        #expect(!received.isDue(now: Self.now + .milliseconds(249)))
        #expect(received.isDue(now: Self.now + .milliseconds(250)))
        let two = received.take()
        #expect(two == 2)
        #expect(!received.isDue(now: Self.now + .seconds(9)))
        received.received(1_048_575, owesAcknowledgement: true, now: Self.now)
        #expect(!received.isDue(now: Self.now))
        received.received(1, owesAcknowledgement: true, now: Self.now)
        #expect(received.isDue(now: Self.now))
        let four = received.take()
        #expect(four == 4)
    }

    @Test(
        "of encoded messages exactly the first ones are left out, whatever their length and whoever sends",
        arguments: [false, true]
    )
    func skipping(isClient: Bool) throws {
        var encoder = WebSocketEncoder(isClient: isClient, seed: 1)
        let lengths = [1, 125, 126, 65_535, 65_536, 8]
        var batch = ByteBuffer()
        encoder.encode(.pong, ByteBuffer(string: "pong"), into: &batch)
        for length in lengths { encoder.encode(.binary, ByteBuffer(repeating: 7, count: length), into: &batch) }
        for count in 0...lengths.count {
            var rest = batch
            rest.skipMessages(count, isMasked: isClient)
            var decoder = WebSocketDecoder(isServer: isClient, maximumMessage: 100_000)
            decoder.append(rest)
            var left: [Int] = []
            while let element = try decoder.next() {
                if case .binary(let message) = element { left.append(message.readableBytes) }
            }
            #expect(left == Array(lengths.dropFirst(count)))
        }
    }
}
