// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Mux
import NIOCore
import Protocol
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

/// Newer tokens that a connector shows over the session that it has (docs/protocol.md §B.18).
@Suite("Sessions that go on by a newer token", .timeLimit(.minutes(1)))
struct TokenRenewalTests {
    private let fixture = AdmissionFixture()

    private func within(_ what: Comment, _ isTrue: () async throws -> Bool) async throws {
        try await self.fixture.within(AdmissionFixture.patience, what, isTrue)
    }

    private func issue(
        _ tokens: TunnelTokens,
        _ id: String = "my-app",
        for seconds: TimeInterval
    ) async throws
        -> (token: String, claims: TunnelTokenClaims)
    {
        try await tokens.issue(for: self.fixture.specification(id), edge: "http://e", lifetime: seconds)
    }

    @Test(
        "A session outlives the token that it began with by the one that it is shown, shared or not",
        arguments: [Capabilities.renewal, [.sharing, .renewal]]
    )
    func renewed(capabilities: Capabilities) async throws {
        let tokens = try await self.fixture.tokens()
        let (first, old) = try await self.issue(tokens, for: 300)
        let server = try await self.fixture.listen(self.fixture.endpoint(tokens), token: first)
        let connector = try await SharingConnector.connect(to: server, bundle: 1, capabilities: capabilities)
        if capabilities.contains(.sharing) { _ = try await connector.open("my-app", token: first) }
        let tunnel = try await self.fixture.registry.restore(self.fixture.specification())
        try await self.within("it serves") { tunnel.sessions.count == 1 }
        let session = try #require(tunnel.sessions.first)
        try await self.within("its end is known") { session.expiresAt == Date(timeIntervalSince1970: old.exp) }

        let (second, claims) = try await self.issue(tokens, for: 600)
        let shown = try await connector.open("my-app", token: second, kind: .token)
        try await self.within("it is taken, and the stream is over") {
            shown.events == ["accepted", "finished", "closed"] || shown.events == ["accepted", "finished"]
        }
        #expect(session.tokenIssuedAt == claims.iat)
        #expect(session.expiresAt == Date(timeIntervalSince1970: claims.exp))
        #expect(tunnel.sessions.map(\.id) == [session.id])

        // What ends the second one ends the session.
        tokens.endTokens(of: tunnel.id)
        for session in tunnel.sessions { session.limitLifetime(to: Date()) }
        try await self.within("it has left") { tunnel.sessions.isEmpty }
        try? await connector.channel.close()
        try await server.close()
    }

    @Test("What is no newer token of the session's own tunnel changes nothing, and the session goes on")
    func refused() async throws {
        let tokens = try await self.fixture.tokens()
        let (first, claims) = try await self.issue(tokens, for: 600)
        let server = try await self.fixture.listen(self.fixture.endpoint(tokens), token: first)
        let connector = try await SharingConnector.connect(to: server, bundle: 1, capabilities: .renewal)
        let tunnel = try await self.fixture.registry.restore(self.fixture.specification())
        try await self.within("it serves") { tunnel.sessions.count == 1 }
        let (other, _) = try await self.issue(tokens, "other-app", for: 600)
        for (target, token, code) in [
            ("my-app", "x.y.z", ErrorCode.authExpired), ("my-app", other, .authExpired),
            // Valid, and of no tunnel that this session serves.
            ("other-app", other, .draining),
        ] {
            let stream = try await connector.open(target, token: token, kind: .token)
            try await self.within("it is refused") { stream.events.contains("\(code)") }
        }
        // The same token again is no newer one, and does no harm.
        let again = try await connector.open("my-app", token: first, kind: .token)
        try await self.within("it is taken") { again.events.first == "accepted" }
        #expect(tunnel.sessions.map(\.tokenIssuedAt) == [claims.iat])
        #expect(try await connector.phase() == .active)
        #expect(self.fixture.registry.tunnel(try #require(TunnelID("other-app")))?.sessions.isEmpty == true)
        try? await connector.channel.close()
        try await server.close()
    }

    @Test("A connector that reconnects within an overlap has no longer than the others")
    func overlap() async throws {
        let tokens = try await self.fixture.tokens()
        let (token, _) = try await self.issue(tokens, for: 600)
        let server = try await self.fixture.listen(self.fixture.endpoint(tokens), token: token)
        let tunnel = try await self.fixture.registry.restore(self.fixture.specification())
        let end = Date().addingTimeInterval(300)
        tokens.endTokens(of: tunnel.id, at: end)
        let connector = try await SharingConnector.connect(to: server, bundle: 1, capabilities: .renewal)
        try await self.within("it serves, until the end of the overlap") {
            tunnel.sessions.first?.expiresAt.map { abs($0.timeIntervalSince(end)) < 0.001 } ?? false
        }
        try? await connector.channel.close()
        try await server.close()
    }
}
