// SPDX-License-Identifier: Apache-2.0

/// What a tunnel carries.
package enum TunnelKind: String, Codable, CaseIterable, Sendable {
    /// HTTP/1.1, below a URL of the edge.
    case http
    /// The bytes of any TCP connection, from a port of the edge.
    case tcp
}

/// What a tunnel carries, and where visitors find it.
package struct TunnelForm: Codable, Hashable, Sendable {
    /// What it carries.
    package var kind: TunnelKind
    /// The port of the edge that is the tunnel's; `nil` for a kind that has none.
    package var port: UInt16?

    /// Describes a tunnel.
    package init(kind: TunnelKind = .http, port: UInt16? = nil) {
        self.kind = kind
        self.port = port
    }

    /// A tunnel of HTTP.
    package static let http = TunnelForm()
}
