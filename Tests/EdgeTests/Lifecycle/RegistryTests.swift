// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import RedisServer
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

/// Whole edges, one after the other or side by side, and a real Redis.
@Suite("An edge with a registry", .serialized)
struct RegistryTests {
    private static let secret = Data((0..<32).map { UInt8($0) }).base64EncodedString()

    /// Starts an edge that has the same keys as every other one here.
    private func edge(
        _ server: RedisServer,
        _ arguments: [String] = [],
        body: (EdgeUnderTest) async throws -> Void
    ) async throws {
        try await EdgeUnderTest.run(
            ["--cluster-redis-url", "redis://127.0.0.1:\(server.port)", "--cluster-lease", "1s"] + arguments,
            environment: ["CULVERT_AUTH_SIGNING_KEY": Self.secret],
            body
        )
    }

    private func list(_ edge: EdgeUnderTest) async throws -> TunnelList {
        let answer = try await edge.call("GET", "tunnels/list")
        return try APICoding.makeDecoder().decode(TunnelList.self, from: Data(answer.body.utf8))
    }

    @Test("What was deleted or replaced stays so after a restart, and what was made is still known")
    func restart() async throws {
        let server = try RedisServer()
        var tunnels: [CreateTunnelResponse] = []
        try await self.edge(server) { edge in
            for name in ["deleted", "kept", "replaced"] {
                tunnels.append(try await edge.makeTunnel(#"{"name":"\#(name)"}"#))
            }
            #expect(try await edge.call("DELETE", "tunnels/deleted").status == 204)
            #expect(try await edge.call("POST", "tunnels/replaced/token", body: "{}").status == 201)
        }
        try await self.edge(server, ["--tunnel-token-overlap", "0s"]) { edge async throws -> Void in
            #expect(try await edge.upgrade("deleted", token: tunnels[0].token).status == 401)
            #expect(try await edge.upgrade("kept", token: tunnels[1].token).status == 101)
            // Its overlap lasts.
            #expect(try await edge.upgrade("replaced", token: tunnels[2].token).status == 101)
            #expect(try await edge.call("POST", "tunnels/replaced/token", body: "{}").status == 201)
            #expect(try await edge.upgrade("replaced", token: tunnels[2].token).status == 401)
            #expect(try await self.list(edge).tunnels.map(\.tunnelID) == ["kept", "replaced"])
        }
        try await self.edge(server) { edge async throws -> Void in
            #expect(try await edge.upgrade("replaced", token: tunnels[2].token).status == 401)
            #expect(try await edge.get("/kept/")["Culvert-Error"] == "tunnel_offline")
            #expect(try await edge.get("/deleted/")["Culvert-Error"] == "tunnel_not_found")
            #expect(try await edge.call("GET", "tunnels/kept/status").status == 200)
            #expect(try await edge.call("GET", "tunnels/deleted/status").status == 404)
        }
    }

    @Test("A Redis that answers, and has no memory for what it is told, counts as away until it takes that again")
    func refusing() async throws {
        let server = try RedisServer()
        try await self.edge(server) { edge in
            try await edge.until("it is up") { try await edge.metric("culvert_registry_up") == 1 }
            try server.ask(["CONFIG", "SET", "maxmemory", "1"])
            try await edge.until("it is away") { try await edge.metric("culvert_registry_up") == 0 }
            #expect(try await edge.call("POST", "tunnels/create", body: "{}").status == 503)
            try server.ask(["CONFIG", "SET", "maxmemory", "0"])
            try await edge.until("it is up again") { try await edge.metric("culvert_registry_up") == 1 }
            #expect(try await edge.call("POST", "tunnels/create", body: "{}").status == 201)
        }
    }

    @Test("The limits of the API go on where they were before a restart, and hold over two edges")
    func limits() async throws {
        let server = try RedisServer()
        let limits = ["--limits-creations-per-hour", "3"]
        try await self.edge(server, limits) { one in
            try await self.edge(server, limits) { other in
                _ = try await one.makeTunnel()
                _ = try await other.makeTunnel()
            }
        }
        try await self.edge(server, limits) { edge in
            _ = try await edge.makeTunnel()
            #expect(try await edge.call("POST", "tunnels/create", body: "{}")["Culvert-Error"] == "rate_limited")
        }
    }

    @Test("A tunnel deleted, or a name taken, at one edge is so at the other")
    func neighbours() async throws {
        let server = try RedisServer()
        try await self.edge(server) { one in
            try await self.edge(server) { other in
                let tunnel = try await one.makeTunnel(#"{"name":"my-app"}"#)
                #expect(try await other.upgrade("my-app", token: tunnel.token).status == 101)
                #expect(try await other.call("GET", "tunnels/my-app/status").status == 200)
                #expect(try await one.call("DELETE", "tunnels/my-app").status == 204)
                #expect(try await other.upgrade("my-app", token: tunnel.token).status == 401)
            }
        }
    }

    @Test(
        "A tunnel deleted, or a policy tightened, at one edge is in force at the other within a second, also for what is connected"
    )
    func inForce() async throws {
        let server = try RedisServer()
        try await self.edge(server) { one in
            try await self.edge(server) { other in
                let tunnel = try await one.makeTunnel(#"{"name":"my-app"}"#)
                _ = try await other.connect(tunnel)
                #expect(try await other.get("/my-app/").status == 200)
                var start = ContinuousClock.now
                _ = try await one.makeTunnel(#"{"name":"my-app","policy":{"ip_deny":["127.0.0.0/8"]}}"#)
                try await other.until("the policy is in force") { try await other.get("/my-app/").status == 403 }
                #expect(ContinuousClock.now - start < .seconds(1))
                start = ContinuousClock.now
                #expect(try await one.call("DELETE", "tunnels/my-app").status == 204)
                try await other.until("the session is over") {
                    try await other.metric("culvert_active_sessions") == 0
                }
                #expect(ContinuousClock.now - start < .seconds(1))
                #expect(try await other.get("/my-app/")["Culvert-Error"] == "tunnel_not_found")
            }
        }
    }

    @Test(
        "While Redis is away what is online is served and changes are refused; when it is back, empty, it is told again"
    )
    func outage() async throws {
        let server = try RedisServer()
        try await self.edge(server) { edge in
            let tunnel = try await edge.makeTunnel(#"{"name":"my-app"}"#)
            _ = try await edge.connect(tunnel)
            try await edge.until("the session is known") {
                try server.ask(["HGETALL", "cv:t:my-app"]).contains("s:")
            }
            server.kill()
            try await edge.until("it is noticed") { try await edge.metric("culvert_registry_up") == 0 }
            #expect(try await edge.get("/my-app/").status == 200)
            for (method, path) in [
                ("DELETE", "tunnels/my-app"), ("POST", "tunnels/my-app/token"), ("POST", "tunnels/create"),
            ] {
                let answer = try await edge.call(method, path, body: method == "POST" ? "{}" : "")
                #expect(answer.status == 503 && answer["Culvert-Error"] == "registry_unavailable")
            }
            #expect(try await edge.get("/my-app/").status == 200)
            #expect(try await edge.get("/nobody/")["Culvert-Error"] == "registry_unavailable")
            #expect(try await self.list(edge).partial == true)
            #expect(try await edge.upgrade("my-app", token: tunnel.token).status == 101)
            #expect(try await edge.admin("/readyz").status == 200)
            try server.start()
            let back = ContinuousClock.now
            try await edge.until("it is told again") {
                try server.ask(["HGETALL", "cv:t:my-app"]).contains("s:")
            }
            #expect(ContinuousClock.now - back < .seconds(5))
            #expect(try await self.list(edge).partial == nil)
            #expect(try await edge.call("DELETE", "tunnels/my-app").status == 204)
            #expect(try server.ask(["EXISTS", "cv:t:my-app"]) == "0")
        }
    }

    @Test("A session that Redis does not let go on, since its token ended elsewhere meanwhile, is ended")
    func endedElsewhere() async throws {
        let server = try RedisServer()
        try await self.edge(server) { edge in
            let tunnel = try await edge.makeTunnel(#"{"name":"my-app"}"#)
            _ = try await edge.connect(tunnel)
            // What another edge writes when a tunnel is deleted there.
            let now = Date().timeIntervalSince1970
            try server.ask(["DEL", "cv:t:my-app"])
            try server.ask(["HSET", "cv:cut:my-app", "\(now)", "\(now)"])
            try server.ask(["DEL", "cv:pods"])
            try await edge.until("it is ended") { try await edge.metric("culvert_active_sessions") == 0 }
            #expect(try await edge.upgrade("my-app", token: tunnel.token).status == 401)
        }
    }

    @Test("What was missed is looked up when the way to ask breaks alone and comes back, and when the way to hear does")
    func eitherConnection() async throws {
        let server = try RedisServer()
        try await self.edge(server) { edge in
            for kind in ["normal", "pubsub"] {
                let tunnel = try await edge.makeTunnel(#"{"name":"my-app-\#(kind)"}"#)
                _ = try await edge.connect(tunnel)
                try await edge.until("the session is known") {
                    try server.ask(["HGETALL", "cv:t:my-app-\(kind)"]).contains("s:")
                }
                // What another edge writes when a tunnel is deleted there; nobody tells this one.
                let now = Date().timeIntervalSince1970
                try server.ask(["DEL", "cv:t:my-app-\(kind)"])
                try server.ask(["HSET", "cv:cut:my-app-\(kind)", "\(now)", "\(now)"])
                try server.ask(["CLIENT", "KILL", "TYPE", kind])
                try await edge.until("it is ended") { try await edge.metric("culvert_active_sessions") == 0 }
            }
        }
    }

    @Test("A one-time code that was used at one edge is used at all, and while Redis is away at this one")
    func codes() async throws {
        let directory = InMemoryTunnelDirectory(now: { 1_000_000 })
        let password = OneTimePassword(secret: Array(repeating: 7, count: 20))
        let code = password.code(counter: OneTimePassword.counter(at: 1_000_000))
        let guards = [OneTimePasswordGuard(directory: directory), OneTimePasswordGuard(directory: directory)]
        #expect(await guards[0].accept(code, for: password, keyName: "k", at: 1_000_000))
        #expect(await !guards[1].accept(code, for: password, keyName: "k", at: 1_000_000))
        directory.isUp = false
        let next = password.code(counter: OneTimePassword.counter(at: 1_000_030))
        #expect(await guards[0].accept(next, for: password, keyName: "k", at: 1_000_030))
        #expect(await !guards[0].accept(next, for: password, keyName: "k", at: 1_000_030))
    }
}
