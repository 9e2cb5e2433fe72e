// SPDX-License-Identifier: Apache-2.0
import ControlAPI
import Logging

/// Creates a tunnel through the control API, or takes up again the one of that name.
package struct TunnelCreation: Sendable {
    private let access: EdgeAccess
    private let name: String?
    private let port: UInt16?
    private let isPrivate: Bool
    private let place: ServingPlace?
    private let pools: Bool
    private let target: OriginTarget
    private let policy: TunnelPolicy
    private let originTrust: OriginTrust
    private let connections: Int
    private let sharesConnections: Bool
    private let inbox: InboxSettings?

    /// The members of the policy that keep visitors away.
    package var protection: [String] { RemovedProtection.members(of: self.policy) }

    /// - Parameters:
    ///   - access: The edge to create it at, and the API key.
    ///   - name: The name to ask for.
    ///   - port: The port of the edge to ask for; `nil` for any, and for tunnels of HTTP.
    ///   - isPrivate: Whether visitors need an access token.
    ///   - place: Where it is served from, by which the edge tells this connector from others.
    ///   - pools: Whether others may serve it, too.
    ///   - target: The local server, and what the tunnel carries.
    ///   - policy: The policy of the tunnel; ``HostPolicy/local`` becomes the target's own address.
    ///   - originTrust: Which certificates of an `https://` target are accepted.
    ///   - connections: How many connections to keep to the edge, 1 to 8.
    ///   - sharesConnections: Whether these are shared with other tunnels of the program.
    ///   - inbox: The inbox that the tunnel is to have at the edge; `nil` leaves the one that it may have as it is.
    package init(
        access: EdgeAccess,
        name: String?,
        port: UInt16? = nil,
        isPrivate: Bool = false,
        place: ServingPlace? = nil,
        pools: Bool = false,
        target: OriginTarget,
        policy: TunnelPolicy,
        originTrust: OriginTrust,
        connections: Int,
        sharesConnections: Bool = false,
        inbox: InboxSettings? = nil
    ) {
        self.access = access
        self.name = name
        self.port = port
        self.isPrivate = isPrivate
        self.place = place
        self.pools = pools
        self.target = target
        self.policy = policy
        self.originTrust = originTrust
        self.connections = connections
        self.sharesConnections = sharesConnections
        self.inbox = inbox
    }

    /// What is asked of the edge for a local server.
    ///
    /// - Parameters:
    ///   - name: The name to ask for.
    ///   - port: The port of the edge to ask for.
    ///   - isPrivate: Whether the tunnel has no public address.
    ///   - target: The local server, if it is known.
    ///   - policy: The policy; ``HostPolicy/local`` becomes the target's own address.
    package static func request(
        name: String?,
        port: UInt16? = nil,
        isPrivate: Bool = false,
        target: OriginTarget?,
        policy: TunnelPolicy
    ) -> CreateTunnelRequest {
        var policy = policy
        let isHTTP = target.map { $0.kind == .http } ?? true
        if isHTTP, let target, policy.host == .local { policy.host = .rewrite(target.hostField) }
        if isHTTP, policy.origin == .withHost, target?.usesTLS == true, case .rewrite(let host) = policy.host {
            policy.origin = .origin("https://\(host)")
        }
        return CreateTunnelRequest(
            name: name,
            localPort: target?.port.flatMap(UInt16.init),
            policy: policy,
            kind: isHTTP ? nil : target?.kind,
            port: port,
            isPublic: isPrivate ? false : nil
        )
    }

    /// Creates the tunnel.
    package func prepare(_ server: TunnelServer) async throws -> ServedTunnel {
        var request = Self.request(
            name: self.name,
            port: self.port,
            isPrivate: self.isPrivate,
            target: self.target,
            policy: self.policy
        )
        request.servedFrom = self.place?.description
        request.pool = self.pools ? true : nil
        var trust = self.originTrust
        if case .rewrite(let host) = request.policy?.host { trust = trust.naming(host) }
        let access = self.access
        guard self.inbox == nil || access.credentials.oneTimeCode == nil else {
            throw CommandFailure(
                .usage,
                "A one-time code is good for one call, and a tunnel with “inbox” takes two: use a key without a second "
                    + "factor, or leave “inbox” out and run “culvert inbox set”."
            )
        }
        let tunnel = try await server.callControl(access) { [request] client async throws(EdgeFailure) in
            try await client.create(request)
        }
        if let removed = RemovedProtection(tunnel) { server.warn(removed) }
        guard self.target.kind == .http || tunnel.kind == self.target.kind else {
            throw CommandFailure(.unavailable, "The edge knows tunnels of HTTP alone: it needs a later version.")
        }
        let token = try TunnelToken(fromEdge: tunnel.token)
        if let inbox {
            _ = try await server.callControl(access) { client async throws(EdgeFailure) in
                try await client.setInbox(of: token.tunnelID, inbox)
            }
        }
        return ServedTunnel(
            token: token,
            // The address that the call went to, and not the one that the edge gives itself: this one is reachable from
            // here.
            edge: access.edge,
            publicURL: tunnel.url,
            target: self.target,
            originTrust: trust,
            connections: self.connections,
            sharesConnections: self.sharesConnections,
            access: try access.withoutOneTimeCode()
        )
    }
}

extension TunnelToken {
    /// Reads a token that an edge has issued.
    init(fromEdge text: String) throws(CommandFailure) {
        do {
            try self.init(parsing: text)
        } catch {
            throw CommandFailure(.unavailable, "The edge gave a token that can't be used. \(error)")
        }
    }
}
