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

    /// Whether this version knows the kind.
    public var isKnown: Bool { (0x01...0x05).contains(self.rawValue) }
}
