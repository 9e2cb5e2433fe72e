// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// One frame of the protocol, checked as far as that is possible without knowing the session (docs/protocol.md §B.4).
public enum Frame: Equatable, Sendable {
    /// Bytes of a stream; `isLast` is the FIN flag.
    case data(StreamID, ByteBuffer, isLast: Bool)
    /// A new stream.
    indirect case open(StreamID, OpenFrame)
    /// The acceptor takes the stream.
    indirect case openAck(StreamID, OpenAckFrame)
    /// The acceptor refuses the stream.
    case reject(StreamID, ErrorCode, reason: String)
    /// The peer may send up to this absolute offset, on a stream or on the session.
    case windowUpdate(StreamID, offset: UInt64)
    /// The sender is held up at this absolute offset.
    case blocked(StreamID, offset: UInt64)
    /// The stream ends at once in both directions.
    case reset(StreamID, ErrorCode, reason: String)
    /// The receiver wants no more bytes.
    case stopSending(StreamID, ErrorCode)
    /// A question that PONG answers with the same number.
    case ping(UInt64)
    /// The answer to PING.
    case pong(UInt64)
    /// The session is to end.
    indirect case goAway(GoAwayFrame)
    /// How many streams the peer may have opened in all.
    case maximumStreams(UInt32)
    /// The first frame of a side.
    indirect case hello(HelloFrame)
    /// How many messages the sender has received since HELLO (docs/protocol.md §B.19).
    case acknowledge(UInt64)
    /// A frame of an ignorable type that this version does not know; `length` is that of its payload in bytes.
    case `extension`(type: UInt8, StreamID, length: Int)
}

/// OPEN_ACK: the acceptor has connected to its local service (docs/protocol.md §B.4.2).
public struct OpenAckFrame: Hashable, Sendable {
    /// How long connecting took, in microseconds.
    public var connectMicroseconds: UInt32?
    /// The local address that was reached.
    public var localPeer: NetworkEndpoint?

    /// Makes an OPEN_ACK.
    public init(connectMicroseconds: UInt32? = nil, localPeer: NetworkEndpoint? = nil) {
        self.connectMicroseconds = connectMicroseconds
        self.localPeer = localPeer
    }

    private static let connectMicroseconds: UInt16 = 0x0001
    private static let localPeer: UInt16 = 0x0002

    /// Entries that are unknown or odd are informational at best and are skipped.
    init(payload: inout ByteBuffer) throws(ProtocolViolation) {
        for entry in try payload.readTypeLengthValues() {
            switch entry.id {
            case Self.connectMicroseconds where entry.value.readableBytes == 4:
                self.connectMicroseconds = entry.value.getInteger(at: entry.value.readerIndex)
            case Self.localPeer: self.localPeer = NetworkEndpoint(value: entry.value)
            default: break
            }
        }
    }

    func write(into buffer: inout ByteBuffer) {
        if let connectMicroseconds {
            buffer.writeTypeLengthValue(Self.connectMicroseconds) { $0.writeInteger(connectMicroseconds) }
        }
        if let localPeer { buffer.writeTypeLengthValue(Self.localPeer) { localPeer.write(into: &$0) } }
    }
}

/// GOAWAY: the session is to end, in good order or at once (docs/protocol.md §B.9.4, §B.9.5).
public struct GoAwayFrame: Hashable, Sendable {
    /// Whether this only announces the end: the receiver opens no more streams here and connects elsewhere.
    public var isDrain: Bool
    /// The highest stream of the receiver that the sender accepted; those above were not delivered.
    public var lastStreamID: StreamID
    /// Why.
    public var code: ErrorCode
    /// How long streams may still run, in milliseconds.
    public var graceMilliseconds: UInt32
    /// How long to wait before connecting elsewhere, in milliseconds.
    public var reconnectMilliseconds: UInt32
    /// For logs.
    public var reason: String

    /// Makes a GOAWAY.
    public init(
        isDrain: Bool,
        lastStreamID: StreamID,
        code: ErrorCode,
        graceMilliseconds: UInt32 = 0,
        reconnectMilliseconds: UInt32 = 0,
        reason: String = ""
    ) {
        self.isDrain = isDrain
        self.lastStreamID = lastStreamID
        self.code = code
        self.graceMilliseconds = graceMilliseconds
        self.reconnectMilliseconds = reconnectMilliseconds
        self.reason = reason
    }
}
