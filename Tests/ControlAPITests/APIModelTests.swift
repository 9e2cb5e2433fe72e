// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Testing

@Suite("Control API models")
struct APIModelTests {
    private func json(_ value: some Encodable) throws -> String {
        String(decoding: try APICoding.makeEncoder().encode(value), as: UTF8.self)
    }

    private func decode<T: Decodable>(_ text: String, as type: T.Type = T.self) throws -> T {
        try APICoding.makeDecoder().decode(type, from: Data(text.utf8))
    }

    @Test("A creation response has the documented members and an RFC 3339 date")
    func creationResponse() throws {
        let response = CreateTunnelResponse(
            tunnelID: "my-app",
            name: "my-app",
            url: "https://edge.example/my-app/",
            token: "t",
            expiresAt: Date(timeIntervalSince1970: 1_000_000_000)
        )
        #expect(
            try json(response)
                == #"{"expires_at":"2001-09-09T01:46:40Z","name":"my-app","token":"t","tunnel_id":"my-app","#
                + #""url":"https://edge.example/my-app/"}"#
        )
        #expect(try decode(try json(response)) == response)
    }

    @Test("A date with a fraction of a second is read, another text is not")
    func dates() throws {
        let text = #"["2001-09-09T01:46:40.250Z", "2001-09-09T01:46:40Z"]"#
        let dates = try decode(text, as: [Date].self)
        #expect(dates.map(\.timeIntervalSince1970) == [1_000_000_000.25, 1_000_000_000])
        #expect(throws: DecodingError.self) { try decode(#"["yesterday"]"#, as: [Date].self) }
    }

    @Test("Every member of a creation request may be left out")
    func emptyRequest() throws {
        #expect(try decode("{}") == CreateTunnelRequest())
        #expect(try decode(#"{"policy":{}}"#) == CreateTunnelRequest(policy: TunnelPolicy()))
    }

    @Test("A port that is none is refused", arguments: ["-1", "65536", "\"80\"", "1.5"])
    func badPort(text: String) {
        #expect(throws: DecodingError.self) { try decode(#"{"local_port":\#(text)}"#, as: CreateTunnelRequest.self) }
    }

    @Test("A policy is written without its defaults and read back the same")
    func policyRoundTrip() throws {
        #expect(try json(TunnelPolicy()) == "{}")
        let policy = TunnelPolicy {
            $0.pathMode = .keep
            $0.host = .rewrite("app.test")
            $0.requestTimeoutSeconds = 5
            $0.maxConnections = 2
            $0.requestsPerSecond = 9
            $0.basicAuth = [BasicCredential(username: "u", passwordHash: "h")]
            $0.ipAllow = ["10.0.0.0/8"]
            $0.ipDeny = ["10.1.0.0/16"]
            $0.upgrades = .websocket
            $0.originReuse = .never
        }
        #expect(try decode(try json(policy)) == policy)
    }

    @Test(
        "The host policy is one string",
        arguments: [
            ("rewrite", HostPolicy.local, "localhost"),
            ("preserve", .preserve, "visitor.test"),
            ("app.test:81", .rewrite("app.test:81"), "app.test:81"),
        ]
    )
    func hostPolicy(text: String, policy: HostPolicy, value: String) throws {
        #expect(HostPolicy(text) == policy)
        #expect(policy.description == text)
        #expect(policy.value(visitorHost: "visitor.test") == value)
    }

    @Test("The local host policy takes the port of the origin once it is known")
    func resolvedHostPolicy() {
        #expect(HostPolicy.local.resolved(localPort: 3000) == .rewrite("localhost:3000"))
        #expect(HostPolicy.local.resolved(localPort: nil) == .local)
        #expect(HostPolicy.preserve.resolved(localPort: 3000) == .preserve)
    }

    @Test("A problem carries its code, also as a type URI, and the request id")
    func problem() throws {
        let problem = ProblemDetails(title: "Not found", status: 404, code: "tunnel_not_found", requestID: "r1")
        #expect(
            try json(problem)
                == #"{"code":"tunnel_not_found","request_id":"r1","status":404,"title":"Not found","#
                + #""type":"urn:culvert:problem:tunnel_not_found"}"#
        )
        #expect(try decode(try json(problem)) == problem)
    }
}
