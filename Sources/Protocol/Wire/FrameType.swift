// SPDX-License-Identifier: Apache-2.0

/// What a frame is (docs/protocol.md §B.4).
public enum FrameType: UInt8, CaseIterable, Sendable {
    /// Bytes of a stream, perhaps its last.
    case data = 0x00
    /// A new stream with what the acceptor must know of it.
    case open = 0x01
    /// The acceptor takes the stream.
    case openAck = 0x02
    /// The acceptor refuses the stream; nothing was delivered.
    case reject = 0x03
    /// Credit: how far the peer may send, as an absolute offset.
    case windowUpdate = 0x04
    /// The sender has data and no credit beyond this offset.
    case blocked = 0x05
    /// The stream ends at once in both directions.
    case reset = 0x06
    /// The receiver wants no more bytes of this stream.
    case stopSending = 0x07
    /// A question that PONG answers.
    case ping = 0x08
    /// The answer to PING.
    case pong = 0x09
    /// The session is to end.
    case goAway = 0x0A
    /// How many streams the peer may have opened in all.
    case maxStreams = 0x0B
    /// The first frame of each side: its settings.
    case hello = 0x0C
    /// How many messages have been received; only where the session can be resumed.
    case acknowledge = 0x0E

    /// From this number on an unknown type is skipped rather than refused.
    public static let firstIgnorable: UInt8 = 0x80

    /// The payload lengths that the type allows, in bytes.
    @inlinable
    public var payloadLengths: ClosedRange<Int> {
        switch self {
        case .data: 0...65_535
        case .open: 12...8_192
        case .openAck: 0...256
        case .reject, .reset: 4...260
        case .windowUpdate, .blocked, .ping, .pong, .acknowledge: 8...8
        case .stopSending, .maxStreams: 4...4
        case .goAway: 16...528
        case .hello: 16...4_096
        }
    }

    /// The flag bits that the type defines.
    @inlinable
    public var definedFlags: UInt8 {
        switch self {
        case .data, .goAway: 0x01
        default: 0
        }
    }

    /// Whether a frame of this type is about the session, a stream, or either.
    @inlinable
    var scope: Scope {
        switch self {
        case .ping, .pong, .goAway, .maxStreams, .hello, .acknowledge: .session
        case .windowUpdate, .blocked: .either
        default: .stream
        }
    }

    @usableFromInline
    enum Scope {
        case session, stream, either
    }
}
