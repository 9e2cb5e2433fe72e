// SPDX-License-Identifier: Apache-2.0

/// A tunnel that exists at an edge, with everything that is needed to serve it.
package struct ServedTunnel: Sendable {
    /// Its token.
    package var token: TunnelToken
    /// The edge to dial.
    package var edge: EdgeAddress
    /// Where visitors reach it.
    package var publicURL: String
    /// The local server.
    package var target: OriginTarget
    /// Which certificates of an `https://` target are accepted.
    package var originTrust: OriginTrust
    /// How many connections to keep to the edge, 1 to 8.
    package var connections: Int
    /// Whether these are shared with other tunnels of the program.
    package var sharesConnections: Bool
    /// Asks the edge for a new token after it has refused the current one; `nil` without an API key.
    package var renew: (@Sendable () async throws -> TunnelToken)?

    /// Makes the description of a tunnel.
    package init(
        token: TunnelToken,
        edge: EdgeAddress,
        publicURL: String,
        target: OriginTarget,
        originTrust: OriginTrust,
        connections: Int,
        sharesConnections: Bool = false,
        renew: (@Sendable () async throws -> TunnelToken)? = nil
    ) {
        self.token = token
        self.edge = edge
        self.publicURL = publicURL
        self.target = target
        self.originTrust = originTrust
        self.connections = connections
        self.sharesConnections = sharesConnections
        self.renew = renew
    }
}
