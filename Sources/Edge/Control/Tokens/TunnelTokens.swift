// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import JWTKit
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Issues and verifies tunnel tokens: JWTs with HS256 (RFC 7519, RFC 7515).
///
/// The first key signs. The others only verify, so that a key is rotated by putting a new one in front and taking the
/// old one away when the tokens that it signed have ended.
package final class TunnelTokens: TunnelTokenVerifier {
    /// The longest token that is looked at, in bytes.
    static let maximumLength = 8 * 1024
    /// How far the clocks of two edges may be apart, in seconds.
    static let leeway: Double = 30
    /// How far a cut-off reaches beyond the clock, in seconds: another edge's clock may be ahead by so much, and what that
    /// one has issued ends, too.
    ///
    /// What is issued after a cut-off says that it is later (``moment(after:)``), and the leeway lets it in.
    static let reach: Double = 10

    private struct Ring {
        var signingKeyID: String
        var keys: [String: JWTKeyCollection]
        var stamps: [String: SigningKeyStamp]
        /// Verifies tokens whose `kid` is unknown, in vain, so that they take as long as others.
        var decoy: JWTKeyCollection
        /// A token that the decoy has signed, to be verified instead of what is no token at all.
        var decoyToken: String
    }

    private let ring: Mutex<Ring>
    private let cutoffs = Mutex(TokenCutoffs())
    /// Those of access tokens.
    private let accessCutoffs = Mutex(TokenCutoffs())
    private let accessEnded = Mutex<(@Sendable (TunnelID, _ issuedUntil: Double) -> Void)?>(nil)
    private let reach: Double
    private let now: @Sendable () -> Date

    /// Makes the issuer.
    ///
    /// - Parameters:
    ///   - keys: The keys, the signing one first.
    ///   - isAlone: Whether no other edge issues tokens with these keys, whose clock could be ahead.
    ///   - now: The clock.
    /// - Throws: ``CredentialError``.
    package init(
        keys: [SigningKey],
        isAlone: Bool = false,
        now: @escaping @Sendable () -> Date = { Date() }
    ) async throws {
        self.ring = Mutex(try await Self.ring(of: keys))
        self.reach = isAlone ? 0 : Self.reach
        self.now = now
    }

    /// Takes other keys instead.
    package func replaceKeys(with keys: [SigningKey]) async throws {
        let ring = try await Self.ring(of: keys)
        self.ring.withLock { $0 = ring }
    }

    /// Signs a token.
    ///
    /// - Parameters:
    ///   - specification: The tunnel.
    ///   - edge: The URL that the connector dials.
    ///   - servedFrom: The place that the tunnel is served from with the token.
    ///   - lifetime: For how long the token is valid, in seconds.
    func issue(
        for specification: TunnelSpecification,
        edge: String,
        url: String? = nil,
        servedFrom: String? = nil,
        lifetime: TimeInterval
    ) async throws -> (token: String, claims: TunnelTokenClaims) {
        let issuedAt = self.moment(after: self.knownEnds(of: specification.id).issuedUntil)
        let claims = TunnelTokenClaims(
            sub: specification.id.description,
            edge: edge,
            url: url,
            exp: (issuedAt + lifetime).rounded(.up),
            iat: issuedAt,
            jti: RequestID().description,
            own: specification.owner,
            name: specification.name,
            policy: specification.policy,
            form: specification.form == .http ? nil : specification.form,
            ver: specification.version,
            from: servedFrom
        )
        return (try await self.sign(claims), claims)
    }

    /// Now, or a moment after what has ended.
    private func moment(after issuedUntil: Double?) -> Double {
        max(self.now().timeIntervalSince1970, issuedUntil?.nextUp ?? 0)
    }

    /// Signs claims with the first key.
    func sign(_ claims: some JWTPayload) async throws -> String {
        let (keyID, keys) = self.ring.withLock { ($0.signingKeyID, $0.keys[$0.signingKeyID] ?? $0.decoy) }
        var header = JWTHeader()
        header.kid = keyID
        return try await keys.sign(claims, header: header)
    }

    /// Verifies a token.
    ///
    /// - Parameters:
    ///   - token: What the connector sent.
    ///   - tunnelID: The tunnel that it wants to serve.
    package func verify(_ token: String?, for tunnelID: TunnelID) async -> Result<VerifiedToken, TokenRefusal> {
        switch await self.read(token, as: TunnelTokenClaims.self) {
        case .failure(let refusal): return .failure(refusal)
        case .success(let (claims, signedBy)):
            if let refusal = self.check(claims, for: tunnelID) { return .failure(refusal) }
            return .success(VerifiedToken(claims: claims, signedBy: signedBy))
        }
    }

    /// Reads a token whose signature is right.
    func read<Claims: JWTPayload>(
        _ token: String?,
        as type: Claims.Type
    ) async -> Result<(claims: Claims, signedBy: SigningKeyStamp), TokenRefusal> {
        guard let token, !token.isEmpty else { return .failure(await self.refuse(.missing)) }
        guard token.utf8.count <= Self.maximumLength else { return .failure(await self.refuse(.oversized)) }
        guard let header = Self.header(of: token) else { return .failure(await self.refuse(.malformed)) }
        let (known, decoy) = self.ring.withLock { ring in
            let known = header.kid.flatMap { kid in
                ring.stamps[kid].flatMap { stamp in ring.keys[kid].map { (stamp, $0) } }
            }
            return (known, ring.decoy)
        }
        let keys = known?.1 ?? decoy
        // The signature is computed whatever the header says, so that the refusals take the same time.
        let claims = try? await keys.verify(token, as: Claims.self)
        guard header.alg == "HS256", header.crit == nil else { return .failure(.algorithm) }
        guard let (signedBy, _) = known else { return .failure(.unknownKey) }
        guard let claims else { return .failure(.signature) }
        return .success((claims, signedBy))
    }

    /// Ends every token of a tunnel that has been issued so far.
    ///
    /// - Parameters:
    ///   - tunnelID: The tunnel.
    ///   - date: When they end; now, or after an overlap.
    /// - Returns: The issue time before which tokens are affected.
    @discardableResult
    func endTokens(of tunnelID: TunnelID, at date: Date? = nil) -> Double {
        let cutoff = self.cutoff(endingAt: date)
        self.end(cutoff, of: tunnelID)
        return cutoff.issuedUntil
    }

    /// What ends every token that has been issued so far; now, or after an overlap.
    func cutoff(endingAt date: Date? = nil) -> TokenCutoffs.Cutoff {
        let issuedUntil = self.now().timeIntervalSince1970 + self.reach
        return TokenCutoffs.Cutoff(issuedUntil: issuedUntil, endAt: date?.timeIntervalSince1970 ?? 0)
    }

    /// What ends every token of a tunnel that has been issued so far, be it by an edge whose clock is further ahead.
    func cutoff(of tunnel: Tunnel, endingAt date: Date? = nil) -> TokenCutoffs.Cutoff {
        var cutoff = self.cutoff(endingAt: date)
        let ends = self.knownEnds(of: tunnel.id)
        let known = [tunnel.version, ends.issuedUntil ?? 0, ends.access ?? 0] + tunnel.sessions.map(\.tokenIssuedAt)
        cutoff.issuedUntil = max(cutoff.issuedUntil, known.max() ?? 0)
        return cutoff
    }

    /// Ends tokens of a tunnel.
    func end(_ cutoff: TokenCutoffs.Cutoff, of tunnelID: TunnelID) {
        let now = self.now().timeIntervalSince1970
        self.cutoffs.withLock {
            $0.add(issuedUntil: cutoff.issuedUntil, endAt: cutoff.endAt, for: tunnelID, now: now)
        }
    }

    /// Takes up what others know of the ends of a tunnel's tokens.
    package func learn(_ ends: TokenEnds, of tunnelID: TunnelID) {
        let now = self.now().timeIntervalSince1970
        self.cutoffs.withLock { $0.merge(ends.cutoffs, for: tunnelID, now: now) }
        if let access = ends.access { self.endAccess(to: tunnelID, issuedUntil: access) }
    }

    /// What is known of the ends of a tunnel's tokens.
    package func knownEnds(of tunnelID: TunnelID) -> TokenEnds {
        TokenEnds(
            self.cutoffs.withLock { $0[tunnelID] },
            access: self.accessCutoffs.withLock { $0[tunnelID].map(\.issuedUntil).max() }
        )
    }

    /// The tunnels of which some ends are known.
    package var endedTunnels: [TunnelID] {
        Array(Set(self.cutoffs.withLock { $0.tunnels }).union(self.accessCutoffs.withLock { $0.tunnels }))
    }

    // MARK: Access tokens

    /// Signs an access token of a tunnel.
    func issueAccess(
        to specification: TunnelSpecification,
        edge: String,
        lifetime: TimeInterval
    ) async throws -> (token: String, claims: AccessClaims) {
        let issuedAt = self.moment(after: self.knownEnds(of: specification.id).access)
        let claims = AccessClaims(
            sub: specification.id.description,
            edge: edge,
            exp: (issuedAt + lifetime).rounded(.up),
            iat: issuedAt,
            jti: RequestID().description,
            own: specification.owner
        )
        return (try await self.sign(claims), claims)
    }

    /// Verifies an access token.
    ///
    /// - Parameters:
    ///   - token: What the visitor sent.
    ///   - tunnelID: The tunnel that is to be visited.
    func verifyAccess(_ token: String?, to tunnelID: TunnelID) async -> Result<VerifiedAccess, TokenRefusal> {
        switch await self.read(token, as: AccessClaims.self) {
        case .failure(let refusal): return .failure(refusal)
        case .success(let (claims, signedBy)):
            if let refusal = self.checkAccess(claims, to: tunnelID) { return .failure(refusal) }
            return .success(VerifiedAccess(claims: claims, signedBy: signedBy))
        }
    }

    /// Why claims don't give access now; `nil` if they do.
    func checkAccess(_ claims: AccessClaims, to tunnelID: TunnelID) -> TokenRefusal? {
        let now = self.now().timeIntervalSince1970
        guard claims.aud == AccessClaims.audience else { return .otherAudience }
        guard claims.exp > now else { return .expired }
        guard claims.iat <= now + Self.leeway else { return .notYetValid }
        guard claims.sub == tunnelID.description else { return .otherTunnel }
        let isEnded = self.accessCutoffs.withLock { $0.isEnded(issuedAt: claims.iat, of: tunnelID, now: now) }
        return isEnded ? .revoked : nil
    }

    /// Ends every access token of a tunnel that was issued up to a moment, and the sessions that stand on them.
    ///
    /// - Parameters:
    ///   - tunnelID: The tunnel.
    ///   - issuedUntil: The last issue time that is affected, in seconds since 1970.
    func endAccess(to tunnelID: TunnelID, issuedUntil: Double) {
        let now = self.now().timeIntervalSince1970
        let isNews = self.accessCutoffs.withLock { cutoffs in
            guard !cutoffs[tunnelID].contains(where: { $0.issuedUntil >= issuedUntil }) else { return false }
            cutoffs.add(issuedUntil: issuedUntil, endAt: now, for: tunnelID, now: now)
            return true
        }
        // First the tokens, so that no session can begin between the two.
        if isNews { self.accessEnded.withLock { $0 }?(tunnelID, issuedUntil) }
    }

    /// Has somebody end the sessions that stand on access tokens which have ended.
    package func whenAccessEnds(_ body: @escaping @Sendable (TunnelID, _ issuedUntil: Double) -> Void) {
        self.accessEnded.withLock { $0 = body }
    }

    package func life(of token: VerifiedToken) -> Result<Date, TokenRefusal> {
        let claims = token.claims
        guard let tunnelID = TunnelID(claims.sub) else { return .failure(.otherTunnel) }
        guard self.accepts(token.signedBy) else { return .failure(.unknownKey) }
        let now = self.now().timeIntervalSince1970
        guard claims.exp > now else { return .failure(.expired) }
        let end = self.cutoffs.withLock { $0.end(issuedAt: claims.iat, of: tunnelID) } ?? claims.exp
        return end > now ? .success(Date(timeIntervalSince1970: min(end, claims.exp))) : .failure(.revoked)
    }

    /// Whether a token may be exchanged for a later one: not once somebody has asked to end it, be it after an overlap.
    func mayBeRenewed(_ claims: TunnelTokenClaims) -> Bool {
        guard let tunnelID = TunnelID(claims.sub) else { return false }
        return self.cutoffs.withLock { $0.end(issuedAt: claims.iat, of: tunnelID) } == nil
    }

    /// Whether a text has the shape of a token: three parts, the first of which is the head of a JWT.
    static func hasShape(of text: String) -> Bool {
        text.utf8.count <= Self.maximumLength && Self.header(of: text)?.alg != nil
    }

    /// Refuses what is not looked at, after the work that a token takes.
    package func refuse(_ refusal: TokenRefusal) async -> TokenRefusal {
        let (decoy, token) = self.ring.withLock { ($0.decoy, $0.decoyToken) }
        _ = Self.header(of: token)
        _ = try? await decoy.verify(token, as: TunnelTokenClaims.self)
        return refusal
    }

    /// Whether a key is still among those that verify.
    package func accepts(_ stamp: SigningKeyStamp) -> Bool {
        self.ring.withLock { $0.stamps.values.contains(stamp) }
    }

    private func check(_ claims: TunnelTokenClaims, for tunnelID: TunnelID) -> TokenRefusal? {
        let now = self.now().timeIntervalSince1970
        guard claims.exp > now else { return .expired }
        guard claims.nbf ?? 0 <= now + Self.leeway, claims.iat <= now + Self.leeway else { return .notYetValid }
        guard claims.aud == nil else { return .otherAudience }
        guard claims.sub == tunnelID.description else { return .otherTunnel }
        let ended = self.cutoffs.withLock { $0.isEnded(issuedAt: claims.iat, of: tunnelID, now: now) }
        return ended ? .revoked : nil
    }

    private struct Header: Decodable {
        var alg: String?
        var kid: String?
        var crit: [String]?
    }

    private static func header(of token: String) -> Header? {
        let parts = token.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        var text = String(decoding: parts[0], as: UTF8.self)
            .replacing("-", with: "+")
            .replacing("_", with: "/")
        text += String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        return Data(base64Encoded: text).flatMap { try? JSONDecoder().decode(Header.self, from: $0) }
    }

    /// Everything that is wrong with keys.
    package static func errors(in keys: [SigningKey]) -> [CredentialError] {
        guard !keys.isEmpty else { return [.noSigningKey] }
        var names = Set<String>()
        return keys.flatMap { key -> [CredentialError] in
            let isShort = (key.bytes?.count ?? 0) < 32
            let isNew = names.insert(key.kid).inserted
            return (isShort ? [.shortSigningKey(keyID: key.kid)] : []) + (isNew ? [] : [.duplicateKeyID(key.kid)])
        }
    }

    private static func ring(of keys: [SigningKey]) async throws -> Ring {
        if let error = self.errors(in: keys).first { throw error }
        guard let first = keys.first else { throw CredentialError.noSigningKey }
        var collections: [String: JWTKeyCollection] = [:]
        var stamps: [String: SigningKeyStamp] = [:]
        for key in keys {
            let bytes = key.bytes ?? []
            collections[key.kid] = await JWTKeyCollection().add(hmac: HMACKey(from: bytes), digestAlgorithm: .sha256)
            stamps[key.kid] = SigningKeyStamp(key)
        }
        var generator = SystemRandomNumberGenerator()
        let noise = (0..<32).map { _ in generator.next() as UInt8 }
        let decoy = await JWTKeyCollection().add(hmac: HMACKey(from: noise), digestAlgorithm: .sha256)
        return Ring(
            signingKeyID: first.kid,
            keys: collections,
            stamps: stamps,
            decoy: decoy,
            decoyToken: try await decoy.sign(TunnelTokenClaims.decoy)
        )
    }
}

extension TunnelTokens: CutoffLearner {}
