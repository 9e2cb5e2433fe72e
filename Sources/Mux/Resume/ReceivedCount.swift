// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// How many messages have come since HELLO, and when the peer is to be told (docs/protocol.md §B.19).
struct ReceivedCount: Hashable {
    /// How many messages have come.
    private(set) var count: UInt64 = 0
    /// Since when the peer is owed an acknowledgement, if it is.
    private(set) var owedSince: NIODeadline?
    /// What came since the last acknowledgement, in bytes.
    private var bytes = 0
    /// How many messages came since then.
    private var messages = 0

    /// So many bytes are acknowledged at once: an acknowledgement is a message of its own and wakes the peer's thread.
    static let bytesPerAcknowledgement = 1 << 20
    /// So long an acknowledgement may wait for something to ride with.
    static let patience = TimeAmount.milliseconds(250)
    /// From any of these on an acknowledgement rides with whatever goes out: one with every message would cost small
    /// requests more than the rest of resumption does.
    static let ridingAlong = (messages: 8, bytes: 16_384, patience: TimeAmount.milliseconds(60))

    /// A message has come.
    ///
    /// - Parameters:
    ///   - bytes: How long it is.
    ///   - owesAcknowledgement: Whether it holds anything else than ACK: an ACK of an ACK would never end.
    ///   - now: The time.
    mutating func received(_ bytes: Int, owesAcknowledgement: Bool, now: NIODeadline) {
        self.count += 1
        self.bytes += bytes
        self.messages += 1
        if owesAcknowledgement, self.owedSince == nil { self.owedSince = now }
    }

    /// Whether an acknowledgement goes out even if nothing else does.
    func isDue(now: NIODeadline) -> Bool {
        guard let owedSince else { return false }
        return self.bytes >= Self.bytesPerAcknowledgement || now - owedSince >= Self.patience
    }

    /// Whether an acknowledgement goes out with what goes out anyhow.
    func ridesAlong(now: NIODeadline) -> Bool {
        guard let owedSince else { return false }
        return self.messages >= Self.ridingAlong.messages || self.bytes >= Self.ridingAlong.bytes
            || now - owedSince >= Self.ridingAlong.patience
    }

    /// The count for an acknowledgement that goes out now.
    mutating func take() -> UInt64 {
        self.owedSince = nil
        self.bytes = 0
        self.messages = 0
        return self.count
    }
}
