// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import JWTKit
import Protocol

/// What a tunnel token says.
///
/// It holds all that the edge needs to re-make the tunnel after a restart. Times are seconds since 1970; `iat` has a
/// fraction, so that a token issued right after a revocation is told from those before it.
struct TunnelTokenClaims: Codable, Equatable, Sendable {
    /// The tunnel's id.
    var sub: String
    /// The URL of the edge that the connector dials.
    var edge: String
    /// When the token ends.
    var exp: Double
    /// When the token was issued.
    var iat: Double
    /// When the token begins to be valid; `nil` at once.
    var nbf: Double?
    /// The id of the token, for the log.
    var jti: String
    /// The name of the API key that owns the tunnel.
    var own: String
    /// The name that was asked for, if any.
    var name: String?
    /// The tunnel's policy.
    var policy: TunnelPolicy?
}
