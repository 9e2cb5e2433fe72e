// SPDX-License-Identifier: Apache-2.0

/// Why a stream or a session ended, as carried on the wire (docs/protocol.md §B.11).
public struct ErrorCode: RawRepresentable, Hashable, Sendable {
    /// The number on the wire.
    public var rawValue: UInt32

    /// Takes any number; one that this version does not know is to be treated as ``internalError``.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// Nothing went wrong.
    public static let noError = ErrorCode(rawValue: 0x00)
    /// The peer sent something malformed or forbidden.
    public static let protocolError = ErrorCode(rawValue: 0x01)
    /// A bug or an unexpected failure.
    public static let internalError = ErrorCode(rawValue: 0x02)
    /// More bytes than the credit allows, or credit beyond its bounds.
    public static let flowControlError = ErrorCode(rawValue: 0x03)
    /// OPEN without a free slot.
    public static let streamLimitError = ErrorCode(rawValue: 0x04)
    /// A frame that the stream's state does not allow.
    public static let streamStateError = ErrorCode(rawValue: 0x05)
    /// A length that its frame type does not allow, or that passes the end of its message.
    public static let frameSizeError = ErrorCode(rawValue: 0x06)
    /// An unknown critical frame type, flag or setting.
    public static let unsupported = ErrorCode(rawValue: 0x07)
    /// A rate limit of §B.12 was passed.
    public static let enhanceCalm = ErrorCode(rawValue: 0x08)
    /// Nothing was received for the idle time-out.
    public static let keepaliveTimeout = ErrorCode(rawValue: 0x09)
    /// No HELLO within 10 s.
    public static let helloTimeout = ErrorCode(rawValue: 0x0A)
    /// The token expired or was revoked.
    public static let authExpired = ErrorCode(rawValue: 0x0B)
    /// The sender is shutting down in good order.
    public static let shutdown = ErrorCode(rawValue: 0x0C)
    /// A newer session took this one's place in its bundle.
    public static let replaced = ErrorCode(rawValue: 0x0D)
    /// The session is running out of stream numbers.
    public static let idExhausted = ErrorCode(rawValue: 0x0E)
    /// The process is short of memory.
    public static let memoryPressure = ErrorCode(rawValue: 0x0F)
    /// The other side is no longer interested.
    public static let cancelled = ErrorCode(rawValue: 0x20)
    /// Reading from or writing to the local socket failed.
    public static let localIOError = ErrorCode(rawValue: 0x21)
    /// Nothing listens on the local address.
    public static let connectRefused = ErrorCode(rawValue: 0x22)
    /// The local address did not answer in time.
    public static let connectTimeout = ErrorCode(rawValue: 0x23)
    /// The local address can't be reached.
    public static let hostUnreachable = ErrorCode(rawValue: 0x24)
    /// The local name does not resolve.
    public static let dnsFailure = ErrorCode(rawValue: 0x25)
    /// The TLS handshake with the local server failed.
    public static let localTLSError = ErrorCode(rawValue: 0x26)
    /// The connector serves no target of that name.
    public static let targetUnknown = ErrorCode(rawValue: 0x27)
    /// Too much at once; try again shortly.
    public static let overloaded = ErrorCode(rawValue: 0x28)
    /// A policy of the connector forbids it.
    public static let policyDenied = ErrorCode(rawValue: 0x29)
    /// The acceptor does not know the stream's kind.
    public static let unsupportedKind = ErrorCode(rawValue: 0x2A)
    /// The acceptor does not understand what OPEN carries.
    public static let unsupportedMetadata = ErrorCode(rawValue: 0x2B)
    /// The acceptor is leaving; nothing was delivered.
    public static let draining = ErrorCode(rawValue: 0x2C)
    /// No answer to OPEN in time.
    public static let deadlineExceeded = ErrorCode(rawValue: 0x2D)
    /// The local peer reset its connection.
    public static let localReset = ErrorCode(rawValue: 0x2E)
    /// A consumer took nothing for too long.
    public static let flowStall = ErrorCode(rawValue: 0x2F)
    /// The stream was idle for too long.
    public static let streamIdle = ErrorCode(rawValue: 0x30)
    /// The session's grace period is over.
    public static let sessionClosing = ErrorCode(rawValue: 0x31)
    /// The session ended under the stream; never on the wire.
    public static let sessionLost = ErrorCode(rawValue: 0x32)

    /// The codes of this version with their names.
    public static let registry: [(code: ErrorCode, name: String)] = [
        (.noError, "NO_ERROR"), (.protocolError, "PROTOCOL_ERROR"), (.internalError, "INTERNAL_ERROR"),
        (.flowControlError, "FLOW_CONTROL_ERROR"), (.streamLimitError, "STREAM_LIMIT_ERROR"),
        (.streamStateError, "STREAM_STATE_ERROR"), (.frameSizeError, "FRAME_SIZE_ERROR"),
        (.unsupported, "UNSUPPORTED"), (.enhanceCalm, "ENHANCE_CALM"), (.keepaliveTimeout, "KEEPALIVE_TIMEOUT"),
        (.helloTimeout, "HELLO_TIMEOUT"), (.authExpired, "AUTH_EXPIRED"), (.shutdown, "SHUTDOWN"),
        (.replaced, "REPLACED"), (.idExhausted, "ID_EXHAUSTED"), (.memoryPressure, "MEMORY_PRESSURE"),
        (.cancelled, "CANCELLED"), (.localIOError, "LOCAL_IO_ERROR"), (.connectRefused, "CONNECT_REFUSED"),
        (.connectTimeout, "CONNECT_TIMEOUT"), (.hostUnreachable, "HOST_UNREACHABLE"), (.dnsFailure, "DNS_FAILURE"),
        (.localTLSError, "LOCAL_TLS_ERROR"), (.targetUnknown, "TARGET_UNKNOWN"), (.overloaded, "OVERLOADED"),
        (.policyDenied, "POLICY_DENIED"), (.unsupportedKind, "UNSUPPORTED_KIND"),
        (.unsupportedMetadata, "UNSUPPORTED_METADATA"), (.draining, "DRAINING"),
        (.deadlineExceeded, "DEADLINE_EXCEEDED"), (.localReset, "LOCAL_RESET"), (.flowStall, "FLOW_STALL"),
        (.streamIdle, "STREAM_IDLE"), (.sessionClosing, "SESSION_CLOSING"), (.sessionLost, "SESSION_LOST"),
    ]
}

extension ErrorCode: CustomStringConvertible {
    /// The registered name, or the number in hexadecimal.
    public var description: String {
        Self.registry.first { $0.code == self }?.name ?? "0x" + String(self.rawValue, radix: 16)
    }
}
