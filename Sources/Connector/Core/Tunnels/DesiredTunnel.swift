// SPDX-License-Identifier: Apache-2.0

import Protocol

/// One tunnel that is to be served, with all that its running depends on.
package struct DesiredTunnel: Equatable, Sendable {
    /// What makes it the same tunnel in a configuration that was edited.
    package enum Identity: Hashable, Sendable, CustomStringConvertible {
        case name(String)
        case tokenFile(String)
        /// A tunnel without a name is known by its target, and by its number among those of that target.
        case target(OriginTarget, number: Int)

        /// What a person calls it.
        package var description: String {
            switch self {
            case .name(let name): name
            case .tokenFile(let path): path
            case .target(let target, _): "\(target)"
            }
        }
    }

    /// What makes it the same tunnel after an edit.
    package var identity: Identity
    /// The local server.
    package var target: OriginTarget
    /// Which certificates an `https://` target may show.
    package var originTrust: OriginTrust
    /// The name that the edge is asked for.
    package var name: String?
    /// Serve the tunnel of this token instead of making one.
    package var token: TunnelToken?
    /// What the edge does with the requests of visitors, where the tunnel is made.
    package var policy: TunnelPolicy
    /// The edge that serves it.
    package var edge: EdgeAddress
    /// How many connections to keep to the edge.
    package var connections: Int
    /// Whether these are shared with the other tunnels of the program.
    package var sharesConnections: Bool

    /// Makes the description of a tunnel.
    package init(
        identity: Identity,
        target: OriginTarget,
        originTrust: OriginTrust = OriginTrust(),
        name: String? = nil,
        token: TunnelToken? = nil,
        policy: TunnelPolicy = TunnelPolicy(),
        edge: EdgeAddress,
        connections: Int,
        sharesConnections: Bool = true
    ) {
        self.identity = identity
        self.target = target
        self.originTrust = originTrust
        self.name = name
        self.token = token
        self.policy = policy
        self.edge = edge
        self.connections = connections
        self.sharesConnections = sharesConnections
    }
}

/// All tunnels that are to be served, and how each is made.
package struct DesiredTunnels: Sendable {
    /// The tunnels, each with another identity.
    package var tunnels: [DesiredTunnel]
    /// Gives the way to make or read a tunnel.
    ///
    /// The second argument is the id of the tunnel that an earlier run had, if there was one.
    package var prepare: @Sendable (DesiredTunnel, String?) -> TunnelServer.Preparation

    /// - Parameters:
    ///   - tunnels: The tunnels.
    ///   - prepare: Gives the way to make or read one.
    package init(
        tunnels: [DesiredTunnel],
        prepare: @escaping @Sendable (DesiredTunnel, String?) -> TunnelServer.Preparation
    ) {
        self.tunnels = tunnels
        self.prepare = prepare
    }
}
