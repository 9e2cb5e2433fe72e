// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import JWTKit

extension AccessClaims: JWTPayload {
    /// Times and the audience are checked by ``TunnelTokens``, whose clock tests can set.
    package func verify(using algorithm: some JWTAlgorithm) async throws {}
}
