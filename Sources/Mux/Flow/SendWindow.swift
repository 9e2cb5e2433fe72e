// SPDX-License-Identifier: Apache-2.0
import Protocol

/// How far this side may send, on a stream or on the session, in absolute offsets (docs/protocol.md §B.7.1).
struct SendWindow: Hashable {
    /// How many bytes have been sent.
    private(set) var sent: UInt64 = 0
    /// The greatest offset that the peer has granted.
    private(set) var limit: UInt64

    init(limit: UInt64) {
        self.limit = limit
    }

    /// How many bytes may be sent now.
    var credit: Int { Int(truncatingIfNeeded: self.limit - self.sent) }

    mutating func send(_ count: Int) {
        precondition(count <= self.credit, "sent beyond the credit")
        self.sent += UInt64(count)
    }

    /// Takes an offset that the peer grants; `false` if it raises nothing.
    ///
    /// - Throws: FLOW_CONTROL_ERROR for a grant of more than 2^31−1 bytes beyond what was sent, which no receiver has
    ///   room for.
    mutating func raise(to offset: UInt64) throws(ProtocolViolation) -> Bool {
        guard offset <= WireFormat.maximumOffset, offset <= self.sent + WireFormat.maximumGrant else {
            throw ProtocolViolation(.flowControlError, "credit up to \(offset) with \(self.sent) sent")
        }
        guard offset > self.limit else { return false }
        self.limit = offset
        return true
    }
}
