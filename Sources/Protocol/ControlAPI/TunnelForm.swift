// SPDX-License-Identifier: Apache-2.0

/// What a tunnel carries.
package enum TunnelKind: String, Codable, CaseIterable, Sendable {
    /// HTTP/1.1, below a URL of the edge.
    case http
    /// The bytes of any TCP connection, from a port of the edge.
    case tcp
    /// The bytes of TLS connections, which visitors lead to the tunnel by the server name that they ask for.
    case tls
}

/// What a tunnel carries, and where visitors find it.
package struct TunnelForm: Codable, Hashable, Sendable {
    /// What it carries.
    package var kind: TunnelKind
    /// The port of the edge that is the tunnel's; `nil` for a kind that has none.
    package var port: UInt16?
    /// Whether nobody reaches it from outside but with an access token.
    package var isPrivate: Bool

    /// Whether visitors reach it through a port of the edge.
    package var hasPort: Bool { self.kind == .tcp && !self.isPrivate }

    /// Describes a tunnel.
    package init(kind: TunnelKind = .http, port: UInt16? = nil, isPrivate: Bool = false) {
        self.kind = kind
        self.port = port
        self.isPrivate = isPrivate
    }

    private enum CodingKeys: String, CodingKey {
        case kind
        case port
        case isPrivate = "private"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.kind = try container.decode(TunnelKind.self, forKey: .kind)
        self.port = try container.decodeIfPresent(UInt16.self, forKey: .port)
        self.isPrivate = try container.decodeIfPresent(Bool.self, forKey: .isPrivate) ?? false
    }

    /// A tunnel of HTTP.
    package static let http = TunnelForm()
}
