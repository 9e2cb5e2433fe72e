// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

/// How far the peer may send on a stream, and how much of it a consumer has taken (docs/protocol.md §B.7.1, §B.7.3).
struct ReceiveWindow: Hashable {
    /// The greatest offset granted to the peer.
    private(set) var granted: UInt64
    /// How many bytes came.
    private(set) var received: UInt64 = 0
    /// How many of them a consumer took, or were discarded.
    private(set) var consumed: UInt64 = 0

    init(granted: UInt64) {
        self.granted = granted
    }

    /// What the stream may still pin in memory: bytes granted and not consumed.
    var committed: Int { Int(truncatingIfNeeded: self.granted - self.consumed) }

    /// Takes bytes in.
    ///
    /// - Throws: FLOW_CONTROL_ERROR for bytes beyond what was granted.
    mutating func receive(_ count: Int) throws(ProtocolViolation) {
        guard UInt64(count) <= self.granted - self.received else {
            throw ProtocolViolation(
                .flowControlError,
                "\(self.received + UInt64(count)) bytes with \(self.granted) granted"
            )
        }
        self.received += UInt64(count)
    }

    mutating func consume(_ count: Int) {
        precondition(self.consumed + UInt64(count) <= self.received, "consumed more than was received")
        self.consumed += UInt64(count)
    }

    /// Everything that came counts as taken, also what comes from now on.
    mutating func discardAll() {
        self.consumed = self.received
    }

    /// Whether so much of the window has been consumed that an update is worth its frame (docs/protocol.md §B.7.3): a
    /// quarter, and at least 4 096 bytes (no silly windows).
    ///
    /// In a bulk that goes one way an update is a message of its own, which wakes the peer. Where the path is so short that
    /// tuning keeps windows at its floor, half of that is consumed first, and half of the window where a stream is so fast that
    /// the rest of it lasts.
    ///
    /// - Parameters:
    ///   - window: What the stream is to have, in bytes.
    ///   - isFast: Whether it is consumed fast.
    ///   - roundTrip: The least of late, if known.
    func isGrantDue(window: Int, isFast: Bool, roundTrip: TimeAmount?) -> Bool {
        let isNear = roundTrip.map { $0 < .milliseconds(1) } ?? false
        let least =
            switch (isFast, isNear) {
            case _ where window < WindowTuner.floor: 4_096
            case (true, _): window / 2
            case (false, true): WindowTuner.floor / 2
            case (false, false): 4_096
            }
        return self.consumed + UInt64(window) >= self.granted + UInt64(max(window / 4, least))
    }

    /// The offset to put into WINDOW_UPDATE: never lower than one granted before.
    mutating func grant(window: Int) -> UInt64 {
        self.granted = max(self.granted, min(self.consumed + UInt64(window), WireFormat.maximumOffset))
        return self.granted
    }
}
