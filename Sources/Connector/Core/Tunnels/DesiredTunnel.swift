// SPDX-License-Identifier: Apache-2.0
import ControlAPI

/// One tunnel that is to be served, with all its settings: two runs of a tunnel differ if these differ.
package struct DesiredTunnel: Equatable, Sendable {
    /// Identifies the tunnel before and after an edit of the configuration.
    package enum Identity: Hashable, Sendable, CustomStringConvertible {
        case name(String)
        case tokenFile(String)
        /// A tunnel without a name is identified by its target, and by its number among those of that target.
        case target(OriginTarget, number: Int)

        /// How messages name it.
        package var description: String {
            switch self {
            case .name(let name): name
            case .tokenFile(let path): path
            case .target(let target, _): "\(target)"
            }
        }
    }

    /// Identifies it before and after an edit.
    package var identity: Identity
    /// The local server.
    package var target: OriginTarget
    /// Which certificates of an `https://` target are accepted.
    package var originTrust: OriginTrust
    /// The name to ask the edge for.
    package var name: String?
    /// The port of the edge to ask for.
    package var port: UInt16?
    /// Whether visitors need an access token.
    package var isPrivate: Bool
    /// Whether others may serve it, too.
    package var pools = false
    /// The token of a tunnel that exists; without one, a tunnel is created.
    package var token: TunnelToken? { self.given?.token }
    private let given: GivenToken?
    /// The file that the token came from.
    package var tokenFile: TokenFile?
    /// The policy of a tunnel that is created.
    package var policy: TunnelPolicy
    /// The edge that serves it.
    package var edge: EdgeAddress
    /// How many connections to keep to the edge.
    package var connections: Int
    /// Whether these are shared with the other tunnels of the program.
    package var sharesConnections: Bool
    /// Whether its requests may be kept, where there is an inspector.
    package var isInspected = true
    /// Its inbox at the edge; `nil` leaves the one that it may have as it is.
    package var inbox: InboxSettings?

    /// A token that its successor does not differ from: whoever serves the tunnel takes that up by itself.
    private struct GivenToken: Equatable, Sendable {
        let token: TunnelToken

        static func == (one: Self, other: Self) -> Bool {
            one.token.tunnelID == other.token.tunnelID && one.token.edge == other.token.edge
        }
    }

    /// Makes the description of a tunnel.
    package init(
        identity: Identity,
        target: OriginTarget,
        originTrust: OriginTrust = OriginTrust(),
        name: String? = nil,
        port: UInt16? = nil,
        isPrivate: Bool = false,
        token: TunnelToken? = nil,
        tokenFile: TokenFile? = nil,
        policy: TunnelPolicy = TunnelPolicy(),
        edge: EdgeAddress,
        connections: Int,
        sharesConnections: Bool = true
    ) {
        self.identity = identity
        self.target = target
        self.originTrust = originTrust
        self.name = name
        self.port = port
        self.isPrivate = isPrivate
        self.given = token.map { GivenToken(token: $0) }
        self.tokenFile = tokenFile
        self.policy = policy
        self.edge = edge
        self.connections = connections
        self.sharesConnections = sharesConnections
    }
}

/// All tunnels that are to be served, and how each is prepared.
package struct DesiredTunnels: Sendable {
    /// The tunnels, each with an identity of its own.
    package var tunnels: [DesiredTunnel]
    /// Says how to create a tunnel, or read its token.
    ///
    /// The second argument is the tunnel id of an earlier run, if there was one.
    package var prepare: @Sendable (DesiredTunnel, String?) -> TunnelServer.Preparation

    /// - Parameters:
    ///   - tunnels: The tunnels.
    ///   - prepare: Says how to create one, or read its token.
    package init(
        tunnels: [DesiredTunnel],
        prepare: @escaping @Sendable (DesiredTunnel, String?) -> TunnelServer.Preparation
    ) {
        self.tunnels = tunnels
        self.prepare = prepare
    }
}
