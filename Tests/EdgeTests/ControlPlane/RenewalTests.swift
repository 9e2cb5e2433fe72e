// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import HTTPTypes
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

@Suite("POST /api/tunnels/{id}/renew")
struct RenewalTests {
    private typealias Harness = ControlPlaneHarness

    private func make(_ api: Harness, _ body: String = #"{"name":"my-app"}"#) async throws -> CreateTunnelResponse {
        try await api.call(.post, "/api/tunnels/create", key: Harness.alice, body: body)
            .decode(CreateTunnelResponse.self)
    }

    private func renew(_ api: Harness, _ token: String, id: String = "my-app") async throws -> Answer {
        try await api.call(.post, "/api/tunnels/\(id)/renew", key: token)
    }

    private func claims(_ api: Harness, _ token: String) async throws -> TunnelTokenClaims {
        try await api.tokens.verify(token, for: try #require(TunnelID("my-app"))).get().claims
    }

    @Test("A valid token gets its successor, and stays valid; the owner's word keeps its time")
    func successor() async throws {
        let api = try await Harness()
        let tunnel = try await self.make(api)
        let answer = try await self.renew(api, tunnel.token)
        #expect(answer.status == 201)
        #expect(answer.response.headerFields[.rateLimit] != nil)
        let renewed = try answer.decode(TunnelRenewalResponse.self)
        let (old, new) = (try await self.claims(api, tunnel.token), try await self.claims(api, renewed.token))
        #expect(new.iat > old.iat)
        #expect(new.jti != old.jti)
        #expect(new.version == old.version)
        #expect(new.own == "alice")
        #expect(renewed.expiresAt.timeIntervalSince1970 == new.exp)
        // And so on.
        #expect(try await self.renew(api, renewed.token).status == 201)
    }

    @Test("The successor of an older token says the newest policy, and is no newer word")
    func policy() async throws {
        let api = try await Harness()
        let first = try await self.make(api)
        api.time.advance(by: 10)
        let second = try await self.make(api, #"{"name":"my-app","policy":{"path_mode":"keep"}}"#)
        let renewed = try await self.renew(api, first.token).decode(TunnelRenewalResponse.self)
        let claims = try await self.claims(api, renewed.token)
        #expect(claims.policy?.pathMode == .keep)
        #expect(claims.version == (try await self.claims(api, second.token)).version)
    }

    @Test("An edge that was started again makes the tunnel from the token; one that has ended makes none")
    func restarted() async throws {
        let (api, again) = (try await Harness(), try await Harness())
        let tunnel = try await self.make(api)
        #expect(try await self.renew(again, tunnel.token).status == 201)
        #expect(again.registry.tunnel(try #require(TunnelID("my-app")))?.owner == "alice")
        #expect(try await api.call(.delete, "/api/tunnels/my-app", key: Harness.alice).status == 204)
        let refused = try await self.renew(api, tunnel.token)
        #expect(refused.status == 401)
        #expect(refused.problem?.code == "invalid_token")
        #expect(api.registry.all.isEmpty)
    }

    @Test("A token that its owner has replaced has no successor, though its overlap is not over")
    func replaced() async throws {
        let api = try await Harness()
        let tunnel = try await self.make(api)
        api.tokens.endTokens(of: try #require(TunnelID("my-app")), at: Date().addingTimeInterval(600))
        let next = try await self.make(api)
        #expect(try await self.claims(api, tunnel.token).own == "alice", "it is still valid")
        #expect(try await self.renew(api, tunnel.token).status == 401)
        #expect(try await self.renew(api, next.token).status == 201)
    }

    @Test("No token has a successor while the registry is away, and then none that was ended elsewhere meanwhile")
    func away() async throws {
        let directory = InMemoryTunnelDirectory(now: { Date().timeIntervalSince1970 })
        let api = try await Harness(directory: directory)
        let id = try #require(TunnelID("my-app"))
        let tunnel = try await self.make(api)
        directory.isUp = false
        for key in [tunnel.token, Harness.alice] {
            let refused = try await self.renew(api, key)
            #expect(refused.status == 503)
            #expect(refused.problem?.code == "registry_unavailable")
            #expect(refused.response.headerFields[.retryAfter] == "1")
        }
        directory.isUp = true
        let renewed = try await self.renew(api, tunnel.token).decode(TunnelRenewalResponse.self)
        #expect(try await self.renew(api, Harness.alice).status == 201)
        // Another edge replaces the tokens, those with an overlap too, and then deletes the tunnel; nobody tells this one.
        let overlap = Date().timeIntervalSince1970 + 600
        try await directory.end(TokenCutoffs.Cutoff(issuedUntil: overlap, endAt: overlap), of: id)
        #expect(try await self.renew(api, renewed.token).status == 401)
        #expect(try await self.claims(api, renewed.token).own == "alice", "it is still valid")
        _ = try await directory.remove(id, of: "alice", ending: TokenCutoffs.Cutoff(issuedUntil: overlap))
        #expect(try await self.renew(api, renewed.token).status == 401)
        #expect(try await self.renew(api, Harness.alice).status == 503)
    }

    @Test("The tokens of somebody whose last key was revoked run out")
    func revokedOwner() async throws {
        let api = try await Harness()
        let id = try #require(TunnelID("my-app"))
        let specification = TunnelSpecification(id: id, owner: "gone", policy: .init(), createdAt: Date())
        let (token, _) = try await api.tokens.issue(for: specification, edge: "https://t.example", lifetime: 600)
        #expect(try await self.renew(api, token).status == 401)
    }

    @Test("A token opens its own tunnel alone, and no other call; what only looks like one opens nothing")
    func bounds() async throws {
        let api = try await Harness()
        let tunnel = try await self.make(api)
        #expect(try await self.renew(api, tunnel.token, id: "other-app").status == 401)
        #expect(try await self.renew(api, tunnel.token + "x").status == 401)
        #expect(try await self.renew(api, tunnel.token, id: "X").status == 400)
        for (method, path) in [
            (HTTPRequest.Method.get, "list"), (.get, "my-app/status"), (.post, "my-app/token"), (.delete, "my-app"),
            (.post, "create"),
        ] {
            let answer = try await api.call(method, "/api/tunnels/\(path)", key: tunnel.token)
            #expect(answer.problem?.code == "invalid_credentials", "\(method) \(path)")
            // So many wrong keys of one address are refused.
            api.time.advance(by: 60)
        }
    }

    @Test("The tokens of a tunnel make so many calls a second together, and a key as many as for other calls")
    func limits() async throws {
        var settings = APILimits.Settings()
        settings.creations = RateLimit(1_000, perSeconds: 1)
        let api = try await Harness(limits: settings)
        let tunnel = try await self.make(api)
        var statuses: [Int] = []
        for _ in 0..<11 { statuses.append(try await self.renew(api, tunnel.token).status) }
        #expect(statuses == Array(repeating: 201, count: 10) + [429])
        #expect(try await self.renew(api, Harness.alice).status == 201)
        #expect(try await self.renew(api, Harness.bob).status == 404)
    }
}
