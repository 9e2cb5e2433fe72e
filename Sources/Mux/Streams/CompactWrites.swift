// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Keeps what waits for one socket small: where bytes already wait because the socket takes none, those that follow keep
/// no more memory than they need.
///
/// To ask a socket what waits costs more than to write to it (a tenth of what a small request costs the connector). So
/// most writes don't ask: ``uncheckedWrites`` slices may hold the whole of what was read with them.
package struct CompactWrites {
    /// How many slices go out before the socket is asked once.
    static let uncheckedWrites = 8

    private var unchecked = 0

    package init() {}

    /// The bytes as they are to be written next.
    ///
    /// The caller writes them, since a write may call back.
    package mutating func next(_ bytes: ByteBuffer, to context: ChannelHandlerContext) -> ByteBuffer {
        bytes.isWasteful && self.areBytesQueued(context) ? bytes.compacted : bytes
    }

    /// Whether bytes are known to wait: once they do, the socket is asked each time.
    private mutating func areBytesQueued(_ context: ChannelHandlerContext) -> Bool {
        guard self.unchecked >= Self.uncheckedWrites else {
            self.unchecked += 1
            return false
        }
        guard context.hasQueuedBytes else {
            self.unchecked = 0
            return false
        }
        return true
    }
}
