// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import RedisServer
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

/// Whole edges side by side that serve each other's tunnels, and a real Redis.
@Suite("Several edges", .serialized)
struct SeveralEdgesTests {
    private static let secret = Data((0..<32).map { UInt8($0) }).base64EncodedString()

    private func edge(
        _ server: RedisServer,
        _ arguments: [String] = [],
        body: (EdgeUnderTest) async throws -> Void
    ) async throws {
        var arguments =
            arguments + [
                "--cluster-redis-url", "redis://127.0.0.1:\(server.port)", "--cluster-lease", "1s",
            ]
        for (flag, value) in [("--cluster-listen", "127.0.0.1:0"), ("--tunnel-reconnect-hold", "5s")]
        where !arguments.contains(flag) {
            arguments += [flag, value]
        }
        try await EdgeUnderTest.run(
            arguments,
            environment: ["CULVERT_AUTH_SIGNING_KEY": Self.secret],
            body
        )
    }

    /// Two edges; the connector of a tunnel is at the first.
    private func pair(
        _ arguments: [String] = [],
        policy: String = "{}",
        _ body: (RedisServer, EdgeUnderTest, EdgeUnderTest, CreateTunnelResponse, ScriptedConnector) async throws ->
            Void
    ) async throws {
        let server = try RedisServer()
        try await self.edge(server, arguments) { one in
            try await self.edge(server, arguments) { other in
                let tunnel = try await one.makeTunnel(#"{"name":"my-app","policy":\#(policy)}"#)
                let connector = try await one.connect(tunnel)
                try await one.until("the session is known") {
                    try server.ask(["HGETALL", "cv:t:my-app"]).contains("s:")
                }
                try await body(server, one, other, tunnel, connector)
            }
        }
    }

    @Test(
        "A tunnel is served at an edge that its connector is not connected to, and Redis is not asked about each request"
    )
    func relayed() async throws {
        try await self.pair { server, one, other, _, _ async throws -> Void in
            #expect(try await other.get("/my-app/").status == 200)
            #expect(try await one.metric("culvert_link_streams_total", "relayed") == 1)
            try server.ask(["CONFIG", "RESETSTAT"])
            for _ in 0..<20 { #expect(try await other.get("/my-app/", method: "POST", body: "abc").status == 200) }
            let commands = try server.ask(["INFO", "commandstats"])
            #expect(!commands.contains("hgetall"), "\(commands)")
            #expect(try await other.metric("culvert_links") == 1)
            try await other.until("they are counted") {
                try await other.metric("culvert_requests_total", #"class="2xx",via="pod""#) == 21
            }
            #expect(try await other.metric("culvert_requests_total", #"class="2xx",via="local""#) == 0)
            #expect(try await one.get("/my-app/").status == 200)
            // The call that made the tunnel is the other one.
            try await one.until("it is counted") {
                try await one.metric("culvert_requests_total", #"class="2xx",via="local""#) == 2
            }
            #expect(try await one.metric("culvert_requests_total", #"via="pod""#) == 0)
        }
    }

    @Test(
        "List and status of any edge show a tunnel as online whose connector is at another one, and where, and offline afterwards"
    )
    func shown() async throws {
        try await self.pair { server, one, other, _, connector in
            func shown(at edge: EdgeUnderTest) async throws -> [TunnelStatus] {
                let list = try await edge.call("GET", "tunnels/list").body
                let status = try await edge.call("GET", "tunnels/my-app/status").body
                let decoder = APICoding.makeDecoder()
                return try decoder.decode(TunnelList.self, from: Data(list.utf8)).tunnels
                    + [try decoder.decode(TunnelStatus.self, from: Data(status.utf8))]
            }
            let pod = try server.ask(["HVALS", "cv:t:my-app"]).split(separator: "\n").map(String.init)
            for status in try await shown(at: other) {
                #expect(status.state == .online)
                #expect(status.sessions.isEmpty && status.elsewhere?.map(\.sessions) == [1])
                #expect(status.elsewhere?.allSatisfy { pod.contains($0.pod) } == true)
            }
            for status in try await shown(at: one) { #expect(status.sessions.count == 1 && status.elsewhere == nil) }
            #expect(try await other.get("/my-app/").status == 200)
            #expect(try await shown(at: other).map(\.state) == [.online, .online])
            try await connector.drop()
            try await one.until("it is known") { try !server.ask(["HKEYS", "cv:t:my-app"]).contains("s:") }
            for status in try await shown(at: other) {
                #expect(status.state == .offline && status.elsewhere == nil)
            }
        }
    }

    @Test("A connector that moves to a third edge is found there, by a request of any method")
    func moved() async throws {
        try await self.pair { server, one, other, tunnel, connector in
            #expect(try await other.get("/my-app/").status == 200)
            try await self.edge(server) { third in
                try await connector.drop()
                try await one.until("it has left") { try await one.metric("culvert_active_sessions") == 0 }
                _ = try await third.connect(tunnel)
                #expect(try await other.get("/my-app/", method: "POST", body: "abc").status == 200)
                #expect(try await one.get("/my-app/").status == 200)
                #expect(try await third.metric("culvert_link_streams_total", "relayed") == 2)
            }
        }
    }

    @Test("While Redis is away a known way is used, and what can't be looked for is registry_unavailable")
    func outage() async throws {
        try await self.pair(["--tunnel-reconnect-hold", "200ms"]) { server, one, other, _, connector in
            #expect(try await other.get("/my-app/").status == 200)
            server.kill()
            try await other.until("it is noticed") { try await other.metric("culvert_registry_up") == 0 }
            #expect(try await other.get("/my-app/").status == 200)
            #expect(try await other.get("/nobody/")["Culvert-Error"] == "registry_unavailable")
            try await connector.drop()
            try await one.until("it has left") { try await one.metric("culvert_active_sessions") == 0 }
            #expect(try await other.get("/my-app/")["Culvert-Error"] == "registry_unavailable")
        }
    }

    @Test("A deletion and a tighter policy hold within a second at an edge that only passes requests on")
    func inForce() async throws {
        try await self.pair { _, one, other, _, _ in
            #expect(try await other.get("/my-app/").status == 200)
            var start = ContinuousClock.now
            _ = try await one.makeTunnel(#"{"name":"my-app","policy":{"ip_deny":["127.0.0.0/8"]}}"#)
            try await other.until("the policy is in force") { try await other.get("/my-app/").status == 403 }
            #expect(ContinuousClock.now - start < .seconds(1))
            start = ContinuousClock.now
            #expect(try await other.call("DELETE", "tunnels/my-app").status == 204)
            try await one.until("the session is over") { try await one.metric("culvert_active_sessions") == 0 }
            #expect(ContinuousClock.now - start < .seconds(1))
            #expect(try await other.get("/my-app/")["Culvert-Error"] == "tunnel_not_found")
        }
    }

    @Test("A policy is the visitor's edge's to enforce, as at the connector's")
    func policy() async throws {
        try await self.pair(policy: #"{"basic_auth":[{"username":"ann","password":"a-long-password"}]}"#) {
            _,
            _,
            other,
            _,
            _ async throws -> Void in
            #expect(try await other.get("/my-app/").status == 401)
            let credentials = Data("ann:a-long-password".utf8).base64EncodedString()
            let fields = [("Host", "edge.example"), ("Authorization", "Basic \(credentials)")]
            #expect(try await other.get("/my-app/", fields: fields).status == 200)
        }
    }

    @Test("Without a token of the cluster nobody opens a link")
    func strangers() async throws {
        let server = try RedisServer()
        let port = try RedisServer.freePort()
        try await self.edge(server, ["--cluster-listen", "127.0.0.1:\(port)"]) { edge in
            let tunnel = try await edge.makeTunnel()
            for token in [nil, "", tunnel.token, EdgeUnderTest.apiKey] {
                let visitor = try await RawVisitor.connect(to: ListenAddress(host: "127.0.0.1", port: port))
                var head = "GET /peer HTTP/1.1\r\nHost: edge\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                head += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                head += "Sec-WebSocket-Protocol: culvert.mux.v1\r\n"
                if let token { head += "Authorization: Bearer \(token)\r\n" }
                try await visitor.send(head + "\r\n")
                #expect(try await visitor.answer().status == 401)
            }
        }
    }
}
