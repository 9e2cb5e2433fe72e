// SPDX-License-Identifier: Apache-2.0

/// What an access token says: who shows it may visit a tunnel.
///
/// Times are seconds since 1970; `iat` has a fraction, as that of ``TunnelTokenClaims``.
package struct AccessClaims: Codable, Equatable, Sendable {
    /// Whom every access token is for.
    package static let audience = "culvert-access"

    /// The audience.
    package var aud: String
    /// The tunnel's id.
    package var sub: String
    /// The URL of the edge.
    package var edge: String
    /// When the token ends.
    package var exp: Double
    /// When the token was issued.
    package var iat: Double
    /// The id of the token, for the log.
    package var jti: String
    /// Who owns the tunnel.
    package var own: String

    /// Makes what a token is to say.
    package init(sub: String, edge: String, exp: Double, iat: Double, jti: String, own: String) {
        self.aud = Self.audience
        self.sub = sub
        self.edge = edge
        self.exp = exp
        self.iat = iat
        self.jti = jti
        self.own = own
    }
}

/// An access token whose signature was right.
package struct VerifiedAccess: Equatable, Sendable {
    /// What it says.
    package var claims: AccessClaims
    /// The key that signed it.
    package var signedBy: SigningKeyStamp

    /// Notes what a token says, and who signed it.
    package init(claims: AccessClaims, signedBy: SigningKeyStamp) {
        self.claims = claims
        self.signedBy = signedBy
    }
}
