// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import HTTPTypes
import Logging
import NIOCore
import Program
import Protocol
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

extension CodeCase {
    /// What callers of the control API meet, and connectors that show a token.
    static var callers: [CodeCase] {
        [
            Self.edge(.caller, "invalid_body", 400, field: "nane") { edge in
                try await edge.call("POST", "tunnels/create", body: #"{"nane":"my-app"}"#)
            },
            Self.edge(.caller, "invalid_parameter", 400, field: "limit") { edge in
                try await edge.call("GET", "tunnels/list?limit=0")
            },
            Self.edge(.caller, "missing_credentials", 401, field: "Authorization") { edge in
                try await edge.call("GET", "tunnels/list", key: nil)
            },
            Self.edge(.caller, "invalid_credentials", 401, field: "Authorization") { edge in
                try await edge.call("GET", "tunnels/list", key: "cvk_wrong")
            },
            Self.edge(.caller, "invalid_token", 401, field: "Authorization") { edge in
                let tunnel = try await edge.makeTunnel()
                return try await edge.upgrade(tunnel.tunnelID, token: "not.a.token")
            },
            CodeCase(.caller, "otp_required", 401, field: "Culvert-OTP") {
                let harness = try await ControlPlaneHarness(withSecondFactor: true)
                return Met(
                    try await harness.call(.post, "/api/tunnels/create", key: ControlPlaneHarness.alice, body: "{}")
                )
            },
            CodeCase(.caller, "otp_invalid", 401, field: "Culvert-OTP") {
                let harness = try await ControlPlaneHarness(withSecondFactor: true)
                let old = harness.code(stepsAgo: 9)
                return Met(
                    try await harness.call(
                        .post,
                        "/api/tunnels/create",
                        key: ControlPlaneHarness.alice,
                        code: old,
                        body: "{}"
                    )
                )
            },
            Self.edge(.caller, "not_found", 404) { try await $0.call("GET", "no-such-call") },
            Self.edge(.caller, "tunnel_not_found", 404) { try await $0.call("GET", "tunnels/nobody/status") },
            Self.edge(.caller, "method_not_allowed", 405) { edge in
                let answer = try await edge.call("PUT", "tunnels/list")
                #expect(answer["Allow"] == "GET, HEAD" || answer["Allow"] == "GET")
                return answer
            },
            CodeCase(.caller, "name_taken", 409, field: "name") {
                let harness = try await ControlPlaneHarness()
                let body = #"{"name":"my-app"}"#
                _ = try await harness.call(.post, "/api/tunnels/create", key: ControlPlaneHarness.alice, body: body)
                return Met(
                    try await harness.call(.post, "/api/tunnels/create", key: ControlPlaneHarness.bob, body: body)
                )
            },
            Self.edge(.caller, "served_elsewhere", 409, field: "name") { edge in
                let tunnel = try await edge.makeTunnel(#"{"name":"my-app","served_from":"here"}"#)
                _ = try await edge.connect(tunnel, origin: .silent)
                let body = #"{"name":"my-app","served_from":"there"}"#
                let answer = try await edge.call("POST", "tunnels/create", body: body)
                // The other place may be on the same machine.
                #expect(answer.problem?.detail?.contains("or by another command or file of tunnels") == true)
                return answer
            },
            Self.edge(.caller, "kind_differs", 409, field: "kind", settings: ["--tcp-ports", "1-2"]) { edge in
                _ = try await edge.makeTunnel(#"{"name":"my-app"}"#)
                return try await edge.call("POST", "tunnels/create", body: #"{"name":"my-app","kind":"tcp"}"#)
            },
            Self.edge(.caller, "kind_not_served", 409, field: "kind") { edge in
                try await edge.call("POST", "tunnels/create", body: #"{"kind":"tcp"}"#)
            },
            CodeCase(.caller, "port_taken", 409, field: "port") {
                var met: Met?
                try await EdgeUnderTest.run(tcpPort: { ["--tcp-ports", "\($0)"] }) { edge, port in
                    let body = #"{"kind":"tcp","port":\#(port)}"#
                    _ = try await edge.makeTunnel(body)
                    met = Met(try await edge.call("POST", "tunnels/create", body: body))
                }
                return try #require(met)
            },
            CodeCase(.caller, "no_port_free", 409, field: "port") {
                var met: Met?
                try await EdgeUnderTest.run(tcpPort: { ["--tcp-ports", "\($0)"] }) { edge, _ in
                    _ = try await edge.makeTunnel(#"{"kind":"tcp"}"#)
                    met = Met(try await edge.call("POST", "tunnels/create", body: #"{"kind":"tcp"}"#))
                }
                return try #require(met)
            },
            Self.edge(.caller, "name_reserved", 409, field: "name", settings: ["--tunnel-reserved-names", "www"]) {
                edge in
                try await edge.call("POST", "tunnels/create", body: #"{"name":"www"}"#)
            },
            Self.edge(.caller, "too_many_tunnels", 409, settings: ["--limits-tunnels-per-key", "1"]) { edge in
                _ = try await edge.makeTunnel()
                return try await edge.call("POST", "tunnels/create", body: "{}")
            },
            Self.edge(.caller, "body_too_large", 413) { edge in
                try await edge.call("POST", "tunnels/create", body: String(repeating: " ", count: 64 << 10) + "{}")
            },
            Self.edge(.caller, "unsupported_media_type", 415, field: "Content-Type") { edge in
                try await edge.call("POST", "tunnels/create", body: "{}", type: "text/plain")
            },
            Self.edge(.caller, "rate_limited", 429, settings: ["--limits-creations-per-hour", "1"]) { edge in
                _ = try await edge.makeTunnel()
                let answer = try await edge.call("POST", "tunnels/create", body: "{}")
                #expect(answer["Retry-After"].flatMap { Int($0) } ?? 0 > 0)
                return answer
            },
            Self.edge(.caller, "draining", 503, settings: ["--shutdown-delay", "2s"]) { edge in
                let tunnel = try await edge.makeTunnel()
                await edge.stop()
                try await edge.until("the edge is unready") { try await edge.admin("/readyz").status == 503 }
                let answer = try await edge.upgrade(tunnel.tunnelID, token: tunnel.token)
                #expect(answer["Retry-After"] == "0")
                return answer
            },
            Self.edge(.caller, "crowded", 503, settings: ["--limits-connects-per-second", "1"]) { edge in
                let tunnel = try await edge.makeTunnel()
                var answer = try await edge.upgrade(tunnel.tunnelID, token: tunnel.token)
                for _ in 0..<50 where answer.status != 503 {
                    answer = try await edge.upgrade(tunnel.tunnelID, token: tunnel.token)
                }
                #expect(answer["Retry-After"].flatMap { Int($0) } ?? 0 > 0)
                return answer
            },
            Self.edge(.caller, "registry_unavailable", 503, settings: ["--cluster-redis-url", "redis://127.0.0.1:1"]) {
                let answer = try await $0.call("POST", "tunnels/create", body: "{}")
                #expect(answer["Retry-After"] == "1")
                return answer
            },
            CodeCase(.caller, "internal_error", 500) {
                let answer = try await Self.callOfFailingEdge()
                #expect(!String(decoding: answer.body, as: UTF8.self).contains("disk"))
                return Met(answer)
            },
        ]
    }

    /// What is wrong with an upgrade itself.
    static var upgrades: [CodeCase] {
        [
            Self.upgrade("upgrade_required", 426, without: ["Upgrade"]),
            Self.upgrade("websocket_version", 426, without: ["Sec-WebSocket-Version"]),
            Self.upgrade("origin_forbidden", 403, fields: [("Origin", "https://evil.example")]),
            Self.upgrade("websocket_key", 400, without: ["Sec-WebSocket-Key"]),
            Self.upgrade("subprotocol_required", 400, without: ["Sec-WebSocket-Protocol"]),
        ]
    }

    private static func upgrade(
        _ code: String,
        _ status: Int,
        without: Set<String> = [],
        fields: [(name: String, value: String)] = []
    ) -> CodeCase {
        Self.edge(.upgrade, code, status) { edge in
            let tunnel = try await edge.makeTunnel()
            return try await edge.upgrade(tunnel.tunnelID, token: tunnel.token, without: without, fields: fields)
        }
    }

    /// A call of an edge whose registry has a bug.
    private static func callOfFailingEdge() async throws -> Answer {
        let key = "cvk_of-an-edge-with-a-bug"
        let record = APIKeyRecord(name: "alice", role: .user, sha256: Hexadecimal.encode(APIKey.hash(key)))
        let secret = Data(repeating: 7, count: 32).base64EncodedString()
        let plane = HTTPControlPlane(
            registry: FailingRegistry(),
            keys: try APIKeyStore([record]),
            tokens: try await TunnelTokens(keys: [SigningKey(kid: "k", secret: secret)]),
            limits: APILimits(),
            settings: LiveSettings(ControlSettings(publicURL: "https://t.example")),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        var request = HTTPRequest(method: .post, scheme: nil, authority: nil, path: "/api/tunnels/create")
        request.headerFields[.authorization] = "Bearer \(key)"
        request.headerFields[.contentType] = "application/json"
        let (response, body) = await plane.respond(
            to: request,
            body: ByteBuffer(string: "{}"),
            remoteAddress: nil,
            requestID: RequestID()
        )
        return Answer(response: response, body: Data(body.readableBytesView))
    }
}

/// A registry that fails in a way that nobody has thought of.
private struct FailingRegistry: TunnelRegistry {
    struct Bug: Error, CustomStringConvertible {
        let description = "the disk is full"
    }

    func tunnel(_ id: TunnelID) -> Tunnel? { nil }
    func create(_ specification: TunnelSpecification) async throws -> Tunnel { throw Bug() }
    func restore(
        _ specification: TunnelSpecification,
        issuedAt: Double,
        provided isValid: () -> Bool
    ) async throws -> Tunnel {
        throw Bug()
    }
    func list(owner: String?, after cursor: TunnelID?, limit: Int) async -> TunnelPage { TunnelPage([]) }
    func remove(_ id: TunnelID, keepingNameFor lease: TimeAmount) async -> Tunnel? { nil }
}
