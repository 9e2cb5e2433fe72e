// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import HTTPTypes
import Logging
import Mux
import Synchronization
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeProxy
@testable import EdgeTunnels

@Suite("Log lines")
struct LogSecrecyTests {
    private final class Lines: Sendable {
        private let lines = Mutex<[String]>([])

        func append(_ line: String) { self.lines.withLock { $0.append(line) } }

        var text: String { self.lines.withLock { $0.joined() } }
    }

    private func logger(_ lines: Lines, isJSON: Bool) -> Logger {
        let sink = LogSink(isTerminal: false) { lines.append($0) }
        return Logger(label: "test") { LogOutput(label: $0, level: .trace, isJSON: isJSON, sink: sink) }
    }

    @Test("No secret is in any line at any level, whether a call succeeds or fails", arguments: [true, false])
    func secrecy(isJSON: Bool) async throws {
        let lines = Lines()
        let logger = self.logger(lines, isJSON: isJSON)
        let api = try await ControlPlaneHarness(withSecondFactor: true, logger: logger)
        let code = api.code()
        let body = #"{"name":"my-app","policy":{"basic_auth":[{"username":"visitor","password":"open-sesame"}]}}"#
        let created = try await api.call(
            .post,
            "/api/tunnels/create",
            key: ControlPlaneHarness.alice,
            code: code,
            body: body
        )
        let token = try created.decode(CreateTunnelResponse.self).token
        _ = try await api.call(
            .post,
            "/api/tunnels/create?key=in-a-query",
            key: "cvk_wrong-one",
            code: code,
            body: body
        )
        _ = try await api.call(.get, "/api/tunnels/my-app/status", key: ControlPlaneHarness.alice)
        _ = try await api.call(.delete, "/api/tunnels/my-app", key: ControlPlaneHarness.alice, code: code)

        let endpoint = TokenConnectEndpoint(
            registry: api.registry,
            tokens: api.tokens,
            readiness: self.ready,
            recorder: EdgeMetrics(),
            logger: logger
        )
        for credential in [token, "\(token)x", "cvk_wrong-one"] {
            _ = await endpoint.decide(
                tunnelID: "my-app",
                fields: [
                    ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
                    ("Sec-WebSocket-Key", WebSocketHandshake.makeKey()),
                    ("Sec-WebSocket-Protocol", WebSocketHandshake.subprotocol),
                    ("Authorization", "Bearer \(credential)"),
                ],
                remoteAddress: nil,
                requestID: RequestID()
            )
        }
        let text = lines.text
        #expect(text.contains("audit"))
        #expect(text.contains("connector refused"))
        let secrets = [
            ControlPlaneHarness.alice, "cvk_wrong-one", "open-sesame", "in-a-query", token, "\"\(code)\"", "=\(code)",
            Base32.encode(ControlPlaneHarness.secret.secret),
        ]
        for secret in secrets { #expect(!text.contains(secret)) }
    }

    private var ready: Readiness {
        let readiness = Readiness()
        readiness.becomeReady()
        return readiness
    }

    @Test("What a visitor sends can't forge a line, and JSON lines are JSON")
    func forgery() throws {
        let line = { (isJSON: Bool) in
            LogOutput.line(
                stamp: "1970-01-01T00:00:00Z",
                level: .info,
                label: "l",
                message: "access",
                metadata: ["path": "/a\nb\u{1B}[31m\"\\", "method": "GET"],
                isJSON: isJSON
            )
        }
        #expect(line(false).hasSuffix(" info access method=GET path=\"/a\\u000ab\\u001b[31m\\\"\\\\\"\n"))
        #expect(line(false).count { $0 == "\n" } == 1)
        let object = try JSONSerialization.jsonObject(with: Data(line(true).utf8)) as? [String: String]
        #expect(object?["path"] == "/a\nb\u{1B}[31m\"\\")
        #expect(object?["level"] == "info")
    }

    @Test("The access log has the path without its query, and counts the request")
    func access() {
        let lines = Lines()
        let metrics = EdgeMetrics()
        let log = AccessLog(logger: self.logger(lines, isJSON: false), metrics: metrics)
        log.started()
        #expect(metrics.prometheusText().contains("\nculvert_active_requests 1\n"))
        log.finished(
            AccessLogEntry(
                requestID: RequestID(),
                tunnelID: TunnelID("my-app"),
                otherEdge: PodID("0123456789"),
                method: "GET",
                path: "/my-app/a?token=secret",
                status: 503,
                bytesReceived: 3,
                bytesSent: 5,
                milliseconds: 12.34,
                overheadMilliseconds: nil,
                originMilliseconds: nil,
                errorCode: "tunnel_offline",
                remoteAddress: nil,
                traceparent: nil
            )
        )
        #expect(metrics.prometheusText().contains("\nculvert_active_requests 0\n"))
        #expect(lines.text.contains("path=/my-app/a "))
        #expect(lines.text.contains("error=tunnel_offline"))
        #expect(lines.text.contains("pod=0123456789"))
        let text = metrics.prometheusText()
        #expect(text.contains("culvert_requests_total{class=\"5xx\",via=\"pod\"} 1\n"))
        #expect(text.contains("culvert_errors_total{code=\"tunnel_offline\"} 1\n"))
        #expect(text.contains("culvert_request_seconds_bucket{le=\"0.025\"} 1\n"))
        #expect(text.contains("culvert_received_bytes_total 3\n"))
    }
}
