// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import HTTPTypes
import Logging
import Mux
import NIOCore
import Synchronization
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

@Suite("Audit log")
struct AuditTests {
    private final class Lines: Sendable {
        private let lines = Mutex<[[String: String]]>([])

        /// A logger that keeps the lines of the audit log.
        var logger: Logger {
            let sink = LogSink(isTerminal: false) { text in
                guard let object = try? JSONSerialization.jsonObject(with: Data(text.utf8)),
                    let line = object as? [String: String], line["message"] == "audit"
                else { return }
                self.lines.withLock { $0.append(line) }
            }
            return Logger(label: "test") { LogOutput(label: $0, level: .info, isJSON: true, sink: sink) }
        }

        /// The lines since the last time.
        func take() -> [[String: String]] {
            self.lines.withLock { lines in
                defer { lines = [] }
                return lines
            }
        }
    }

    @Test("Each call writes one line: who, what, from where and with what result, whatever is wrong with it")
    func calls() async throws {
        let lines = Lines()
        let api = try await ControlPlaneHarness(withSecondFactor: true, logger: lines.logger)
        func line(
            _ method: HTTPRequest.Method,
            _ path: String,
            _ key: String?,
            code: String? = nil,
            body: String = ""
        ) async throws -> [String] {
            _ = try await api.call(method, path, key: key, code: code, body: body)
            let written = lines.take()
            #expect(written.count == 1, "\(method) \(path)")
            let line = try #require(written.first)
            #expect(line["remote"] == "192.0.2.1" && line["method"] == method.rawValue)
            return ["principal", "path", "tunnel", "status", "code"].map { line[$0] ?? "-" }
        }
        let (alice, root) = (ControlPlaneHarness.alice, ControlPlaneHarness.root)
        let create = "/api/tunnels/create"
        #expect(
            try await line(.post, create, alice, code: api.code(), body: #"{"name":"my-app"}"#)
                == ["alice", create, "my-app", "201", "-"]
        )
        #expect(try await line(.post, create, alice) == ["alice", create, "-", "401", "otp_required"])
        #expect(try await line(.post, create, "cvk_wrong") == ["-", create, "-", "401", "invalid_credentials"])
        #expect(try await line(.post, create, nil) == ["-", create, "-", "401", "missing_credentials"])
        #expect(try await line(.post, create, root, body: "{") == ["root", create, "-", "400", "invalid_body"])
        let large = String(repeating: " ", count: 65_537)
        #expect(try await line(.post, create, root, body: large) == ["-", create, "-", "413", "body_too_large"])
        #expect(
            try await line(.get, "/api/tunnels/my-app/status?secret=x", ControlPlaneHarness.bob)
                == ["bob", "/api/tunnels/my-app/status", "my-app", "404", "tunnel_not_found"]
        )
        #expect(try await line(.put, create, root) == ["-", create, "-", "405", "method_not_allowed"])
        #expect(try await line(.get, "/api/x", root) == ["-", "/api/x", "-", "404", "not_found"])
        #expect(
            try await line(.delete, "/api/tunnels/my-app", root)
                == ["root", "/api/tunnels/my-app", "my-app", "204", "-"]
        )
    }

    @Test("So does a connector that is let in, with the owner of its token, or refused; only GET is an upgrade")
    func connectors() async throws {
        let lines = Lines()
        let api = try await ControlPlaneHarness(logger: lines.logger)
        let id = try #require(TunnelID("my-app"))
        let (token, claims) = try await api.tokens.issue(
            for: TunnelSpecification(id: id, owner: "alice", policy: .init(), createdAt: Date()),
            edge: "https://t.example",
            lifetime: 600
        )
        let readiness = Readiness()
        let endpoint = TokenConnectEndpoint(
            registry: api.registry,
            tokens: api.tokens,
            readiness: readiness,
            recorder: EdgeMetrics(),
            logger: lines.logger
        )
        func line(
            _ method: HTTPRequest.Method,
            _ token: String?,
            dropping dropped: String = ""
        ) async throws -> [String] {
            let fields = [
                ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", WebSocketHandshake.makeKey()),
                ("Sec-WebSocket-Protocol", WebSocketHandshake.subprotocol),
            ]
            _ = await endpoint.decide(
                method: method,
                tunnelID: "my-app",
                fields: fields.filter { $0.0 != dropped } + (token.map { [("Authorization", "Bearer \($0)")] } ?? []),
                remoteAddress: try SocketAddress(ipAddress: "192.0.2.7", port: 1),
                requestID: RequestID()
            )
            let written = lines.take()
            #expect(written.count == 1)
            let line = try #require(written.first)
            #expect(line["remote"] == "192.0.2.7" && line["path"] == "/api/tunnel/connect/my-app")
            #expect(line["tunnel"] == "my-app")
            return ["principal", "token", "status", "code"].map { line[$0] ?? "-" }
        }
        #expect(try await line(.get, token) == ["-", "-", "503", "draining"])
        readiness.becomeReady()
        #expect(try await line(.get, token) == ["alice", claims.jti, "101", "-"])
        #expect(try await line(.get, "\(token)x") == ["-", "-", "401", "invalid_token"])
        #expect(try await line(.get, nil) == ["-", "-", "401", "invalid_token"])
        #expect(try await line(.get, token, dropping: "Upgrade") == ["-", "-", "426", "upgrade_required"])
        for method in [HTTPRequest.Method.post, .head, .delete] {
            #expect(try await line(method, token) == ["-", "-", "405", "method_not_allowed"])
        }
    }
}
