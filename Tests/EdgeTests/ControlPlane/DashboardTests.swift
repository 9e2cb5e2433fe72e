// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import HTTPTypes
import Testing

@testable import EdgeControl
@testable import EdgeTunnels

@Suite("The dashboard")
struct DashboardTests {
    private static let (alice, bob, root) = (
        ControlPlaneHarness.alice, ControlPlaneHarness.bob, ControlPlaneHarness.root
    )

    private func code(_ answer: Answer) -> String? { answer.response.headerFields[.culvertError] }

    @Test("Who has signed in makes calls without the key: of own tunnels alone, unless the key is an admin's")
    func signsIn() async throws {
        let test = try await DashboardUnderTest()
        let (answer, alice) = try await test.signIn(Self.alice)
        #expect(answer.status == 201)
        let cookie = try #require(answer.response.headerFields[.setCookie])
        #expect(cookie.hasPrefix("culvert-dashboard-8990=") && !cookie.contains("Secure"))
        for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=28800"] { #expect(cookie.contains(part)) }
        let made = try await test.call(.post, "/api/tunnels/create", as: alice, body: #"{"name":"my-app"}"#)
        #expect(made.status == 201)
        let own = try await test.call(.get, "/api/tunnels/list", as: alice)
        #expect(try own.decode(TunnelList.self).tunnels.map(\.tunnelID) == ["my-app"])
        let bob = try await test.signIn(Self.bob).halves
        #expect(try await test.call(.get, "/api/tunnels/list", as: bob).decode(TunnelList.self).tunnels.isEmpty)
        for (method, path) in [(HTTPRequest.Method.get, "status"), (.post, "token"), (.get, "inbox")] {
            let foreign = try await test.call(method, "/api/tunnels/my-app/\(path)", as: bob)
            #expect(self.code(foreign) == "tunnel_not_found")
        }
        #expect(try await test.call(.delete, "/api/tunnels/my-app", as: bob).status == 404)
        let root = try await test.signIn(Self.root).halves
        #expect(try await test.call(.get, "/api/tunnels/my-app/status", as: root).status == 200)
        let who = try await test.call(.get, "/api/dashboard/session", as: root)
        #expect(String(decoding: who.body, as: UTF8.self).contains(#""role":"admin""#))
        #expect(!String(decoding: who.body, as: UTF8.self).contains("token"))
    }

    @Test("A key with a second factor needs its code to sign in, once, and not for each change afterwards")
    func secondFactor() async throws {
        let test = try await DashboardUnderTest(withSecondFactor: true)
        #expect(self.code(try await test.signIn(Self.alice).answer) == "otp_required")
        #expect(self.code(try await test.signIn(Self.alice, code: "000000").answer) == "otp_invalid")
        let code = test.harness.code()
        let (answer, alice) = try await test.signIn(Self.alice, code: code)
        #expect(answer.status == 201)
        #expect(self.code(try await test.signIn(Self.alice, code: code).answer) == "otp_invalid")
        for name in ["one", "two"] {
            let made = try await test.call(.post, "/api/tunnels/create", as: alice, body: #"{"name":"\#(name)"}"#)
            #expect(made.status == 201)
        }
    }

    @Test("A cookie or a token alone, of another session, at another port, changed or too late is nothing")
    func halves() async throws {
        let test = try await DashboardUnderTest()
        let alice = try await test.signIn(Self.alice).halves
        let bob = try await test.signIn(Self.bob).halves
        let cookie = try #require(alice.cookie)
        func status(_ halves: DashboardUnderTest.Halves, host: String = "localhost:8990") async throws -> Int {
            try await test.call(.get, "/api/tunnels/list", as: halves, host: host).status
        }
        #expect(try await status(alice) == 200)
        #expect(try await status(.init(cookie: cookie, token: nil)) == 401)
        #expect(try await status(.init(cookie: nil, token: alice.token)) == 401)
        #expect(try await status(.init(cookie: cookie, token: bob.token)) == 401)
        #expect(try await status(.init(cookie: bob.cookie, token: alice.token)) == 401)
        // Browsers send a cookie to every port: whoever listens there has it, under any name that helps.
        let value = try #require(cookie.split(separator: "=").last)
        #expect(
            try await status(
                .init(cookie: "culvert-dashboard-9000=\(value)", token: alice.token),
                host: "localhost:9000"
            ) == 401
        )
        #expect(try await status(.init(cookie: cookie, token: alice.token), host: "127.0.0.1:8990") == 401)
        for index in stride(from: 25, to: cookie.utf8.count, by: 37) {
            var bytes = Array(cookie.utf8)
            bytes[index] = bytes[index] == UInt8(ascii: "0") ? UInt8(ascii: "1") : UInt8(ascii: "0")
            #expect(try await status(.init(cookie: String(decoding: bytes, as: UTF8.self), token: alice.token)) == 401)
        }
        // A neighbour of the host may have set one of the same name, which comes first.
        #expect(try await status(.init(cookie: "culvert-dashboard-8990=tossed; \(cookie)", token: alice.token)) == 200)
        test.harness.time.advance(by: Double(DashboardSessions.lifetime) - 1)
        #expect(try await status(alice) == 200)
        test.harness.time.advance(by: 1)
        #expect(try await status(alice) == 401)
    }

    @Test("A session ends with signing out, with the key, with another key of its name, and with the edge's keys")
    func ends() async throws {
        let test = try await DashboardUnderTest()
        func record(_ name: String, _ key: String) -> APIKeyRecord {
            APIKeyRecord(name: name, role: .user, sha256: Hexadecimal.encode(APIKey.hash(key)))
        }
        func status(_ halves: DashboardUnderTest.Halves) async throws -> Int {
            try await test.call(.get, "/api/dashboard/session", as: halves).status
        }
        let first = try await test.signIn(Self.alice).halves
        let out = try await test.call(.delete, "/api/dashboard/session", as: first)
        #expect(out.status == 204 && out.response.headerFields[.setCookie]?.contains("Max-Age=0") ?? false)
        #expect(try await status(first) == 401)
        let second = try await test.signIn(Self.alice).halves
        #expect(try await status(second) == 200)
        let keys = test.harness.plane.credentials.keys
        try keys.replace(with: [record("alice", "cvk_other")])
        #expect(try await status(second) == 401)
        try keys.replace(with: [record("alice", Self.alice)])
        #expect(try await status(second) == 200)
        try keys.replace(with: [])
        #expect(try await status(second) == 401)
        try keys.replace(with: [record("alice", Self.alice)])
        test.sessions.replace(with: [[UInt8](repeating: 8, count: 32), [UInt8](repeating: 9, count: 32)])
        #expect(try await status(second) == 200)
        test.sessions.replace(with: [[UInt8](repeating: 8, count: 32)])
        #expect(try await status(second) == 401)
    }

    @Test("Sessions that were ended are remembered up to a bound")
    func bound() throws {
        let sessions = DashboardSessions(secrets: [])
        var last: DashboardSessions.Session?
        for number in 0...DashboardSessions.mostEnded {
            let session = DashboardSessions.Session(
                id: "\(number)",
                key: "k",
                fingerprint: "f",
                host: "h",
                page: "p",
                end: 1_000 + number
            )
            sessions.end(session, now: 1)
            last = session
        }
        #expect(sessions.endedCount == DashboardSessions.mostEnded)
        sessions.end(try #require(last), now: 1_000_000)
        #expect(sessions.endedCount == 1)
    }

    @Test("Over TLS no neighbour of the host can set the cookie")
    func secure() async throws {
        let test = try await DashboardUnderTest(isAdminListener: false)
        let (answer, halves) = try await test.signIn(Self.alice, host: "api.example", scheme: "https")
        let cookie = try #require(answer.response.headerFields[.setCookie])
        #expect(cookie.hasPrefix("__Host-culvert-dashboard=") && cookie.contains("; Secure"))
        let call = try await test.call(.get, "/api/tunnels/list", as: halves, host: "api.example", scheme: "https")
        #expect(call.status == 200)
    }

    /// A request, and whether the guard lets it pass at the admin listener.
    private static let requests: [(what: String, host: String, fields: [(String, String)], passes: Bool)] = [
        ("the page", "localhost:8990", [("Sec-Fetch-Site", "same-origin")], true),
        ("an address", "127.0.0.1:8990", [("Sec-Fetch-Site", "none")], true),
        ("IPv6", "[::1]:8990", [], true),
        ("a name below localhost", "edge.localhost:8990", [], true),
        ("a rebound name", "evil.example:8990", [], false),
        ("a name like an address", "127.0.0.1.evil.example", [], false),
        ("no name", "", [], false),
        ("another port", "localhost:8990", [("Sec-Fetch-Site", "same-site")], false),
        ("another site", "localhost:8990", [("Sec-Fetch-Site", "cross-site")], false),
        ("an Origin of another port", "localhost:8990", [("Origin", "http://localhost:3000")], false),
        ("an opaque Origin", "localhost:8990", [("Origin", "null")], false),
        ("its own Origin", "localhost:8990", [("Origin", "http://localhost:8990")], true),
        ("a tunnel", "localhost:8990", [("X-Forwarded-For", "192.0.2.9")], false),
        ("a proxy", "localhost:8990", [("Via", "1.1 proxy")], false),
        (
            "a link of another site to a call", "localhost:8990",
            [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")], false
        ),
    ]

    @Test("The guard refuses other sites, ports and names, and what came through a proxy", arguments: 0..<15)
    func guarded(index: Int) async throws {
        let (what, host, fields, passes) = Self.requests[index]
        let test = try await DashboardUnderTest()
        let signIn = try await test.call(
            .post,
            "/api/dashboard/session",
            host: host,
            fields: fields + [("Authorization", "Bearer \(Self.alice)")]
        )
        #expect((signIn.status == 201) == passes, "\(what)")
        if !passes { #expect(self.code(signIn) == "foreign_page" && signIn.response.headerFields[.setCookie] == nil) }
        // With both halves, too.
        let halves = try await test.signIn(Self.alice).halves
        guard host == "localhost:8990" else { return }
        let call = try await test.call(.get, "/api/tunnels/list", as: halves, fields: fields)
        #expect((call.status == 200) == passes, "\(what)")
    }

    @Test("A link of another site leads to the page; a form of one changes nothing")
    func links() async throws {
        let test = try await DashboardUnderTest()
        let link = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]
        #expect(try await test.call(.get, "/api/dashboard/", fields: link).status == 200)
        let framed = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")]
        #expect(try await test.call(.get, "/api/dashboard/", fields: framed).status == 403)
        let halves = try await test.signIn(Self.alice).halves
        let form = try await test.call(
            .post,
            "/api/tunnels/create",
            as: halves,
            fields: [("Content-Type", "application/x-www-form-urlencoded")]
        )
        #expect(self.code(form) == "unsupported_media_type")
    }

    @Test("The page's files come with what keeps others from using them, and are looked for by their tags")
    func files() async throws {
        let test = try await DashboardUnderTest()
        #expect(try await test.call(.get, "/api/dashboard").response.headerFields[.location] == "/api/dashboard/")
        for file in DashboardPageFiles.all {
            let answer = try await test.call(.get, "/api/dashboard/\(file.name)")
            #expect(answer.status == 200 && !answer.body.isEmpty, "\(file.name)")
            let policy = answer.response.headerFields[.contentSecurityPolicy] ?? ""
            #expect(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"))
            #expect(!policy.contains("unsafe"))
            #expect(answer.response.headerFields[.xContentTypeOptions] == "nosniff")
            let tag = try #require(answer.response.headerFields[.eTag])
            let again = try await test.call(.get, "/api/dashboard/\(file.name)", fields: [("If-None-Match", tag)])
            #expect(again.status == 304 && again.body.isEmpty)
        }
        #expect(self.code(try await test.call(.get, "/api/dashboard/nothing.js")) == "not_found")
        #expect(self.code(try await test.call(.post, "/api/dashboard/app.css")) == "method_not_allowed")
        #expect(self.code(try await test.call(.put, "/api/dashboard/session")) == "method_not_allowed")
    }

    @Test("Admins see who changed what; the page's own asking is not among it, and no list grows without end")
    func audit() async throws {
        let test = try await DashboardUnderTest()
        let (alice, root) = (try await test.signIn(Self.alice).halves, try await test.signIn(Self.root).halves)
        _ = try await test.call(.post, "/api/tunnels/create", as: alice, body: #"{"name":"my-app"}"#)
        _ = try await test.call(.get, "/api/tunnels/list", as: alice)
        _ = try await test.call(.get, "/api/tunnels/my-app/inbox/messages/msg_x", as: alice)
        #expect(self.code(try await test.call(.get, "/api/dashboard/audit", as: alice)) == "admins_only")
        struct Entry: Decodable {
            var principal: String?
            var method: String
            var path: String
            var status: Int
        }
        let answer = try await test.call(.get, "/api/dashboard/audit", as: root)
        let entries = try #require(try answer.decode([String: [Entry]].self)["entries"])
        #expect(
            entries.map { "\($0.principal ?? "-") \($0.method) \($0.path)" } == [
                "alice GET /api/tunnels/my-app/inbox/messages/msg_x", "alice POST /api/tunnels/create",
                "root POST /api/dashboard/session", "alice POST /api/dashboard/session",
            ]
        )
        let long = String(repeating: "x", count: 1_000)
        for _ in 0...AuditTrail.capacity { _ = try await test.call(.post, "/api/\(long)", as: alice) }
        let latest = test.harness.plane.trail.latest
        #expect(latest.count == AuditTrail.capacity && latest.allSatisfy { $0.path.count <= 200 })
    }

    @Test("At the admin listener nobody calls the API by its key; at the host of the API it stays as it is")
    func entrances() async throws {
        let key = [("Authorization", "Bearer \(Self.alice)")]
        let admin = try await DashboardUnderTest()
        #expect(self.code(try await admin.call(.get, "/api/tunnels/list", fields: key)) == "session_ended")
        let host = try await DashboardUnderTest(isAdminListener: false)
        #expect(try await host.call(.get, "/api/tunnels/list", host: "api.example", fields: key).status == 200)
        // Programs that send no session are no pages, wherever they come from.
        let proxied = key + [("X-Forwarded-For", "192.0.2.9"), ("Origin", "https://elsewhere.example")]
        #expect(try await host.call(.get, "/api/tunnels/list", host: "api.example", fields: proxied).status == 200)
    }

    @Test("Wrong keys are slowed here as in calls of the API")
    func guesses() async throws {
        let test = try await DashboardUnderTest()
        var codes: [String?] = []
        for number in 0..<12 { codes.append(self.code(try await test.signIn("cvk_guess\(number)").answer)) }
        #expect(codes.first == "invalid_credentials" && codes.last == "rate_limited")
        #expect(try await test.signIn(Self.alice).answer.status == 201)
    }
}
