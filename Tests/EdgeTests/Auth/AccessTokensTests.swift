// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import JWTKit
import Synchronization
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

@Suite("Access tokens")
struct AccessTokensTests {
    private final class Clock: Sendable {
        private let seconds = Mutex(1_000_000.0)

        func advance(by seconds: Double) { self.seconds.withLock { $0 += seconds } }

        var now: Date { Date(timeIntervalSince1970: self.seconds.withLock { $0 }) }
    }

    private let clock = Clock()

    private func tokens(_ secret: UInt8 = 1) async throws -> TunnelTokens {
        let key = SigningKey(kid: "a", secret: Data(repeating: secret, count: 32).base64EncodedString())
        return try await TunnelTokens(keys: [key], now: { [clock] in clock.now })
    }

    private func id(_ text: String) throws -> TunnelID { try #require(TunnelID(text)) }

    private func specification(_ name: String = "my-app") throws -> TunnelSpecification {
        TunnelSpecification(
            id: try self.id(name),
            name: name,
            owner: "alice",
            policy: TunnelPolicy(),
            createdAt: self.clock.now
        )
    }

    private func refusal(_ result: Result<VerifiedAccess, TokenRefusal>) -> TokenRefusal? {
        if case .failure(let refusal) = result { refusal } else { nil }
    }

    @Test("A token opens its tunnel until it ends, and no other tunnel")
    func life() async throws {
        let tokens = try await self.tokens()
        let (token, claims) = try await tokens.issueAccess(to: self.specification(), edge: "http://e", lifetime: 60)
        #expect(claims.aud == "culvert-access")
        #expect(try await tokens.verifyAccess(token, to: self.id("my-app")).get().claims == claims)
        #expect(self.refusal(await tokens.verifyAccess(token, to: try self.id("other"))) == .otherTunnel)
        #expect(self.refusal(await tokens.verifyAccess(nil, to: try self.id("my-app"))) == .missing)
        #expect(self.refusal(await tokens.verifyAccess("a.b.c", to: try self.id("my-app"))) == .malformed)
        #expect(self.refusal(try await self.tokens(2).verifyAccess(token, to: self.id("my-app"))) == .signature)
        self.clock.advance(by: 61)
        #expect(self.refusal(await tokens.verifyAccess(token, to: try self.id("my-app"))) == .expired)
    }

    @Test("An access token serves no tunnel, and a tunnel's token gives no access")
    func audiences() async throws {
        let tokens = try await self.tokens()
        let (access, _) = try await tokens.issueAccess(to: self.specification(), edge: "http://e", lifetime: 60)
        let (serving, _) = try await tokens.issue(for: self.specification(), edge: "http://e", lifetime: 60)
        guard case .failure(let refusal) = await tokens.verify(access, for: try self.id("my-app")) else {
            Issue.record("an access token served")
            return
        }
        #expect(refusal == .otherAudience)
        // It has no audience at all, so that it does not read as an access token.
        #expect(self.refusal(await tokens.verifyAccess(serving, to: try self.id("my-app"))) == .signature)
    }

    @Test("A revocation ends the tokens before it, of its tunnel alone, and touches no tunnel token")
    func revocation() async throws {
        let tokens = try await self.tokens()
        let (old, claims) = try await tokens.issueAccess(to: self.specification(), edge: "http://e", lifetime: 60)
        let (other, _) = try await tokens.issueAccess(to: self.specification("other"), edge: "http://e", lifetime: 60)
        let (serving, _) = try await tokens.issue(for: self.specification(), edge: "http://e", lifetime: 60)
        self.clock.advance(by: 0.5)
        let ended = Mutex<[Double]>([])
        tokens.whenAccessEnds { _, issuedUntil in ended.withLock { $0.append(issuedUntil) } }
        let issuedUntil = tokens.cutoff().issuedUntil
        #expect(issuedUntil >= claims.iat)
        tokens.endAccess(to: try self.id("my-app"), issuedUntil: issuedUntil)
        // What is known already is no news, from wherever it comes.
        tokens.learn(TokenEnds(access: issuedUntil), of: try self.id("my-app"))
        tokens.learn(TokenEnds(access: issuedUntil - 1), of: try self.id("my-app"))
        #expect(ended.withLock { $0 } == [issuedUntil])
        #expect(tokens.knownEnds(of: try self.id("my-app")) == TokenEnds(access: issuedUntil))
        #expect(tokens.endedTunnels == [try self.id("my-app")])
        self.clock.advance(by: 0.5)
        let (new, _) = try await tokens.issueAccess(to: self.specification(), edge: "http://e", lifetime: 60)
        #expect(self.refusal(await tokens.verifyAccess(old, to: try self.id("my-app"))) == .revoked)
        #expect(self.refusal(await tokens.verifyAccess(new, to: try self.id("my-app"))) == nil)
        #expect(self.refusal(await tokens.verifyAccess(other, to: try self.id("other"))) == nil)
        #expect(try await tokens.verify(serving, for: self.id("my-app")).get().claims.own == "alice")
    }
}
