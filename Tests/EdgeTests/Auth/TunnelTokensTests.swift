// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import JWTKit
import Synchronization
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

@Suite("Tunnel tokens")
struct TunnelTokensTests {
    private final class Clock: Sendable {
        private let seconds = Mutex(1_000_000.0)

        func advance(by seconds: Double) { self.seconds.withLock { $0 += seconds } }

        var now: Date { Date(timeIntervalSince1970: self.seconds.withLock { $0 }) }
    }

    private let clock = Clock()
    private let keyA = SigningKey(kid: "a", secret: Data(repeating: 1, count: 32).base64EncodedString())
    private let keyB = SigningKey(kid: "b", secret: Data(repeating: 2, count: 32).base64EncodedString())

    private func tokens(_ keys: [SigningKey]) async throws -> TunnelTokens {
        try await TunnelTokens(keys: keys, now: { [clock] in clock.now })
    }

    private func id(_ text: String) throws -> TunnelID { try #require(TunnelID(text)) }

    private func specification(_ name: String = "my-app") throws -> TunnelSpecification {
        TunnelSpecification(
            id: try self.id(name),
            name: name,
            owner: "alice",
            policy: TunnelPolicy { $0.host = .rewrite("localhost:3000") },
            createdAt: self.clock.now
        )
    }

    private func refusal(_ result: Result<VerifiedToken, TokenRefusal>) -> TokenRefusal? {
        if case .failure(let refusal) = result { refusal } else { nil }
    }

    @Test("A token says all that its tunnel is made from")
    func roundTrip() async throws {
        let tokens = try await self.tokens([self.keyA])
        let (token, _) = try await tokens.issue(for: self.specification(), edge: "http://e", lifetime: 60)
        let claims = try await tokens.verify(token, for: self.id("my-app")).get().claims
        #expect(claims.own == "alice")
        #expect(claims.name == "my-app")
        #expect(claims.edge == "http://e")
        #expect(claims.policy == TunnelPolicy { $0.host = .rewrite("localhost:3000") })
        #expect(claims.exp == 1_000_060)
    }

    @Test("A token survives a restart with the same key, and is refused with another one")
    func restart() async throws {
        let (token, _) = try await self.tokens([self.keyA])
            .issue(for: self.specification(), edge: "http://e", lifetime: 60)
        let again = try await self.tokens([self.keyA])
        #expect(self.refusal(await again.verify(token, for: try self.id("my-app"))) == nil)
        let other = try await self.tokens([self.keyB])
        #expect(self.refusal(await other.verify(token, for: try self.id("my-app"))) == .unknownKey)
        let sameName = SigningKey(kid: "a", secret: self.keyB.secret)
        let forged = try await self.tokens([sameName])
        #expect(self.refusal(await forged.verify(token, for: try self.id("my-app"))) == .signature)
    }

    @Test("Expired, not yet valid, of another tunnel, missing, oversized, malformed: refused")
    func refusals() async throws {
        let tokens = try await self.tokens([self.keyA])
        let id = try self.id("my-app")
        let (token, claims) = try await tokens.issue(for: self.specification(), edge: "http://e", lifetime: 60)
        #expect(self.refusal(await tokens.verify(token, for: try self.id("other-app"))) == .otherTunnel)
        #expect(self.refusal(await tokens.verify(nil, for: id)) == .missing)
        #expect(self.refusal(await tokens.verify("", for: id)) == .missing)
        #expect(self.refusal(await tokens.verify(String(repeating: "a", count: 9000), for: id)) == .oversized)
        #expect(self.refusal(await tokens.verify("a.b", for: id)) == .malformed)
        #expect(self.refusal(await tokens.verify("a.b.c", for: id)) == .malformed)

        let keys = await JWTKeyCollection().add(
            hmac: HMACKey(from: Array(repeating: UInt8(1), count: 32)),
            digestAlgorithm: .sha256
        )
        var header = JWTHeader()
        header.kid = "a"
        var early = claims
        early.nbf = 1_000_100
        #expect(self.refusal(await tokens.verify(try await keys.sign(early, header: header), for: id)) == .notYetValid)
        early = claims
        early.iat = 1_000_100
        #expect(self.refusal(await tokens.verify(try await keys.sign(early, header: header), for: id)) == .notYetValid)

        self.clock.advance(by: 60)
        #expect(self.refusal(await tokens.verify(token, for: id)) == .expired)
    }

    @Test("No algorithm but HS256 is accepted, however well the token is signed")
    func algorithms() async throws {
        let tokens = try await self.tokens([self.keyA])
        let id = try self.id("my-app")
        let (token, claims) = try await tokens.issue(for: self.specification(), edge: "http://e", lifetime: 60)
        let parts = token.split(separator: ".")
        for algorithm in ["none", "None", "HS512", "RS256"] {
            let header = Data(#"{"alg":"\#(algorithm)","kid":"a","typ":"JWT"}"#.utf8).base64EncodedString()
                .replacing("=", with: "").replacing("+", with: "-").replacing("/", with: "_")
            #expect(self.refusal(await tokens.verify("\(header).\(parts[1]).", for: id)) == .algorithm)
            #expect(self.refusal(await tokens.verify("\(header).\(parts[1]).\(parts[2])", for: id)) == .algorithm)
        }
        let strong = await JWTKeyCollection().add(
            hmac: HMACKey(from: Array(repeating: UInt8(1), count: 64)),
            digestAlgorithm: .sha512
        )
        var header = JWTHeader()
        header.kid = "a"
        #expect(self.refusal(await tokens.verify(try await strong.sign(claims, header: header), for: id)) == .algorithm)
        let bare = await JWTKeyCollection().add(
            hmac: HMACKey(from: Array(repeating: UInt8(1), count: 32)),
            digestAlgorithm: .sha256
        )
        #expect(self.refusal(await tokens.verify(try await bare.sign(claims), for: id)) == .unknownKey)
    }

    @Test("The first key signs, the others still verify: keys are rotated without an interruption")
    func rotation() async throws {
        let old = try await self.tokens([self.keyA])
        let (oldToken, _) = try await old.issue(for: self.specification(), edge: "http://e", lifetime: 60)
        try await old.replaceKeys(with: [self.keyB, self.keyA])
        let (newToken, _) = try await old.issue(for: self.specification(), edge: "http://e", lifetime: 60)
        let id = try self.id("my-app")
        #expect(self.refusal(await old.verify(oldToken, for: id)) == nil)
        #expect(self.refusal(await old.verify(newToken, for: id)) == nil)
        try await old.replaceKeys(with: [self.keyB])
        #expect(self.refusal(await old.verify(oldToken, for: id)) == .unknownKey)
        #expect(self.refusal(await old.verify(newToken, for: id)) == nil)
    }

    @Test("Revocation ends the tokens issued so far, at once or after the overlap, and no later one")
    func revocation() async throws {
        let tokens = try await self.tokens([self.keyA])
        let id = try self.id("my-app")
        let (first, _) = try await tokens.issue(for: self.specification(), edge: "http://e", lifetime: 6000)
        self.clock.advance(by: 1)
        tokens.endTokens(of: id, at: self.clock.now.addingTimeInterval(10))
        self.clock.advance(by: 1)
        let (second, _) = try await tokens.issue(for: self.specification(), edge: "http://e", lifetime: 6000)
        #expect(self.refusal(await tokens.verify(first, for: id)) == nil)
        self.clock.advance(by: 10)
        #expect(self.refusal(await tokens.verify(first, for: id)) == .revoked)
        #expect(self.refusal(await tokens.verify(second, for: id)) == nil)
        tokens.endTokens(of: id)
        #expect(self.refusal(await tokens.verify(second, for: id)) == .revoked)
        self.clock.advance(by: 0.001)
        let (third, _) = try await tokens.issue(for: self.specification(), edge: "http://e", lifetime: 6000)
        #expect(self.refusal(await tokens.verify(third, for: id)) == nil)
        #expect(self.refusal(await tokens.verify(first, for: id)) == .revoked)
    }

    @Test("A cut-off reaches to what an edge issued whose clock is ahead; what is issued after it is later, and let in")
    func clocksApart() async throws {
        let (tokens, ahead) = (try await self.tokens([self.keyA]), Clock())
        ahead.advance(by: 9)
        let other = try await TunnelTokens(keys: [self.keyA], now: { ahead.now })
        let specification = try self.specification()
        let (old, _) = try await other.issue(for: specification, edge: "http://e", lifetime: 6000)
        let (access, _) = try await other.issueAccess(to: specification, edge: "http://e", lifetime: 60)
        #expect(self.refusal(await tokens.verify(old, for: specification.id)) == nil)
        let cutoff = tokens.cutoff(of: Tunnel(specification))
        for edge in [tokens, other] {
            edge.learn(TokenEnds([cutoff], access: cutoff.issuedUntil), of: specification.id)
        }
        let behind = try await TunnelTokens(keys: [self.keyA], now: { Date(timeIntervalSince1970: 999_991) })
        behind.learn(tokens.knownEnds(of: specification.id), of: specification.id)
        for edge in [tokens, other, behind] {
            #expect(self.refusal(await edge.verify(old, for: specification.id)) == .revoked)
            guard case .failure(.revoked) = await edge.verifyAccess(access, to: specification.id) else {
                return #expect(Bool(false), "access goes on")
            }
        }
        for edge in [tokens, other, behind] {
            let (new, claims) = try await edge.issue(for: specification, edge: "http://e", lifetime: 6000)
            #expect(claims.iat > cutoff.issuedUntil)
            let (newAccess, _) = try await edge.issueAccess(to: specification, edge: "http://e", lifetime: 60)
            for reader in [tokens, other, behind] {
                #expect(self.refusal(await reader.verify(new, for: specification.id)) == nil)
                #expect((try? await reader.verifyAccess(newAccess, to: specification.id).get()) != nil)
            }
        }
        // Further ahead than cut-offs reach: the tunnel tells.
        var later = specification
        later.version = 1_000_100
        #expect(tokens.cutoff(of: Tunnel(later)).issuedUntil == 1_000_100)
    }

    @Test("Keys that can't protect anything are refused")
    func weakKeys() async throws {
        await #expect(throws: CredentialError.noSigningKey) { try await self.tokens([]) }
        await #expect(throws: CredentialError.duplicateKeyID("a")) { try await self.tokens([self.keyA, self.keyA]) }
        let short = SigningKey(kid: "s", secret: Data(repeating: 1, count: 31).base64EncodedString())
        await #expect(throws: CredentialError.shortSigningKey(keyID: "s")) { try await self.tokens([short]) }
    }

    @Test("A token keeps the time of its owner's word, and one without has it from its own issue")
    func version() async throws {
        let tokens = try await self.tokens([self.keyA])
        var specification = try self.specification()
        specification.version = 7.5
        self.clock.advance(by: 100)
        let (token, _) = try await tokens.issue(for: specification, edge: "http://e", lifetime: 60)
        #expect(try await tokens.verify(token, for: specification.id).get().claims.version == 7.5)
        let first = TunnelTokenClaims(sub: "my-app", edge: "e", exp: 2, iat: 1.25, jti: "j", own: "alice")
        #expect(first.version == 1.25)
    }

    @Test("How long a token lasts is what holds now: its own end, an overlap's, or none once its key is gone")
    func life() async throws {
        let tokens = try await self.tokens([self.keyA])
        let id = try self.id("my-app")
        let (text, _) = try await tokens.issue(for: self.specification(), edge: "http://e", lifetime: 60)
        let token = try await tokens.verify(text, for: id).get()
        func end() throws -> Double { try tokens.life(of: token).get().timeIntervalSince1970 - 1_000_000 }
        #expect(try end() == 60)
        #expect(tokens.mayBeRenewed(token.claims))
        self.clock.advance(by: 1)
        tokens.endTokens(of: id, at: self.clock.now.addingTimeInterval(10))
        #expect(try end() == 11)
        #expect(!tokens.mayBeRenewed(token.claims), "a token that is about to end has no successor of its own making")
        tokens.endTokens(of: id, at: self.clock.now.addingTimeInterval(500))
        #expect(try end() == 11, "a later end puts off no earlier one")
        try await tokens.replaceKeys(with: [self.keyB])
        #expect(tokens.life(of: token) == .failure(.unknownKey))
        try await tokens.replaceKeys(with: [self.keyB, self.keyA])
        self.clock.advance(by: 10)
        #expect(tokens.life(of: token) == .failure(.revoked))
        let (other, _) = try await tokens.issue(for: self.specification(), edge: "http://e", lifetime: 60)
        let later = try await tokens.verify(other, for: id).get()
        // It says that it was issued after the end of those before it, which reaches beyond this edge's clock.
        #expect(later.claims.exp == later.claims.iat.rounded(.up) + 60)
        self.clock.advance(by: later.claims.exp - self.clock.now.timeIntervalSince1970)
        #expect(tokens.life(of: later) == .failure(.expired))
    }

    @Test("An edge alone ends what it has issued so far, and issues by its own clock")
    func alone() async throws {
        let clock = self.clock
        let tokens = try await TunnelTokens(keys: [self.keyA], isAlone: true, now: { clock.now })
        let (before, _) = try await tokens.issue(for: self.specification(), edge: "http://e", lifetime: 6)
        tokens.end(tokens.cutoff(), of: try self.id("my-app"))
        self.clock.advance(by: 1)
        let (_, claims) = try await tokens.issue(for: self.specification(), edge: "http://e", lifetime: 6)
        #expect(claims.iat == clock.now.timeIntervalSince1970)
        #expect(claims.exp == claims.iat + 6)
        #expect(self.refusal(await tokens.verify(before, for: try self.id("my-app"))) == .revoked)
    }

    @Test("The memory of ended tokens is bounded")
    func boundedCutoffs() throws {
        var cutoffs = TokenCutoffs(capacity: 16)
        for number in 0..<1000 {
            cutoffs.add(issuedUntil: 1, endAt: 1, for: try self.id("tunnel-\(number)"), now: 1)
        }
        #expect(cutoffs.count <= 16)
        #expect(cutoffs.isEnded(issuedAt: 1, of: try self.id("tunnel-999"), now: 1))
    }

    @Test("Renewing over and over never brings an ended token back")
    func repeatedRenewal() throws {
        var cutoffs = TokenCutoffs()
        let id = try self.id("my-app")
        cutoffs.add(issuedUntil: 10, endAt: 10, for: id, now: 10)
        for step in 1...100 {
            let now = 10 + Double(step)
            cutoffs.add(issuedUntil: now, endAt: now + 50, for: id, now: now)
            #expect(cutoffs.isEnded(issuedAt: 10, of: id, now: now))
        }
    }
}
