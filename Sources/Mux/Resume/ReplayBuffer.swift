// SPDX-License-Identifier: Apache-2.0
import DequeModule
import NIOCore
import Protocol

/// What this side has sent and the peer has not acknowledged, for another connection to bring again
/// (docs/protocol.md §B.19).
///
/// Keeps the buffers that were made for the socket as they are: nothing is copied, and a message costs no allocation but
/// for an ACK that goes alone.
/// Messages count from 1, the first after HELLO.
struct ReplayBuffer {
    /// How many messages have been sent.
    private(set) var sent: UInt64 = 0
    /// How many of them the peer has received.
    private(set) var acknowledged: UInt64 = 0
    /// How much memory the kept ones take, in bytes.
    private(set) var byteCount = 0
    /// Since when an acknowledgement is owed and none has come, if one is.
    private(set) var waitingSince: NIODeadline?
    /// Several messages each, one behind the other, as they went to the socket.
    private var batches: Deque<Batch> = []
    /// The place in `batches` of the next one to be sent again, while some are.
    private var next: Int?
    /// The last message of those that are not kept any more.
    private var dropped: UInt64 = 0
    /// The last message that the peer owes an acknowledgement for.
    private var lastOwed: UInt64 = 0
    /// What was kept and is needed no more.
    var spares = SpareBatches()

    private struct Batch {
        var bytes: ByteBuffer
        /// The number of its last message.
        var last: UInt64
    }

    /// What is to be sent again.
    struct Again: Equatable {
        /// Messages, one behind the other.
        var bytes: ByteBuffer
        /// How many of the first ones the peer has: they are to be left out.
        var skipped: Int
    }

    /// How much is kept before no more DATA is sent, in bytes.
    static func bound(at level: MemoryLevel) -> Int {
        switch level {
        case .normal: 16 << 20
        case .pressure: 1 << 20
        case .critical: 256 << 10
        }
    }

    /// A peer that acknowledges nothing and makes this side go on sending control frames ends the session there, in bytes.
    static let limit = ReplayBuffer.bound(at: .normal) + 4 << 20

    /// Whether messages are kept.
    var isEmpty: Bool { self.batches.isEmpty }

    // MARK: Sending

    /// Numbers the next message.
    ///
    /// - Parameters:
    ///   - owesAcknowledgement: Whether it holds anything else than ACK.
    ///   - now: The time.
    mutating func number(owesAcknowledgement: Bool, now: NIODeadline) {
        self.sent += 1
        guard owesAcknowledgement else { return }
        self.lastOwed = self.sent
        if self.waitingSince == nil { self.waitingSince = now }
    }

    /// Keeps what went to the socket: all messages that were numbered since the last time.
    mutating func keep(_ bytes: ByteBuffer) {
        let before = self.batches.last?.last ?? self.acknowledged
        guard self.sent > before else { return }
        // An ACK that goes alone is not acknowledged: a session at rest would hold the whole buffer for its few bytes.
        let kept = self.lastOwed > before ? bytes : bytes.compacted
        self.byteCount += kept.storageCapacity
        self.spares.wrote(kept.storageCapacity)
        self.batches.append(Batch(bytes: kept, last: self.sent))
    }

    // MARK: Acknowledgements

    /// The peer has received so many; fewer than before say nothing.
    ///
    /// - Throws: PROTOCOL_ERROR for messages that were never sent.
    mutating func acknowledge(_ count: UInt64, now: NIODeadline) throws(ProtocolViolation) {
        guard count <= self.sent else {
            throw ProtocolViolation(.protocolError, "ACK of \(count) messages where \(self.sent) were sent")
        }
        guard count > self.acknowledged else { return }
        self.acknowledged = count
        self.waitingSince = count >= self.lastOwed ? nil : now
        while let first = self.batches.first, first.last <= count {
            self.byteCount -= first.bytes.storageCapacity
            self.dropped = first.last
            self.spares.keep(self.batches.removeFirst().bytes)
            if let next { self.next = max(0, next - 1) }
        }
    }

    // MARK: Sending again

    /// Another connection goes on where the peer has come to.
    ///
    /// - Parameter received: How many messages the peer has.
    /// - Returns: How many messages are to be sent again.
    /// - Throws: PROTOCOL_ERROR for a number that can't be: nothing was sent so far, or it is not kept any more.
    mutating func restart(after received: UInt64, now: NIODeadline) throws(ProtocolViolation) -> Int {
        guard received >= self.acknowledged else {
            throw ProtocolViolation(
                .protocolError,
                "\(received) messages received, of which \(self.acknowledged) were acknowledged before"
            )
        }
        try self.acknowledge(received, now: now)
        if self.waitingSince != nil { self.waitingSince = now }
        self.next = self.batches.isEmpty ? nil : 0
        return Int(clamping: self.sent - received)
    }

    /// Whether something is to be sent again, before anything else.
    var isRestarting: Bool { self.next != nil }

    /// The next part to be sent again.
    mutating func nextAgain() -> Again? {
        guard let next, next < self.batches.count else {
            self.next = nil
            return nil
        }
        let batch = self.batches[next]
        let before = next > 0 ? self.batches[next - 1].last : self.dropped
        self.next = next + 1 < self.batches.count ? next + 1 : nil
        let skipped = self.acknowledged > before ? self.acknowledged - before : 0
        return Again(bytes: batch.bytes, skipped: Int(clamping: skipped))
    }

    /// The session is over.
    mutating func removeAll() {
        self.batches.removeAll()
        self.spares.removeAll()
        self.byteCount = 0
        self.next = nil
        self.waitingSince = nil
    }
}
