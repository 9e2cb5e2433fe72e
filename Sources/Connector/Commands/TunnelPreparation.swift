// SPDX-License-Identifier: Apache-2.0

import Protocol

/// Makes a tunnel through the control API, or takes it up again by its name.
struct TunnelPreparation: Sendable {
    var access: EdgeAccess
    var name: String?
    var target: OriginTarget
    /// What the edge does with the requests of visitors; ``HostPolicy/local`` becomes the target's own address.
    var policy: TunnelPolicy
    var originTrust: OriginTrust
    var connections: Int
    /// Whether these are shared with other tunnels of the program.
    var sharesConnections = false

    /// Makes the tunnel.
    func prepare(_ session: ServingSession) async throws -> ServingSession.Tunnel {
        var policy = self.policy
        if policy.host == .local { policy.host = .rewrite(self.target.hostField) }
        let request = CreateTunnelRequest(
            name: self.name,
            localPort: self.target.port.flatMap(UInt16.init),
            policy: policy
        )
        let access = self.access
        let tunnel = try await session.callControl(access) { client async throws(EdgeFailure) in
            try await client.create(request)
        }
        return ServingSession.Tunnel(
            token: try Self.token(tunnel.token),
            // The edge that made the tunnel is the one to dial, whatever name it gives itself: this one is known to
            // be reachable from here.
            edge: access.edge,
            publicURL: tunnel.url,
            target: self.target,
            originTrust: self.originTrust,
            connections: self.connections,
            sharesConnections: self.sharesConnections
        ) {
            // A tunnel that was deleted meanwhile stays deleted: only its token is asked for.
            let answer = try await session.callControl(try access.withoutOneTimeCode()) {
                client async throws(EdgeFailure) in try await client.renewToken(of: tunnel.tunnelID)
            }
            return try Self.token(answer.token)
        }
    }

    private static func token(_ text: String) throws(CommandFailure) -> TunnelToken {
        do {
            return try TunnelToken(parsing: text)
        } catch {
            throw CommandFailure(.unavailable, "The edge gave a token that can't be used. \(error)")
        }
    }
}
