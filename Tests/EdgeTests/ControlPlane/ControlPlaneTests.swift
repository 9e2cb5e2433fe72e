// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import HTTPTypes
import NIOCore
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

@Suite("Control API")
struct ControlPlaneTests {
    private typealias Harness = ControlPlaneHarness

    @Test("A tunnel is made, listed, shown and deleted")
    func life() async throws {
        let api = try await Harness()
        let created = try await api.call(
            .post,
            "/api/tunnels/create",
            key: Harness.alice,
            body: #"{"local_port":3000}"#
        )
        #expect(created.status == 201)
        let tunnel = try created.decode(CreateTunnelResponse.self)
        #expect(tunnel.url == "https://t.example/\(tunnel.tunnelID)/")
        #expect(tunnel.name == nil)
        let id = try #require(TunnelID(tunnel.tunnelID))
        let claims = try await api.tokens.verify(tunnel.token, for: id).get().claims
        #expect(claims.edge == "https://t.example")
        #expect(claims.policy?.host == .rewrite("localhost:3000"))

        let list = try await api.call(.get, "/api/tunnels/list", key: Harness.alice).decode(TunnelList.self)
        #expect(list.tunnels.map(\.tunnelID) == [tunnel.tunnelID])
        let status = try await api.call(.get, "/api/tunnels/\(id)/status", key: Harness.alice).decode(TunnelStatus.self)
        #expect(status.state == .offline)

        let deleted = try await api.call(.delete, "/api/tunnels/\(id)", key: Harness.alice)
        #expect(deleted.status == 204)
        #expect(deleted.body.isEmpty)
        #expect(try await api.call(.get, "/api/tunnels/\(id)/status", key: Harness.alice).status == 404)
        #expect(await api.tokens.verify(tunnel.token, for: id) == .failure(.revoked))
    }

    @Test("Asking again for one's own name takes the tunnel up again; for another's it is refused")
    func names() async throws {
        let api = try await Harness()
        let body = #"{"name":"my-app"}"#
        #expect(try await api.call(.post, "/api/tunnels/create", key: Harness.alice, body: body).status == 201)
        let again = #"{"name":"my-app","policy":{"path_mode":"keep"}}"#
        #expect(try await api.call(.post, "/api/tunnels/create", key: Harness.alice, body: again).status == 201)
        let id = try #require(TunnelID("my-app"))
        #expect(api.registry.tunnel(id)?.policy.pathMode == .keep)
        let taken = try await api.call(.post, "/api/tunnels/create", key: Harness.bob, body: body)
        #expect(taken.status == 409)
        #expect(taken.problem?.code == "name_taken")
        for name in ["api", "healthz", "list"] {
            let reserved = try await api.call(
                .post,
                "/api/tunnels/create",
                key: Harness.root,
                body: #"{"name":"\#(name)"}"#
            )
            #expect(reserved.problem?.code == "name_reserved")
        }
    }

    @Test("Who takes a tunnel up again without what kept visitors away is told of it")
    func removedProtection() async throws {
        let api = try await Harness()
        func create(_ policy: String) async throws -> [String]? {
            let body = #"{"name":"my-app","policy":\#(policy)}"#
            let answer = try await api.call(.post, "/api/tunnels/create", key: Harness.alice, body: body)
            return try answer.decode(CreateTunnelResponse.self).policyRemoved
        }
        let safe = #"{"basic_auth":[{"username":"anna","password":"correct horse"}],"ip_allow":["192.0.2.0/24"]}"#
        #expect(try await create(safe) == nil)
        #expect(try await create(safe) == nil)
        #expect(try await create("{}") == ["basic_auth", "ip_allow"])
        #expect(try await create("{}") == nil)
    }

    @Test("A key has so many tunnels and no more")
    func tunnelsPerKey() async throws {
        let api = try await Harness()
        for _ in 0..<5 { _ = try await api.call(.post, "/api/tunnels/create", key: Harness.alice) }
        let sixth = try await api.call(.post, "/api/tunnels/create", key: Harness.alice)
        #expect(sixth.status == 409)
        #expect(sixth.problem?.code == "too_many_tunnels")
        #expect(try await api.call(.post, "/api/tunnels/create", key: Harness.bob).status == 201)
    }

    @Test("A list comes in pages")
    func pages() async throws {
        let api = try await Harness()
        for name in ["ccc", "aaa", "bbb"] {
            _ = try await api.call(.post, "/api/tunnels/create", key: Harness.alice, body: #"{"name":"\#(name)"}"#)
        }
        let first = try await api.call(.get, "/api/tunnels/list?limit=2", key: Harness.alice).decode(TunnelList.self)
        #expect(first.tunnels.map(\.tunnelID) == ["aaa", "bbb"])
        #expect(first.nextCursor == "bbb")
        let second = try await api.call(.get, "/api/tunnels/list?limit=2&cursor=bbb", key: Harness.alice)
            .decode(TunnelList.self)
        #expect(second.tunnels.map(\.tunnelID) == ["ccc"])
        #expect(second.nextCursor == nil)
        for query in ["limit=0", "limit=201", "limit=x", "cursor=!"] {
            let answer = try await api.call(.get, "/api/tunnels/list?\(query)", key: Harness.alice)
            #expect(answer.problem?.code == "invalid_parameter")
            #expect(answer.problem?.field == String(query.prefix { $0 != "=" }))
        }
    }

    @Test("A user sees its own tunnels, an admin all; another's is as if it were not there")
    func ownership() async throws {
        let api = try await Harness()
        _ = try await api.call(.post, "/api/tunnels/create", key: Harness.alice, body: #"{"name":"my-app"}"#)
        #expect(try await api.call(.get, "/api/tunnels/list", key: Harness.bob).decode(TunnelList.self).tunnels.isEmpty)
        #expect(
            try await api.call(.get, "/api/tunnels/list", key: Harness.root).decode(TunnelList.self).tunnels.count == 1
        )
        #expect(try await api.call(.get, "/api/tunnels/my-app/status", key: Harness.root).status == 200)
        #expect(
            try await api.call(.delete, "/api/tunnels/my-app", key: Harness.bob).problem?.code == "tunnel_not_found"
        )
        #expect(try await api.call(.delete, "/api/tunnels/my-app", key: Harness.root).status == 204)
    }

    @Test("A new token works at once, the old one until the overlap is over")
    func renewal() async throws {
        let api = try await Harness()
        let first = try await api.call(.post, "/api/tunnels/create", key: Harness.alice).decode(
            CreateTunnelResponse.self
        )
        let answer = try await api.call(.post, "/api/tunnels/\(first.tunnelID)/token", key: Harness.alice)
        #expect(answer.status == 201)
        let renewed = try answer.decode(TunnelTokenResponse.self)
        #expect(renewed.token != first.token)
        #expect(renewed.previousEndAt == Date(timeIntervalSince1970: api.time.seconds + 600))
    }

    @Test(
        "A body that is wrong is refused, naming the member",
        arguments: [
            ("{", "invalid_body", nil), ("[]", "invalid_body", nil), (#"{"name":1}"#, "invalid_body", "name"),
            (#"{"name":"A"}"#, "invalid_body", "name"), (#"{"local_port":70000}"#, "invalid_body", "local_port"),
            (#"{"nmae":"a"}"#, "invalid_body", "nmae"),
            (#"{"policy":{"hosts":"a"}}"#, "invalid_body", "policy.hosts"),
            (
                #"{"policy":{"basic_auth":[{"username":"a","password":"b","x":1}]}}"#, "invalid_body",
                "policy.basic_auth[0].x"
            ),
            (#"{"policy":{"path_mode":"x"}}"#, "invalid_body", "policy.path_mode"),
            (#"{"policy":{"ip_allow":["x"]}}"#, "invalid_body", "policy.ip_allow[0]"),
            (#"{"policy":{"ip_allow":[1]}}"#, "invalid_body", "policy.ip_allow[0]"),
            (#"{"policy":{"host":"a\r\nb"}}"#, "invalid_body", "policy.host"),
            (#"{"policy":{"max_connections":0}}"#, "invalid_body", "policy.max_connections"),
            (
                #"{"policy":{"basic_auth":[{"username":"a:b","password":"p"}]}}"#, "invalid_body",
                "policy.basic_auth[0].username"
            ),
            (#"{"policy":{"basic_auth":[{"username":"a"}]}}"#, "invalid_body", "policy.basic_auth[0]"),
            (#"{"policy":{"basic_auth":[{}]}}"#, "invalid_body", "policy.basic_auth[0].username"),
            (#"{"local_port":3000.5}"#, "invalid_body", "local_port"),
            (#"{"policy":{"request_timeout_seconds":1e400}}"#, "invalid_body", "policy.request_timeout_seconds"),
            (#"{"policy":{"host":"a:b:c"}}"#, "invalid_body", "policy.host"),
            (#"{"policy":{"host":"a:65536"}}"#, "invalid_body", "policy.host"),
            (#"{"policy":{"host":"a:080"}}"#, "invalid_body", "policy.host"),
            (#"{"policy":{"host":":80"}}"#, "invalid_body", "policy.host"),
            (#"{"policy":{"host":"["}}"#, "invalid_body", "policy.host"),
            (#"{"policy":{"host":"[::1]x"}}"#, "invalid_body", "policy.host"),
            (#"{"name":"aaa","name":"bbb"}"#, "invalid_body", "name"), (#"{"name":"aaa",}"#, "invalid_body", nil),
            (#"{"policy":{"ip_allow":["10.0.0.0/-0"]}}"#, "invalid_body", "policy.ip_allow[0]"),
        ] as [(String, String, String?)]
    )
    func malformedBody(body: String, code: String, field: String?) async throws {
        let api = try await Harness()
        let answer = try await api.call(.post, "/api/tunnels/create", key: Harness.alice, body: body)
        #expect(answer.status == 400)
        #expect(answer.problem?.code == code)
        #expect(answer.problem?.field == field)
        #expect(answer.response.headerFields[.contentType] == "application/problem+json")
        #expect(answer.response.headerFields[.culvertError] == code)
        #expect(answer.problem?.requestID == answer.response.headerFields[.culvertRequestID])
    }

    @Test("The calls and the document take the members of the schema, within the edge's own bounds")
    func policySchema() async throws {
        var schema = PolicySchema.tunnel
        schema.members.append(
            PolicyMember("path_fallback", .toggle, default: .value(.toggle(false)), documentation: "A test.")
        )
        let api = try await Harness(policySchema: schema)
        let body = #"{"policy":{"path_fallback":true}}"#
        #expect(try await api.call(.post, "/api/tunnels/create", key: Harness.alice, body: body).status == 201)
        let document = try await api.call(.get, "/api/openapi.json").body
        let head = try await api.call(.head, "/api/openapi.json").response
        #expect(head.headerFields[.contentLength] == "\(document.count)")
        #expect(document == Data(OpenAPIDocument.json(policy: schema.limiting("max_connections", to: 100)).utf8))
        let many = #"{"policy":{"max_connections":101}}"#
        let refused = try await api.call(.post, "/api/tunnels/create", key: Harness.alice, body: many)
        #expect(refused.problem?.detail == "policy.max_connections has to be a whole number from 1 to 100.")
    }

    @Test("Wrong paths, methods, media types and sizes have their own errors")
    func otherErrors() async throws {
        let api = try await Harness()
        #expect(try await api.call(.get, "/api/nothing").problem?.code == "not_found")
        #expect(try await api.call(.get, "/api/tunnels/list/").problem?.code == "not_found")
        let method = try await api.call(.put, "/api/tunnels/list", key: Harness.alice)
        #expect(method.status == 405)
        #expect(method.response.headerFields[.allow] == "GET, HEAD")
        let type = try await api.call(.post, "/api/tunnels/create", key: Harness.alice, body: "{}", type: "text/plain")
        #expect(type.status == 415)
        let charset = "application/json; charset=utf-8"
        #expect(
            try await api.call(.post, "/api/tunnels/create", key: Harness.alice, body: "{}", type: charset).status
                == 201
        )
        let large = String(repeating: " ", count: 65_537)
        #expect(try await api.call(.post, "/api/tunnels/create", key: Harness.alice, body: large).status == 413)
        let id = try await api.call(.get, "/api/tunnels/NO/status", key: Harness.alice)
        #expect(id.problem?.code == "invalid_parameter")
        #expect(id.problem?.field == "id")
    }

    @Test("A body that was announced as too large, a fragment and a repeated parameter are refused, each as what it is")
    func oddRequests() async throws {
        let api = try await Harness()
        var request = HTTPRequest(method: .delete, scheme: nil, authority: nil, path: "/api/tunnels/my-app")
        request.headerFields[.authorization] = "Bearer \(Harness.root)"
        request.headerFields[.contentLength] = "65537"
        let (response, _) = await api.plane.respond(
            to: request,
            body: .init(),
            remoteAddress: nil,
            requestID: RequestID()
        )
        #expect(response.status == 413)
        #expect(try await api.call(.get, "/api/openapi.json#x", key: Harness.alice).problem?.code == "not_found")
        let twice = try await api.call(.get, "/api/tunnels/list?limit=1&limit=2", key: Harness.alice)
        #expect(twice.problem?.field == "limit")
        let array = try await api.call(.post, "/api/tunnels/create", key: Harness.alice, body: "[]")
        #expect(array.problem?.detail == "The body has to be an object.")
    }

    @Test("A policy that would make the token longer than a connector may send is refused, and makes no tunnel")
    func longPolicy() async throws {
        let api = try await Harness()
        func body(_ count: Int) -> String {
            let networks = (0..<count).map {
                #""2001:db8:1111:2222:3333:4444:5555:\#(String($0 + 0x1000, radix: 16))/128""#
            }
            let list = networks.joined(separator: ",")
            return #"{"name":"my-app","policy":{"ip_allow":[\#(list)],"ip_deny":[\#(list)]}}"#
        }
        let refused = try await api.call(.post, "/api/tunnels/create", key: Harness.alice, body: body(64))
        #expect(refused.problem?.field == "policy")
        #expect(api.registry.all.isEmpty)
        let created = try await api.call(.post, "/api/tunnels/create", key: Harness.alice, body: body(50))
        let token = try created.decode(CreateTunnelResponse.self).token
        #expect(token.utf8.count > TunnelTokens.maximumLength / 2)
        let id = try #require(TunnelID("my-app"))
        #expect(try await api.tokens.verify(token, for: id).get().claims.sub == "my-app")
    }

    @Test("HEAD answers as GET does, without the body")
    func head() async throws {
        let api = try await Harness()
        let answer = try await api.call(.head, "/api/tunnels/list", key: Harness.alice)
        #expect(answer.status == 200)
        #expect(answer.body.isEmpty)
    }

    @Test("Wrong keys of an address are refused with 429 after the fifth; a right key still passes")
    func bruteForce() async throws {
        let api = try await Harness()
        var statuses: [Int] = []
        for _ in 0..<7 { statuses.append(try await api.call(.get, "/api/tunnels/list", key: "wrong").status) }
        #expect(statuses == [401, 401, 401, 401, 401, 429, 429])
        let limited = try await api.call(.get, "/api/tunnels/list", key: "wrong")
        #expect(limited.response.headerFields[.retryAfter] == "12")
        #expect(limited.response.headerFields[.rateLimit] == #""logins";r=0;t=12"#)
        #expect(limited.response.headerFields[.rateLimitPolicy] == #""logins";q=5;w=60"#)
        #expect(try await api.call(.get, "/api/tunnels/list", key: "wrong", from: "192.0.2.2").status == 401)
        #expect(try await api.call(.get, "/api/tunnels/list", key: Harness.alice).status == 200)
    }

    @Test("A key makes so many calls a second, and tunnels an hour")
    func rates() async throws {
        var limits = APILimits.Settings()
        limits.calls = RateLimit(3, perSeconds: 1)
        limits.creations = RateLimit(1, perSeconds: 3600)
        let api = try await Harness(limits: limits)
        #expect(try await api.call(.post, "/api/tunnels/create", key: Harness.alice).status == 201)
        let second = try await api.call(.post, "/api/tunnels/create", key: Harness.alice)
        #expect(second.problem?.code == "rate_limited")
        #expect(second.response.headerFields[.retryAfter] == "3600")
        #expect(second.response.headerFields[.rateLimitPolicy] == #""creations";q=1;w=3600"#)
        #expect(try await api.call(.get, "/api/tunnels/list", key: Harness.alice).status == 200)
        #expect(try await api.call(.get, "/api/tunnels/list", key: Harness.alice).status == 429)
        #expect(try await api.call(.get, "/api/tunnels/list", key: Harness.bob).status == 200)
    }

    @Test("A tunnel that is deleted is not counted any more, unless passwords were hashed for it")
    func deletedAgain() async throws {
        var limits = APILimits.Settings()
        limits.calls = RateLimit(1_000, perSeconds: 1)
        limits.creations = RateLimit(2, perSeconds: 3600)
        let api = try await Harness(limits: limits)
        let plain = #"{"name":"my-app"}"#
        for _ in 0..<5 {
            #expect(try await api.call(.post, "/api/tunnels/create", key: Harness.alice, body: plain).status == 201)
            #expect(try await api.call(.delete, "/api/tunnels/my-app", key: Harness.alice).status == 204)
            #expect(try await api.call(.delete, "/api/tunnels/my-app", key: Harness.alice).status == 404)
        }
        let guarded = #"{"name":"my-app","policy":{"basic_auth":[{"username":"u","password":"long enough"}]}}"#
        for _ in 0..<2 {
            #expect(try await api.call(.post, "/api/tunnels/create", key: Harness.alice, body: guarded).status == 201)
            #expect(try await api.call(.delete, "/api/tunnels/my-app", key: Harness.alice).status == 204)
        }
        #expect(try await api.call(.post, "/api/tunnels/create", key: Harness.alice, body: plain).status == 429)
    }

    @Test("A tunnel that is taken up again by its name is not a new one, unless there are passwords to hash")
    func takenUpAgain() async throws {
        var limits = APILimits.Settings()
        limits.creations = RateLimit(1, perSeconds: 3600)
        let api = try await Harness(limits: limits)
        let plain = #"{"name":"my-app"}"#
        for _ in 0..<3 {
            #expect(try await api.call(.post, "/api/tunnels/create", key: Harness.alice, body: plain).status == 201)
        }
        let guarded = #"{"name":"my-app","policy":{"basic_auth":[{"username":"u","password":"long enough"}]}}"#
        #expect(try await api.call(.post, "/api/tunnels/create", key: Harness.alice, body: guarded).status == 429)
        let new = #"{"name":"new-app"}"#
        #expect(try await api.call(.post, "/api/tunnels/create", key: Harness.alice, body: new).status == 429)
    }

    @Test("A guessed one-time code is refused after the fifth wrong one, wherever it comes from")
    func guessedCodes() async throws {
        let api = try await Harness(withSecondFactor: true)
        for number in 0..<5 {
            let answer = try await api.call(
                .post,
                "/api/tunnels/create",
                key: Harness.alice,
                code: "000000",
                from: "192.0.2.\(number)"
            )
            #expect(answer.problem?.code == "otp_invalid")
        }
        let sixth = try await api.call(.post, "/api/tunnels/create", key: Harness.alice, code: api.code())
        #expect(sixth.status == 429)
        for _ in 0..<20 {
            api.time.advance(by: 60)
            // Codes that are right leave no trace: there are five tries again each time.
            let answer = try await api.call(.post, "/api/tunnels/create", key: Harness.alice, code: api.code())
            #expect(answer.status != 429)
        }
    }
}
