// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Protocol
import RedisServer
import Testing

@testable import Edge

extension MetricCase {
    /// Those of links between edges.
    static var links: [MetricCase] {
        [
            MetricCase("culvert_links") { _ in
                try await Self.relay { one, other, _ async throws -> Void in
                    #expect(try await one.metric("culvert_links", "ready") == 1)
                    #expect(try await other.metric("culvert_links", "ready") == 1)
                    #expect(try await other.metric("culvert_links") == 1)
                }
            },
            MetricCase("culvert_active_link_streams") { _ in
                try await Self.relay(origin: .silent) { one, other, connector async throws -> Void in
                    async let answer = other.get("/my-app/")
                    try await one.until("both edges see it") {
                        let incoming = try await one.metric("culvert_active_link_streams", "in")
                        let outgoing = try await other.metric("culvert_active_link_streams", "out")
                        return incoming == 1 && outgoing == 1
                    }
                    #expect(try await one.metric("culvert_active_link_streams") == 1)
                    #expect(try await other.metric("culvert_active_link_streams") == 1)
                    try await connector.drop()
                    _ = try await answer
                    try await one.until("it falls") {
                        let here = try await one.metric("culvert_active_link_streams")
                        return try await here + other.metric("culvert_active_link_streams") == 0
                    }
                }
            },
            MetricCase("culvert_link_rejects_total") { _ in
                try await Self.relay(origin: .rejects(.connectRefused)) { one, other, _ async throws -> Void in
                    #expect(try await other.get("/my-app/").status == 502)
                    #expect(try await other.metric("culvert_link_rejects_total", "CONNECT_REFUSED") == 1)
                    #expect(try await other.metric("culvert_link_rejects_total") == 1)
                    #expect(try await one.metric("culvert_link_rejects_total") == 0)
                }
            },
            MetricCase("culvert_link_streams_total") { _ in
                try await Self.relay { one, other, connector in
                    #expect(try await one.metric("culvert_link_streams_total", "relayed") == 1)
                    try await connector.drop()
                    try await one.until("it has left") { try await one.metric("culvert_active_sessions") == 0 }
                    _ = try await other.get("/my-app/")
                    #expect(try await one.metric("culvert_link_streams_total", "refused") == 1)
                    #expect(try await other.metric("culvert_link_rejects_total", "DRAINING") == 1)
                }
            },
            MetricCase("culvert_link_refusals_total") { _ in
                let server = try RedisServer()
                let arguments = [
                    "--cluster-redis-url", "redis://127.0.0.1:\(server.port)", "--cluster-listen", "127.0.0.1:0",
                ]
                try await EdgeUnderTest.run(arguments) { edge in
                    var told = ""
                    try await edge.until("it says where") {
                        told = try server.ask(["HVALS", "cv:podinfo"])
                        return told.contains("127.0.0.1:")
                    }
                    let digits = told.components(separatedBy: "127.0.0.1:").last?.prefix { $0.isNumber } ?? ""
                    let address = ListenAddress(host: "127.0.0.1", port: try #require(Int(digits)))
                    let stranger = try await RawVisitor.connect(to: address)
                    try await stranger.send(
                        """
                        GET /peer HTTP/1.1\r\nHost: edge\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
                        Sec-WebSocket-Protocol: culvert.mux.v1\r\nAuthorization: Bearer no-token\r\n\r\n
                        """
                    )
                    #expect(try await stranger.answer().status == 401)
                    #expect(try await edge.metric("culvert_link_refusals_total") == 1)
                }
            },
            MetricCase("culvert_link_failures_total") { _ in
                try await Self.relay(advertising: ["--cluster-advertise", "127.0.0.1:1"]) {
                    _,
                    other,
                    _ async throws -> Void in
                    #expect(try await other.metric("culvert_link_failures_total") >= 1)
                }
            },
            MetricCase("culvert_guests") { _ in
                try await Self.relay { _, other, _ in
                    try await other.until("it is counted") { try await other.metric("culvert_guests") == 1 }
                }
            },
        ]
    }

    /// Has an edge asked for a tunnel whose connector is at another one, unless its origin says something else than usual.
    private static func relay(
        advertising advertisement: [String] = [],
        origin: ScriptedConnector.Origin = .ok,
        _ body: (EdgeUnderTest, EdgeUnderTest, ScriptedConnector) async throws -> Void
    ) async throws {
        let server = try RedisServer()
        let arguments = [
            "--cluster-redis-url", "redis://127.0.0.1:\(server.port)", "--cluster-listen", "127.0.0.1:0",
            "--cluster-lease", "1s", "--tunnel-reconnect-hold", "1s",
        ]
        let key = ["CULVERT_AUTH_SIGNING_KEY": Data(repeating: 7, count: 32).base64EncodedString()]
        try await EdgeUnderTest.run(arguments + advertisement, environment: key) { one in
            try await EdgeUnderTest.run(arguments, environment: key) { other in
                let tunnel = try await one.makeTunnel(#"{"name":"my-app"}"#)
                let connector = try await one.connect(tunnel, origin: origin)
                try await one.until("the session is known") {
                    try server.ask(["HGETALL", "cv:t:my-app"]).contains("s:")
                }
                if case .answers = origin { _ = try await other.get("/my-app/") }
                try await body(one, other, connector)
            }
        }
    }
}
