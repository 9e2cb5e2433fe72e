// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A connector that may serve a tunnel, and what its token says.
package struct AuthorisedTunnel: Sendable {
    /// What it may serve.
    package var tunnel: Tunnel
    /// Its token.
    package var token: VerifiedToken

    /// What the token says.
    package var claims: TunnelTokenClaims { self.token.claims }
}

/// Decides who may serve a tunnel: whoever shows a valid token of it; the tunnel is re-made from the token if need be.
package struct TunnelAuthority: Sendable {
    /// The tunnels.
    package let registry: any TunnelRegistry
    /// Verifies tokens.
    package let tokens: any TunnelTokenVerifier
    /// Has the ports of tunnels of TCP.
    private let ports: any PortKeeper

    /// Makes the authority over the tunnels of a registry.
    package init(
        registry: any TunnelRegistry,
        tokens: any TunnelTokenVerifier,
        ports: any PortKeeper = NoPorts()
    ) {
        self.registry = registry
        self.tokens = tokens
        self.ports = ports
    }

    /// Decides on one token.
    ///
    /// - Parameters:
    ///   - text: What is said to be the id of the tunnel.
    ///   - token: What is said to be a token of it; `nil` if there was none.
    package func authorise(tunnelID text: String, token: String?) async -> Result<AuthorisedTunnel, TokenRefusal> {
        guard let tunnelID = TunnelID(text) else {
            return .failure(await self.tokens.refuse(.otherTunnel))
        }
        let verified: VerifiedToken
        switch await self.tokens.verify(token, for: tunnelID) {
        case .failure(let refusal): return .failure(refusal)
        case .success(let success): verified = success
        }
        let claims = verified.claims
        let specification = TunnelSpecification(
            id: tunnelID,
            name: claims.name,
            owner: claims.own,
            policy: claims.policy ?? TunnelPolicy(),
            form: claims.form ?? .http,
            createdAt: Date(timeIntervalSince1970: claims.iat),
            version: claims.version
        )
        do {
            let tunnel = try await self.registry.restore(specification, issuedAt: claims.iat) { [tokens] in
                (try? tokens.life(of: verified).get()) != nil
            }
            if tunnel.form.hasPort {
                let port = try await self.ports.open(tunnel.form.port, for: tunnel, isReturning: true)
                tunnel.listens(on: port)
            }
            return .success(AuthorisedTunnel(tunnel: tunnel, token: verified))
        } catch TunnelRegistryError.ended {
            return .failure(.revoked)
        } catch is PortRefusal {
            return .failure(.portTaken)
        } catch {
            return .failure(.nameTaken)
        }
    }
}
