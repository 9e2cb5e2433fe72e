// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Testing

@testable import ConnectorCore

@Suite("The control API as the connector calls it", .timeLimit(.minutes(1)))
struct ControlClientTests {
    private func answer(_ head: String, type: String = "application/json", body: String = "") -> FakeEdge.Answer {
        .bytes(
            "HTTP/1.1 \(head)\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n"
                + "Connection: close\r\n\r\n\(body)"
        )
    }

    /// Calls a fake edge that gives one answer.
    private func call<Answer: Sendable>(
        _ answer: FakeEdge.Answer,
        oneTimeCode: String? = nil,
        _ body: @Sendable (ControlClient) async throws(EdgeFailure) -> Answer
    ) async throws -> (outcome: Result<Answer, EdgeFailure>, request: String) {
        let edge = try await FakeEdge.start(answer)
        let access = EdgeAccess(
            edge: edge.address,
            credentials: try Credentials(apiKey: "the-key", oneTimeCode: oneTimeCode)
        )
        var call = try ControlCall(access: access, certificateAuthorityFile: nil, proxies: .direct)
        call.knowsEdge = true
        let outcome: Result<Answer, EdgeFailure>
        do {
            outcome = .success(try await call.perform(body))
        } catch {
            outcome = .failure(error)
        }
        try await edge.stop()
        for await case .request(let head) in edge.events { return (outcome, head) }
        return (outcome, "")
    }

    @Test("A file of certificates that is missing or empty is named before an edge is asked", arguments: [nil, "x"])
    func certificates(content: String?) throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).pem")
        try content.map { try Data($0.utf8).write(to: file) }
        defer { try? FileManager.default.removeItem(at: file) }
        let edge = try EdgeAddress(parsing: "https://edge.example")
        let access = EdgeAccess(edge: edge, credentials: try Credentials(apiKey: "the-key"))
        let failure = #expect(throws: CommandFailure.self) {
            try ControlCall(access: access, certificateAuthorityFile: file.path, proxies: .direct)
        }
        #expect(failure?.message.contains(file.path) == true)
    }

    @Test("A file of SSL_CERT_FILE that is missing or empty is named with the variable", arguments: [nil, "x"])
    func certificatesOfEnvironment(content: String?) throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).pem")
        try content.map { try Data($0.utf8).write(to: file) }
        defer { try? FileManager.default.removeItem(at: file) }
        let environment = ["SSL_CERT_FILE": file.path]
        func check(_ edge: String) throws {
            let edge = try EdgeAddress(parsing: edge)
            let access = EdgeAccess(edge: edge, credentials: try Credentials(apiKey: "the-key"))
            _ = try ControlCall(
                access: access,
                certificateAuthorityFile: nil,
                proxies: .direct,
                environment: environment
            )
        }
        let failure = #expect(throws: CommandFailure.self) { try check("https://edge.example") }
        #expect(failure?.status == .configuration)
        let reason = content == nil ? "there is no such file" : "it holds none in PEM"
        let message =
            "SSL_CERT_FILE names \(file.path), which should hold the certificates to trust, and can't be used: \(reason)."
        #expect(failure?.message == message)
        #expect(throws: Never.self, "without TLS nobody reads it") { try check("http://edge.example") }
    }

    @Test("A tunnel is made with key and code in their fields, and the answer is read")
    func create() async throws {
        let body = #"{"expires_at":"2030-01-01T00:00:00Z","token":"t","tunnel_id":"my-app","url":"https://e/my-app/"}"#
        let (outcome, request) = try await self.call(self.answer("201 Created", body: body), oneTimeCode: "123456") {
            client async throws(EdgeFailure) in try await client.create(CreateTunnelRequest(name: "my-app"))
        }
        #expect(try outcome.get().url == "https://e/my-app/")
        #expect(request.hasPrefix("POST /api/tunnels/create HTTP/1.1\r\n"))
        #expect(request.contains("\r\nAuthorization: Bearer the-key\r\n"))
        #expect(request.contains("\r\nCulvert-OTP: 123456\r\n"))
    }

    @Test(
        "An edge that does not know where tunnels are served from is asked again without, once",
        arguments: ["pool", "served_from"]
    )
    func olderEdge(member: String) async throws {
        let problem = """
            {"type":"urn:culvert:problem:invalid_body","title":"x","status":400,"code":"invalid_body","field":"\(member)"}
            """
        let edge = try await FakeEdge.start(self.answer("400 x", type: ProblemDetails.mediaType, body: problem))
        let access = EdgeAccess(edge: edge.address, credentials: try Credentials(apiKey: "the-key"))
        var call = try ControlCall(access: access, certificateAuthorityFile: nil, proxies: .direct)
        call.knowsEdge = true
        let request = CreateTunnelRequest(name: "my-app", servedFrom: "here", pool: true)
        await #expect(throws: EdgeFailure.self) {
            try await call.perform { client async throws(EdgeFailure) in try await client.create(request) }
        }
        try await edge.stop()
        var lengths: [String?] = []
        for await case .request(let head) in edge.events {
            lengths.append(head.firstMatch(of: /(?i)\r\ncontent-length: (\d+)/).map { String($0.output.1) })
        }
        let bodies = [request, CreateTunnelRequest(name: "my-app")]
        #expect(lengths == (try bodies.map { try APICoding.makeEncoder().encode($0).count.description }))
    }

    @Test(
        "No key is shown to a server that is no edge",
        arguments: ["200 OK", "201 Created", "404 Not Found", "401 Unauthorized", "503 Service Unavailable"]
    )
    func stranger(status: String) async throws {
        let server = try await FakeEdge.start(self.answer(status, body: #"{"token":"t"}"#))
        let access = EdgeAccess(edge: server.address, credentials: try Credentials(apiKey: "the-key"))
        let call = try ControlCall(access: access, certificateAuthorityFile: nil, proxies: .direct)
        await #expect(throws: EdgeFailure.self) {
            try await call.perform { client async throws(EdgeFailure) in
                try await client.create(CreateTunnelRequest(name: "my-app"))
            }
        }
        try await server.stop()
        var heads: [String] = []
        for await case .request(let head) in server.events { heads.append(head) }
        #expect(!heads.isEmpty)
        #expect(!heads.contains { $0.contains("the-key") || $0.hasPrefix("POST") }, "\(heads)")
    }

    @Test("A name that a person types stays within its path segment")
    func pathSegment() async throws {
        let (_, request) = try await self.call(self.answer("204 No Content")) {
            client async throws(EdgeFailure) in try await client.delete("../keys?x#y z")
        }
        #expect(request.hasPrefix("DELETE /api/tunnels/%2E%2E%2Fkeys%3Fx%23y%20z HTTP/1.1\r\n"))
    }

    @Test("A call that an edge asks to make later is made later, once the edge takes it")
    func patience() async throws {
        let edge = try await FakeEdge.start(self.answer("429 x\r\nRetry-After: 0"))
        let access = EdgeAccess(edge: edge.address, credentials: try Credentials(apiKey: "the-key"))
        var call = try ControlCall(access: access, certificateAuthorityFile: nil, proxies: .direct)
        call.knowsEdge = true
        async let end: Void = call.perform { client async throws(EdgeFailure) in try await client.delete("my-app") }
        for await case .request in edge.events {
            edge.answer(with: self.answer("204 No Content"))
            break
        }
        try await end
        try await edge.stop()
    }

    @Test("Waits are as long as the edge says, and together no longer than the bound")
    func patienceBound() {
        func limited(_ seconds: Int?) -> EdgeFailure {
            .refused(status: 429, retryAfter: seconds.map { .seconds($0) }, problem: nil)
        }
        var patience = CallPatience(.seconds(10))
        #expect(patience.wait(after: .refused(status: 503, retryAfter: .seconds(1), problem: nil)) == nil)
        #expect(patience.wait(after: limited(11)) == nil)
        #expect(patience.wait(after: limited(7)) == .seconds(7))
        #expect(patience.wait(after: limited(4)) == nil)
        #expect(patience.wait(after: limited(nil)) == CallPatience.shortest)
        #expect(patience.wait(after: limited(0)) == CallPatience.shortest)
        var none = CallPatience(.zero)
        #expect(none.wait(after: limited(0)) == nil)
    }

    @Test("What the edge refuses is told in its words, with its waiting time")
    func refused() async throws {
        let problem =
            #"{"type":"urn:culvert:problem:rate_limited","title":"Too many","status":429,"code":"rate_limited"}"#
        let answer = self.answer("429 x\r\nRetry-After: 77", type: ProblemDetails.mediaType, body: problem)
        let (outcome, _) = try await self.call(answer) { client async throws(EdgeFailure) in try await client.list() }
        guard case .failure(.refused(429, .some(.seconds(77)), .some(let details))) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(details.code == "rate_limited")
    }

    @Test(
        "What is not the control API is not taken for it",
        arguments: [
            ("200 OK", "text/html", "<html>"), ("200 OK", "application/json", "{}"),
            // A list without an end.
            ("200 OK", "application/json", #"{"tunnels":[],"next_cursor":"aaa"}"#),
            ("404 Not Found", "text/html", "no"),
            ("302 Found\r\nLocation: http://127.0.0.1:1/", "text/html", ""), ("403 Forbidden", "text/html", "{}"),
        ]
    )
    func notTheAPI(head: String, type: String, body: String) async throws {
        let (outcome, _) = try await self.call(self.answer(head, type: type, body: body)) {
            client async throws(EdgeFailure) in try await client.list()
        }
        guard case .failure(let failure) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        guard case .stop(let end) = ReconnectPolicy().decide(afterCall: failure) else {
            Issue.record("\(failure) must end the command")
            return
        }
        #expect(end.status == (head.hasPrefix("403") ? .refused : .unavailable))
    }

    @Test("An edge is recognised by its problem documents, another server is not")
    func findEdge() async throws {
        let problem = #"{"type":"urn:culvert:problem:not_found","title":"x","status":404,"code":"not_found"}"#
        let (found, request) = try await self.call(
            self.answer("404 x", type: ProblemDetails.mediaType, body: problem)
        ) { client async throws(EdgeFailure) in try await client.findEdge() }
        #expect(throws: Never.self) { try found.get() }
        #expect(!request.contains("the-key"))
        let document = #"{"info":{"title":"Culvert control API"}}"#
        for (fields, time) in [
            ("", nil), ("\r\nDate: yesterday", nil), ("\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777.0),
        ] {
            let (dated, _) = try await self.call(
                self.answer("200 OK\(fields)", body: document)
            ) { client async throws(EdgeFailure) in try await client.findEdge() }
            #expect(try dated.get()?.timeIntervalSince1970 == time)
        }
        let (other, _) = try await self.call(self.answer("404 x", body: "{}")) {
            client async throws(EdgeFailure) in try await client.findEdge()
        }
        #expect(throws: EdgeFailure.self) { try other.get() }
    }

    @Test(
        "What an edge says to visitors alone tells that the address is a tunnel's, for each call and without a key",
        arguments: [("503", "tunnel_offline"), ("404", "tunnel_not_found"), ("401", "login_required")]
    )
    func tunnelAddress(status: String, code: String) async throws {
        let problem = #"{"type":"urn:culvert:error:\#(code)","title":"x","status":\#(status),"code":"\#(code)"}"#
        let answer = self.answer("\(status) x", type: ProblemDetails.mediaType, body: problem)
        let (found, _) = try await self.call(answer) { client async throws(EdgeFailure) in
            _ = try await client.findEdge()
        }
        let (listed, _) = try await self.call(answer) { client async throws(EdgeFailure) in
            _ = try await client.list()
        }
        for outcome in [found, listed] {
            guard case .failure(let failure) = outcome, case .tunnelAddress(let address, nil) = failure else {
                Issue.record("\(outcome)")
                continue
            }
            #expect(
                "\(failure)"
                    == "\(address) is the address of a tunnel, and not that of its edge: give the one that the edge itself has."
            )
            #expect(
                ReconnectPolicy().decide(afterCall: failure)
                    == .stop(CommandFailure(.unavailable, failure.description))
            )
        }
    }

    @Test("A tunnel's address with its id in the path tells where the edge is")
    func edgeOfTunnel() throws {
        var problem = ProblemDetails(title: "x", status: 503, code: "tunnel_offline")
        problem.type = "urn:culvert:error:tunnel_offline"
        for (address, edge) in [
            ("https://e.example/my-app", "https://e.example"), ("https://e.example/a/my-app", "https://e.example/a"),
        ] {
            #expect(
                EdgeFailure(
                    refusedBy: try EdgeAddress(parsing: address),
                    status: 503,
                    retryAfter: .seconds(5),
                    problem: problem
                ) == .tunnelAddress(address: address, edge: edge)
            )
        }
    }

    @Test("An app that answers behind a tunnel is no edge, and where that may be is said if the address has a path")
    func appBehindTunnel() throws {
        let tunnel = try EdgeAddress(parsing: "https://e.example/my-app")
        let failure = EdgeFailure(refusedBy: tunnel, status: 404, retryAfter: nil, problem: nil)
        #expect(
            "\(failure)"
                == "What answers at https://e.example/my-app is not a Culvert edge: it answered HTTP 404; if the address is a "
                + "tunnel's, its edge is at https://e.example."
        )
        let host = try EdgeAddress(parsing: "https://e.example")
        #expect(
            EdgeFailure(refusedBy: host, status: 404, retryAfter: nil, problem: nil)
                == .refused(status: 404, retryAfter: nil, problem: nil)
        )
    }

    @Test("What an edge says to any connection, and of its API, tells nothing of the address")
    func connectionProblems() throws {
        let edge = try EdgeAddress(parsing: "https://e.example/my-app")
        var tooMany = ProblemDetails(title: "x", status: 503, code: "too_many_connections")
        let limited = ProblemDetails(title: "x", status: 429, code: "rate_limited")
        tooMany.type = "urn:culvert:error:too_many_connections"
        for problem in [tooMany, limited] {
            #expect(
                EdgeFailure(refusedBy: edge, status: problem.status, retryAfter: nil, problem: problem)
                    == .refused(status: problem.status, retryAfter: nil, problem: problem)
            )
        }
    }

    @Test("Retry-After is read as seconds and nothing else")
    func retryAfter() {
        #expect(RetryAfter.parse("120") == .seconds(120))
        #expect(RetryAfter.parse("0") == .zero)
        for value in [nil, "", "-1", "1.5", "Wed, 21 Oct 2015 07:28:00 GMT", "9999999999", "٣"] {
            #expect(RetryAfter.parse(value) == nil)
        }
    }
}
