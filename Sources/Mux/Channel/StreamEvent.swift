// SPDX-License-Identifier: Apache-2.0
import Protocol

/// User events that a ``StreamChannel`` fires besides those of NIO.
///
/// The peer's FIN is NIO's own `ChannelEvent.inputClosed`, after the last bytes.
public enum StreamEvent: Hashable, Sendable {
    /// The peer accepted the stream.
    case accepted
    /// The peer takes no more bytes; what was unsent is dropped and further writes fail.
    case peerStoppedReading(ErrorCode)
    /// The peer has been silent for so long that new streams are better opened elsewhere, and perhaps this one, too; only
    /// on the side that opened it.
    case peerIsSilent
    /// The peer is still silent, and whoever has the session waits for it no longer: what it has not taken is lost; only on
    /// the side that opened the stream.
    case peerIsGivenUp
}
