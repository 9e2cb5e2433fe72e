// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

/// How long messages may become: one TLS record, and four where so much passes that nobody waits for their rest
/// (docs/protocol.md §B.3.1).
///
/// Each message and each frame costs either side the same, however long: on a fast path longer ones make a bulk cheaper.
struct MessageLength {
    /// How long a message may be, its WebSocket header included, in bytes.
    var longest: Int { self.isFast ? Self.fast : WireFormat.recordLength }

    private(set) var isFast = false
    private var written = 0
    private var since: NIODeadline?

    /// The length on a fast path, in bytes: with it the header of the message is as short as before.
    static let fast = 4 * WireFormat.recordLength
    /// So much is written before the path is judged, in bytes: more than the kernel takes in without sending it.
    static let sample = 16 << 20
    /// A path is fast if it takes the sample in this time: 2 Gbit/s.
    static let fastTime = TimeAmount.milliseconds(67)
    /// A fast path is fast no more if it has not taken the sample in this time.
    static let slowTime = TimeAmount.milliseconds(134)

    mutating func wrote(_ count: Int, now: NIODeadline) {
        let since = self.since ?? now
        let elapsed = now - since
        self.written += count
        if self.isFast, elapsed > Self.slowTime {
            self.isFast = false
        } else if self.written >= Self.sample {
            self.isFast = elapsed <= (self.isFast ? Self.slowTime : Self.fastTime)
        } else {
            self.since = since
            return
        }
        self.written = 0
        self.since = now
    }
}
