// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import Hummingbird
import JSONText

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The calls about access tokens: who has one may visit a tunnel, be it public or not.
struct AccessRoutes: Sendable {
    let tunnels: TunnelRoutes

    /// Adds the calls to a group, which has to authenticate the caller.
    func add(to group: RouterGroup<ControlContext>) {
        group.post("{id}/access", use: self.issue)
        group.delete("{id}/access", use: self.revoke)
    }

    @Sendable
    private func issue(_ request: Request, _ context: ControlContext) async throws -> Response {
        let tunnel = try await self.tunnels.tunnel(context)
        let call = try await JSONBody.decode(TunnelAccessRequest.self, members: .accessTunnel, from: request)
        let lifetime = call.lifetimeSeconds ?? TunnelAccessRequest.defaultLifetime
        let (token, claims) = try await self.tunnels.tokens.issueAccess(
            to: tunnel.specification,
            edge: self.tunnels.liveSettings.current.apiURL,
            lifetime: TimeInterval(lifetime)
        )
        context.audit.note(tokenID: claims.jti)
        return try JSONBody.response(
            .created,
            TunnelAccessResponse(
                tunnelID: tunnel.id.description,
                token: token,
                expiresAt: Date(timeIntervalSince1970: claims.exp)
            )
        )
    }

    @Sendable
    private func revoke(_ request: Request, _ context: ControlContext) async throws -> Response {
        let tunnel = try await self.tunnels.tunnel(context)
        // What is refused is refused whole: nobody is told that tokens have ended which open the tunnel elsewhere.
        let issuedUntil = self.tunnels.tokens.cutoff(of: tunnel).issuedUntil
        try await self.tunnels.asking {
            try await self.tunnels.registry.endAccess(issuedUntil: issuedUntil, to: tunnel)
        }
        self.tunnels.tokens.endAccess(to: tunnel.id, issuedUntil: issuedUntil)
        return Response(status: .noContent)
    }
}
