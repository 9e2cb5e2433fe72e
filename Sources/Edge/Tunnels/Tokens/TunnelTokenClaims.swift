// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Protocol

/// What a tunnel token says.
///
/// It holds all that the edge needs to re-make the tunnel after a restart. Times are seconds since 1970; `iat` has a
/// fraction, so that a token issued right after a revocation is told from those before it.
package struct TunnelTokenClaims: Codable, Equatable, Sendable {
    /// The tunnel's id.
    package var sub: String
    /// The URL of the edge that the connector dials.
    package var edge: String
    /// The tunnel's public URL.
    package var url: String?
    /// When the token ends.
    package var exp: Double
    /// When the token was issued.
    package var iat: Double
    /// When the token begins to be valid; `nil` at once.
    package var nbf: Double?
    /// The id of the token, for the log.
    package var jti: String
    /// Who owns the tunnel: the owner of the API key that it was made with.
    package var own: String
    /// The name that was asked for, if any.
    package var name: String?
    /// The tunnel's policy.
    package var policy: TunnelPolicy?
    /// What the tunnel carries, and where visitors find it; `nil` for HTTP, and in tokens of earlier versions.
    package var form: TunnelForm?
    /// Whom the token is for; `nil` for connectors.
    ///
    /// What is for somebody else serves no tunnel.
    package var aud: String?
    /// When the owner took the name, or last changed the policy; `nil` in tokens of the first version.
    ///
    /// A renewed token keeps it, so that of all tokens of a name the one with the latest says who owns the name and
    /// what its policy is, in whatever order they come.
    package var ver: Double?
    /// The machine and the local server that the tunnel is served from with the token; `nil` where that is not said.
    ///
    /// A renewed token keeps it.
    package var from: String?

    /// Makes what a token is to say.
    package init(
        sub: String,
        edge: String,
        url: String? = nil,
        exp: Double,
        iat: Double,
        nbf: Double? = nil,
        jti: String,
        own: String,
        name: String? = nil,
        policy: TunnelPolicy? = nil,
        form: TunnelForm? = nil,
        ver: Double? = nil,
        from: String? = nil
    ) {
        self.sub = sub
        self.edge = edge
        self.url = url
        self.exp = exp
        self.iat = iat
        self.nbf = nbf
        self.jti = jti
        self.own = own
        self.name = name
        self.policy = policy
        self.form = form
        self.ver = ver
        self.from = from
    }

    /// When the owner's word that the token carries was given, in seconds since 1970.
    package var version: Double { self.ver ?? self.iat }
}
