// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import HTTPTypes
import Hummingbird
import Logging

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// `POST /api/tunnels/{id}/renew`: the token that follows one that is still valid, which stays so.
///
/// The successor says the policy that the edge knows last, and keeps the time of the owner's word, so that it outranks
/// nobody that the token before it did not outrank.
struct RenewalRoute: Sendable {
    let tunnels: TunnelRoutes
    let keys: APIKeyStore

    /// Adds the call to a group that ``RenewalMiddleware`` guards.
    func add(to group: RouterGroup<ControlContext>) {
        group.post("{id}/renew", use: self.renew)
    }

    @Sendable
    private func renew(_ request: Request, _ context: ControlContext) async throws -> Response {
        guard let token = context.tunnelToken else {
            // With an API key, and limited as its calls are.
            let tunnel = try await self.tunnels.tunnel(context)
            do {
                try await self.confirm(tunnel, issuedAt: nil)
            } catch is TunnelRegistryError {
                throw Problem.tunnelNotFound(tunnel.id)
            }
            return try await self.answer(for: tunnel)
        }
        guard let id = context.parameters.get("id").flatMap({ TunnelID($0) }) else {
            throw Problem.invalidParameter(field: "id", detail: "id has to be 3 to 63 of a-z, 0-9 and -.")
        }
        context.audit.note(tunnelID: id.description)
        let authority = TunnelAuthority(
            registry: self.tunnels.registry,
            tokens: self.tunnels.tokens,
            ports: self.tunnels.ports
        )
        let authorised: AuthorisedTunnel
        switch await authority.authorise(tunnelID: id.description, token: token) {
        case .success(let success): authorised = success
        case .failure(let refusal): throw self.refuse(refusal.rawValue, id, context)
        }
        context.audit.note(principal: authorised.claims.own)
        context.audit.note(tokenID: authorised.claims.jti)
        // A successor is issued after whatever this edge has not heard of, which would not end it any more.
        do {
            try await self.confirm(authorised.tunnel, issuedAt: authorised.claims.iat)
        } catch is TunnelRegistryError {
            throw self.refuse("\(TokenRefusal.revoked)", id, context)
        }
        // Whoever ended the tokens of a tunnel, or the keys of its owner, does not want it to go on for ever.
        guard self.tunnels.tokens.mayBeRenewed(authorised.claims) else { throw self.refuse("replaced", id, context) }
        guard self.keys.hasKey(ofOwner: authorised.claims.own) else { throw self.refuse("ownerHasNoKey", id, context) }
        // No name of a key has a space in it.
        let decision = await self.tunnels.limits.decide(.calls, by: "token of \(id)")
        guard decision.isAllowed else { throw Problem.rateLimited(decision, by: .calls) }
        var response = try await self.answer(for: authorised.tunnel, servedFrom: authorised.claims.from)
        response.headers[.rateLimitPolicy] = self.tunnels.limits.policyField(of: .calls)
        response.headers[.rateLimit] = APILimit.calls.field(decision)
        return response
    }

    private func confirm(_ tunnel: Tunnel, issuedAt: Double?) async throws {
        try await self.tunnels.asking { try await self.tunnels.registry.confirm(tunnel, issuedAt: issuedAt) }
    }

    private func answer(for tunnel: Tunnel, servedFrom: String? = nil) async throws -> Response {
        let (token, claims) = try await self.tunnels.issue(for: tunnel.specification, servedFrom: servedFrom)
        return try JSONBody.response(
            .created,
            TunnelRenewalResponse(
                tunnelID: tunnel.id.description,
                token: token,
                expiresAt: Date(timeIntervalSince1970: claims.exp)
            )
        )
    }

    /// Why is for the operator alone: whoever sends a token learns only that it opens nothing.
    private func refuse(_ why: String, _ id: TunnelID, _ context: ControlContext) -> Problem {
        context.logger.notice("token not renewed", metadata: ["tunnel": "\(id)", "why": "\(why)"])
        return .invalidToken
    }
}
