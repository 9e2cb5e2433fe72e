// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Protocol

/// Why a token was refused; it is logged, and never told to whoever sent the token.
package enum TokenRefusal: String, Error, Equatable, Sendable {
    case missing
    case oversized
    case malformed
    case algorithm
    case unknownKey
    case signature
    case expired
    case notYetValid
    case otherTunnel
    case revoked
    case nameTaken
}

/// Decides whether what a connector shows is a valid token of a tunnel; from any thread.
package protocol TunnelTokenVerifier: Sendable {
    /// Verifies a token.
    ///
    /// - Parameters:
    ///   - token: What the connector sent.
    ///   - tunnelID: The tunnel that it wants to serve.
    func verify(_ token: String?, for tunnelID: TunnelID) async -> Result<TunnelTokenClaims, TokenRefusal>

    /// Refuses what is not looked at, after the work that a token takes.
    func refuse(_ refusal: TokenRefusal) async -> TokenRefusal

    /// What stands for the key that signed a token which has been verified.
    func stamp(of token: String) -> SigningKeyStamp?
}
