// SPDX-License-Identifier: Apache-2.0

/// Why a WebSocket is closed (RFC 6455 §7.4).
public struct WebSocketCloseCode: RawRepresentable, Hashable, Sendable {
    /// The number on the wire.
    public var rawValue: UInt16

    /// Takes a number.
    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// The purpose is fulfilled.
    public static let normal = WebSocketCloseCode(rawValue: 1_000)
    /// The endpoint goes away.
    public static let goingAway = WebSocketCloseCode(rawValue: 1_001)
    /// The peer broke the WebSocket protocol.
    public static let protocolError = WebSocketCloseCode(rawValue: 1_002)
    /// The kind of message is not accepted.
    public static let unacceptableData = WebSocketCloseCode(rawValue: 1_003)
    /// Text that is not UTF-8.
    public static let invalidPayload = WebSocketCloseCode(rawValue: 1_007)
    /// A message beyond what is accepted.
    public static let messageTooBig = WebSocketCloseCode(rawValue: 1_009)

    /// The code that stands for a session error: 4000 and its number (docs/protocol.md §B.9.4).
    init(session code: UInt32) {
        self.rawValue = UInt16(clamping: 4_000 + min(code, 999))
    }

    /// Whether the peer's program says it of the session or of what it was sent, rather than a proxy of its connection.
    var isOfSession: Bool {
        switch self.rawValue {
        case 1_002, 1_003, 1_007, 1_009, 4_000...4_999: true
        default: false
        }
    }

    /// Whether an endpoint may send it (RFC 6455 §7.4.1, §7.4.2 and the registry of later codes).
    var isSendable: Bool {
        switch self.rawValue {
        case 1_000...1_003, 1_007...1_014, 3_000...4_999: true
        default: false
        }
    }
}

/// A breach of RFC 6455: the connection is closed with its code.
public struct WebSocketViolation: Error, Hashable, Sendable {
    /// The code for the Close frame.
    public var closeCode: WebSocketCloseCode
    /// What was wrong, for logs.
    public var reason: String

    /// Makes a violation.
    public init(_ closeCode: WebSocketCloseCode, _ reason: String) {
        self.closeCode = closeCode
        self.reason = reason
    }
}
