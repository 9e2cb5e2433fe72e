// SPDX-License-Identifier: Apache-2.0

import Foundation

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
    /// Whether its requests may be kept, where there is an inspector.
    package var isInspected = true
    /// The API key that the tunnel was made with, which gets a new token where the old one is refused; `nil` without.
    package var access: EdgeAccess?
    /// The file that the token came from, where its successors are kept; `nil` if it came from none.
    package var tokenFile: TokenFile?

    /// Makes the description of a tunnel.
    package init(
        token: TunnelToken,
        edge: EdgeAddress,
        publicURL: String,
        target: OriginTarget,
        originTrust: OriginTrust,
        connections: Int,
        sharesConnections: Bool = false,
        access: EdgeAccess? = nil,
        tokenFile: TokenFile? = nil
    ) {
        self.token = token
        self.edge = edge
        self.publicURL = publicURL
        self.target = target
        self.originTrust = originTrust
        self.connections = connections
        self.sharesConnections = sharesConnections
        self.access = access
        self.tokenFile = tokenFile
    }

    /// What a person is told who asked for another host than the edge gives; `nil` if it is the same.
    ///
    /// - Parameters:
    ///   - host: The host that was asked for.
    ///   - url: Where visitors reach the tunnel.
    package static func sentence(askedFor host: String, givenURL url: String) -> String? {
        guard URLComponents(string: url)?.host?.lowercased() != host.lowercased() else { return nil }
        return "The tunnel is at \(PeerText.printable(url)), and not at \(PeerText.printable(host)): an edge "
            + "gives hosts of its own domain alone."
    }
}
