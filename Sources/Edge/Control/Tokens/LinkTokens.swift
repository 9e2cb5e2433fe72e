// SPDX-License-Identifier: Apache-2.0

import Crypto
import EdgeTunnels
import JWTKit
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Issues and verifies what edges show each other when they open a link (docs/protocol.md §B.20): JWTs of half a minute, for
/// one edge, from one edge.
///
/// Each key is derived from a signing key of tunnel tokens (RFC 5869), which edges of one cluster have in common: no token
/// of a tunnel can be one of a link, and none of a link one of a tunnel.
package final class LinkTokens: Sendable {
    private static let purpose = "culvert peer v1"
    /// For how long a token opens a link, in seconds.
    static let lifetime: Double = 30

    private let tokens: TunnelTokens
    private let now: @Sendable () -> Date

    /// Makes the issuer.
    ///
    /// - Parameters:
    ///   - keys: The signing keys, the one that signs first.
    ///   - now: The clock.
    /// - Throws: ``CredentialError``.
    package init(keys: [SigningKey], now: @escaping @Sendable () -> Date = { Date() }) async throws {
        self.tokens = try await TunnelTokens(keys: keys.map(Self.derived), now: now)
        self.now = now
    }

    /// Takes other keys instead.
    package func replaceKeys(with keys: [SigningKey]) async throws {
        try await self.tokens.replaceKeys(with: keys.map(Self.derived))
    }

    /// Signs a token.
    ///
    /// - Parameters:
    ///   - own: This edge.
    ///   - other: The edge that is to be shown it.
    package func issue(from own: PodID, to other: PodID) async throws -> String {
        let issuedAt = self.now().timeIntervalSince1970
        return try await self.tokens.sign(
            LinkClaims(
                iss: own.description,
                aud: other.description,
                iat: issuedAt,
                exp: issuedAt + Self.lifetime
            )
        )
    }

    /// Whether a key is still among those that verify.
    package func accepts(_ stamp: SigningKeyStamp) -> Bool { self.tokens.accepts(stamp) }

    /// Which edge shows a token, and the key that signed it; or why it opens nothing, for the log alone.
    ///
    /// - Parameters:
    ///   - token: What was sent.
    ///   - own: This edge.
    package func verify(
        _ token: String?,
        shownTo own: PodID
    ) async -> Result<(pod: PodID, signedBy: SigningKeyStamp), TokenRefusal> {
        await self.tokens.read(token, as: LinkClaims.self).flatMap { claims, signedBy in
            let now = self.now().timeIntervalSince1970
            guard claims.aud == own.description else { return .failure(.otherAudience) }
            guard claims.exp > now - TunnelTokens.leeway, claims.exp <= claims.iat + Self.lifetime else {
                return .failure(.expired)
            }
            guard claims.iat <= now + TunnelTokens.leeway else { return .failure(.notYetValid) }
            return .success((PodID(claims.iss), signedBy))
        }
    }

    private static func derived(from key: SigningKey) -> SigningKey {
        guard let bytes = key.bytes, !bytes.isEmpty else { return key }
        let derived = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: bytes),
            info: Array(Self.purpose.utf8),
            outputByteCount: 32
        )
        return SigningKey(kid: key.kid, secret: derived.withUnsafeBytes { Data($0) }.base64EncodedString())
    }
}

/// What the token of a link says.
struct LinkClaims: JWTPayload, Equatable {
    /// The edge that dials.
    var iss: String
    /// The edge that is dialled.
    var aud: String
    /// When it was issued, in seconds since 1970.
    var iat: Double
    /// When it ends.
    var exp: Double

    /// Times and the audience are checked by ``LinkTokens``, whose clock tests can set.
    func verify(using algorithm: some JWTAlgorithm) async throws {}
}
