// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import Foundation
import Inspection
import Logging
import NIOCore
import Testing

@testable import Connector

@Suite("The inbox in the inspector's API", .timeLimit(.minutes(1)))
struct InspectorInboxTests {
    private static let id = "msg_aaaaaaaaaaaaaaaaaaaa"

    /// Runs an inspector before an edge that answers every call alike, and that the body is given, too.
    private func withInspector(
        _ answer: String,
        status: String = "200 OK",
        hasKey: Bool = true,
        settings: TrafficInspection.Settings = TrafficInspection.Settings(),
        _ body: (InspectorScene, RecordingOrigin) async throws -> Void
    ) async throws {
        let type = status.hasPrefix("2") ? "application/json" : ProblemDetails.mediaType
        let head = "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nConnection: close\r\n"
        let edge = RecordingOrigin(
            answer: "\(head)Content-Length: \(answer.utf8.count)\r\n\r\n\(answer)",
            ending: "\r\n\r\n"
        )
        let port = try await edge.start()
        try await InspectorScene.run(
            settings: settings,
            edge: "http://127.0.0.1:\(port)",
            apiKey: hasKey ? "cvk_of_a_test_of_the_inbox" : nil,
            ending: "changed",
            inboxes: { directory in
                let calls = try TunnelServer(
                    authorities: EdgeAuthorities(all: nil),
                    retries: false,
                    connections: 1,
                    proxies: ProxyRules(environment: [:]),
                    observer: SilentObserver(),
                    logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
                )
                return TunnelInboxes(server: calls, directory: directory)
            },
            body: { try await body($0, edge) }
        )
        try await edge.stop()
    }

    private struct SilentObserver: RunObserver {
        func willServe(tunnelCount: Int) {}
        func configurationWasRead() {}
        func opened(_ tunnel: ServedTunnel) -> TunnelObserver {
            TunnelObserver(connection: { _ in }, origin: .none, token: { _ in })
        }
        func closed(tunnel: String) {}
        func willCallAgain(in delay: Duration, reason: String) {}
    }

    private static func message(head: String, body: String, target: String = "/hooks/a?b") throws -> String {
        let content = InboxMessageContent(
            message: InboxMessage(
                id: Self.id,
                state: .dead,
                receivedAt: Date(timeIntervalSince1970: 1_700_000_000),
                method: "POST",
                target: target,
                size: body.utf8.count
            ),
            head: head,
            bodyBase64: Data(body.utf8).base64EncodedString()
        )
        return String(decoding: try APICoding.makeEncoder().encode(content), as: UTF8.self)
    }

    private static let head = """
        POST /my-app/hooks/a?b HTTP/1.1\r\nHost: e.example\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\nx-a: 2\r\n\
        Authorization: Bearer planted\r\nContent-Type: text/html\r\n\r\n
        """

    @Test(
        "A message is shown as the local server gets it; its bytes are an attachment of no type, and raw as they came"
    )
    func message() async throws {
        let hostile = "<script>alert(1)</script>"
        try await self.withInspector(try Self.message(head: Self.head, body: hostile)) { scene, edge in
            let path = "/api/tunnels/my-app/inbox/messages/\(Self.id)"
            let bytes = try await scene.client.bytes(path)
            let answer = try APICoding.makeDecoder().decode(InboxMessageAnswer.self, from: bytes)
            #expect(answer.request.line == "POST /hooks/a?b HTTP/1.1" && answer.request.uri == "/hooks/a?b")
            let port = try #require(scene.inspection.directory.target(of: "my-app")?.hostField)
            #expect(
                answer.request.fields == [
                    ["Host", port], ["X-A", "1"], ["x-a", "2"], ["Authorization", "Bearer planted"],
                    ["Content-Type", "text/html"], ["Content-Length", "25"], ["Culvert-Inbox", Self.id],
                    ["Culvert-Received", "2023-11-14T22:13:20Z"],
                ]
            )
            #expect(answer.message.state == .dead && answer.request.body.isWhole)
            #expect(try await scene.client.bytes("\(path)/body") == Data(hostile.utf8))
            let raw = String(decoding: try await scene.client.bytes("\(path)/raw"), as: UTF8.self)
            #expect(raw == Self.head + hostile)
            // The parts of what was just looked at are not fetched once more.
            #expect(edge.requests.count == 1)
            let asked = try #require(edge.requests.first)
            #expect(asked.hasPrefix("GET /api/tunnels/my-app/inbox/messages/\(Self.id) HTTP/1.1\r\n"))
            #expect(asked.contains("Bearer cvk_of_a_test_of_the_inbox"))
        }
    }

    @Test("A field that is not to be kept is not shown of a message either, and no list of requests has it")
    func dropped() async throws {
        var settings = TrafficInspection.Settings()
        settings.dropped = DroppedFields(["Authorization"])
        try await self.withInspector(try Self.message(head: Self.head, body: "x"), settings: settings) { scene, _ in
            let path = "/api/tunnels/my-app/inbox/messages/\(Self.id)"
            for part in ["", "/raw"] {
                let text = String(decoding: try await scene.client.bytes(path + part), as: UTF8.self)
                #expect(!text.contains("planted"), "\(part)")
            }
        }
    }

    @Test("A message that is sent changed reaches the local server, and both are in the list of requests")
    func send() async throws {
        struct Change: Encodable {
            var path = "/hooks/b"
            var body = "changed"
        }
        try await self.withInspector(try Self.message(head: Self.head, body: "as it was")) { scene, _ in
            let answer: IDsAnswer = try await scene.client.post(
                "/api/tunnels/my-app/inbox/messages/\(Self.id)/send",
                Change()
            )
            let id = try #require(answer.ids.first.flatMap { CaptureID($0) })
            while try #require(scene.inspection.ring.exchange(id)).snapshot().state.ending == .open {
                try await Task.sleep(for: .milliseconds(5))
            }
            let sent = try #require(scene.origin.requests.first)
            #expect(sent.hasPrefix("POST /hooks/b HTTP/1.1\r\n") && sent.hasSuffix("\r\n\r\nchanged"))
            #expect(sent.contains("Culvert-Inbox: \(Self.id)\r\n") && sent.contains("Content-Length: 7\r\n"))
            #expect(!sent.contains("chunked"))
            let views = scene.inspection.ring.exchanges.map { ExchangeView($0.snapshot()) }
            #expect(views.map(\.target) == ["/hooks/b", "/hooks/a?b"])
            #expect(views.first?.exchange.replayOf == views.last?.exchange.id && views.first?.status == 201)
            #expect(views.last?.exchange.isImported == true)
        }
    }

    @Test("An edit that is no HTTP is refused, and leaves nothing in the list")
    func malformed() async throws {
        struct Change: Encodable {
            var method = "PO ST"
        }
        try await self.withInspector(try Self.message(head: Self.head, body: "x")) { scene, _ in
            let failure = await #expect(throws: CommandFailure.self) {
                let _: IDsAnswer = try await scene.client.post(
                    "/api/tunnels/my-app/inbox/messages/\(Self.id)/send",
                    Change()
                )
            }
            #expect(failure?.message.contains("malformed_body") == true)
            #expect(scene.inspection.ring.exchanges.isEmpty)
        }
    }

    @Test("What an edge refuses is said in its words")
    func refusals() async throws {
        let problem =
            #"{"type":"urn:culvert:problem","title":"T","status":404,"code":"message_not_found","detail":"Said by the edge."}"#
        try await self.withInspector(problem, status: "404 Not Found") { scene, _ in
            let failure = await #expect(throws: CommandFailure.self) {
                _ = try await scene.client.bytes("/api/tunnels/my-app/inbox/messages/\(Self.id)")
            }
            #expect(failure?.message == "Said by the edge. (message_not_found)")
        }
    }

    @Test("Without a key, and without an inbox, the answer says what is missing; what is not served is not asked for")
    func missing() async throws {
        struct Status: Decodable {
            struct Missing: Decodable {
                var code: String
                var detail: String
            }

            var missing: Missing?
        }
        try await self.withInspector("{}", hasKey: false) { scene, edge in
            let status: Status = try await scene.client.get("/api/tunnels/my-app/inbox")
            #expect(status.missing?.code == "key_missing")
            #expect(status.missing?.detail.contains("served by its token") == true)
            for (path, code) in [("my-app/inbox/messages", "key_missing"), ("other/inbox", "not_found")] {
                let failure = await #expect(throws: CommandFailure.self) {
                    _ = try await scene.client.bytes("/api/tunnels/\(path)")
                }
                #expect(failure?.message.contains(code) == true)
            }
            #expect(edge.requests.isEmpty)
        }
        let none =
            #"{"type":"urn:culvert:problem","title":"Not found","status":404,"code":"inbox_not_found","detail":"The tunnel has no inbox."}"#
        try await self.withInspector(none, status: "404 Not Found") { scene, _ in
            let status: Status = try await scene.client.get("/api/tunnels/my-app/inbox")
            #expect(status.missing?.code == "inbox_not_found")
        }
    }

    @Test("What is no request, or no message, is refused in words, whatever an edge says")
    func nonsense() async throws {
        for answer in ["{}", "[]", try Self.message(head: "x", body: "x", target: "/a b\r\nX: y")] {
            try await self.withInspector(answer) { scene, _ in
                let path = "/api/tunnels/my-app/inbox/messages/\(Self.id)"
                let failure = await #expect(throws: CommandFailure.self) { _ = try await scene.client.bytes(path) }
                let codes = ["(message_unreadable)", "(edge_unreachable)"]
                #expect(codes.contains { failure?.message.hasSuffix($0) == true }, "\(failure?.message ?? "")")
            }
        }
        try await self.withInspector(try Self.message(head: "no head at all", body: "x")) { scene, _ in
            let bytes = try await scene.client.bytes("/api/tunnels/my-app/inbox/messages/\(Self.id)")
            let answer = try APICoding.makeDecoder().decode(InboxMessageAnswer.self, from: bytes)
            #expect(answer.request.line == "POST /hooks/a?b HTTP/1.1")
        }
    }
}
