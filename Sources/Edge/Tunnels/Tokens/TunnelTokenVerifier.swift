// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Protocol

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

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
    /// The tunnel's port can't be had, or this edge has none any more.
    case portTaken
    case otherAudience
}

/// A token whose signature was right.
package struct VerifiedToken: Equatable, Sendable {
    /// What it says.
    package var claims: TunnelTokenClaims
    /// The key that signed it.
    package var signedBy: SigningKeyStamp

    /// Notes what a token says, and who signed it.
    package init(claims: TunnelTokenClaims, signedBy: SigningKeyStamp) {
        self.claims = claims
        self.signedBy = signedBy
    }
}

/// Decides whether what a connector shows is a valid token of a tunnel; from any thread.
package protocol TunnelTokenVerifier: Sendable {
    /// Verifies a token.
    ///
    /// - Parameters:
    ///   - token: What the connector sent.
    ///   - tunnelID: The tunnel that it wants to serve.
    func verify(_ token: String?, for tunnelID: TunnelID) async -> Result<VerifiedToken, TokenRefusal>

    /// Refuses what is not looked at, after the work that a token takes.
    func refuse(_ refusal: TokenRefusal) async -> TokenRefusal

    /// Until when a token that has been verified lets a session go on, as things are now.
    ///
    /// Asked again when the session joins: its token, or the key that signed it, may have ended meanwhile.
    ///
    /// - Returns: The time, which lies ahead, or why it is over.
    func life(of token: VerifiedToken) -> Result<Date, TokenRefusal>
}
