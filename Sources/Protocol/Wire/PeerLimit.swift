// SPDX-License-Identifier: Apache-2.0

/// A limit on what a peer may cost, and the code that answers whoever passes it (docs/protocol.md §B.12).
///
/// The raw value is the limit's name in logs and metrics.
public enum PeerLimit: String, CaseIterable, Hashable, Sendable {
    /// HELLO within 10 s.
    case helloWait = "hello_wait"
    /// Streams within the count that MAX_STREAMS grants, zombies included.
    case streams
    /// 2 000 OPENs a second, 4 000 at once.
    case opens
    /// Messages of at most MAX_MESSAGE bytes and 64 fragments.
    case messageSize = "message_size"
    /// OPEN of at most 8 KiB.
    case openSize = "open_size"
    /// At most 64 entries in a frame.
    case entries
    /// 100 PINGs a second, 200 at once.
    case pings
    /// At most 16 PINGs that are not answered yet; further ones are dropped.
    case unansweredPings = "unanswered_pings"
    /// 256 WINDOW_UPDATEs, and one for each KiB that could be answered by them.
    case windowUpdates = "window_updates"
    /// 20 000 DATA frames of fewer than 64 bytes a second, 40 000 at once.
    case smallData = "small_data"
    /// Four frames for each stream that has ended, and 1 000.
    case lateFrames = "late_frames"
    /// 100 oddities a second, 1 000 at once.
    case glitches
    /// 64 KiB of ignorable extensions a minute.
    case extensionBytes = "extension_bytes"
    /// Output that the peer does not take for as long as the idle time-out.
    case unsentOutput = "unsent_output"
    /// Messages that are not acknowledged: 20 MiB, or none for twice the idle time-out; only where the session can be
    /// resumed.
    case unacknowledged

    /// What whoever passes the limit is answered; `nil` if what is too much is only dropped.
    public var code: ErrorCode? {
        switch self {
        case .helloWait: .helloTimeout
        case .streams: .streamLimitError
        case .opens: .overloaded
        case .messageSize, .openSize: .frameSizeError
        case .entries: .protocolError
        case .unansweredPings: nil
        case .pings, .windowUpdates, .smallData, .lateFrames, .glitches, .extensionBytes, .unacknowledged:
            .enhanceCalm
        case .unsentOutput: .keepaliveTimeout
        }
    }
}
