// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import JWTKit

extension TunnelTokenClaims: JWTPayload {
    /// Says nothing: it is as long as usual claims.
    static let decoy = TunnelTokenClaims(
        sub: "aaaaaaaaaaaaaaaa",
        edge: "https://tunnels.example.com",
        exp: 0,
        iat: 0,
        jti: String(repeating: "0", count: 32),
        own: "nobody"
    )

    /// Times are checked by ``TunnelTokens``, whose clock tests can set.
    package func verify(using algorithm: some JWTAlgorithm) async throws {}
}
