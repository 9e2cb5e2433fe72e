// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

/// How long messages may become: one TLS record, and four where so much passes that nobody waits for their rest
/// (docs/protocol.md §B.3.1).
///
/// Each message and each frame costs either side the same, however long: on a fast path longer ones make a bulk cheaper.
struct MessageLength {
    /// How long a message may be, its WebSocket header included, in bytes.
    var longest: Int { self.pace.isFast ? Self.fast : WireFormat.recordLength }

    /// So much is written before the path is judged: more than the kernel takes in without sending it.
    private var pace = BulkPace(sample: 16 << 20, within: .milliseconds(67))
    private var written: UInt64 = 0

    /// The length on a fast path, in bytes: with it the header of the message is as short as before.
    static let fast = 4 * WireFormat.recordLength

    mutating func wrote(_ count: Int, now: NIODeadline) {
        self.written += UInt64(count)
        self.pace.reached(self.written, now: now)
    }
}
