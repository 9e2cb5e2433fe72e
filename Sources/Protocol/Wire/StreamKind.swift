// SPDX-License-Identifier: Apache-2.0

/// What the bytes of a stream are (docs/protocol.md §B.4.2).
public struct StreamKind: RawRepresentable, Hashable, Sendable {
    /// The number on the wire.
    public var rawValue: UInt8

    /// Takes any number; an acceptor refuses those it does not know.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// The bytes of one HTTP/1.1 connection to the origin.
    public static let http = StreamKind(rawValue: 0x01)
    /// The bytes of any TCP connection.
    public static let tcp = StreamKind(rawValue: 0x02)
    /// Raw TLS, routed by its server name.
    public static let tls = StreamKind(rawValue: 0x03)
    /// No bytes: as long as the stream lives, the session that it belongs to serves the tunnel that it names.
    ///
    /// Connectors alone open it, where both sides have ``Capabilities/sharing`` (docs/protocol.md §B.16).
    public static let tunnel = StreamKind(rawValue: 0x04)

    /// What the edge tells of a tunnel: one JSON object (docs/protocol.md §B.17).
    public static let notice = StreamKind(rawValue: 0x05)

    /// No bytes: it shows a newer token of a tunnel that the session serves, which goes on by that one.
    ///
    /// Connectors alone open it, where both sides have ``Capabilities/renewal`` (docs/protocol.md §B.18).
    public static let token = StreamKind(rawValue: 0x06)

    /// Kept for what one edge may ask another one (docs/protocol.md §B.20): no edge opens it yet, and all refuse it.
    public static let question = StreamKind(rawValue: 0x07)

    /// Whether this version knows the kind.
    public var isKnown: Bool { (0x01...0x07).contains(self.rawValue) }

    /// Whether no bytes ever follow OPEN: such a stream needs no window, and holds up no drain.
    public var isSilent: Bool { self == .tunnel || self == .token }

    /// What both sides have to be capable of for a stream of the kind to be opened.
    public var requirement: Capabilities {
        switch self {
        case .tunnel: .sharing
        case .token: .renewal
        case .question: .peer
        default: []
        }
    }
}
