// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import GRDB
import RedisServer
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

extension EdgeUnderTest {
    /// A tunnel with an inbox.
    func makeInbox(_ settings: String = "{}") async throws -> CreateTunnelResponse {
        let tunnel = try await self.makeTunnel(#"{"name":"my-app"}"#)
        let answer = try await self.call("PUT", "tunnels/my-app/inbox", body: settings)
        try #require(answer.status == 200, "\(answer.body)")
        return tunnel
    }

    /// Sends a webhook.
    func post(
        _ path: String = "/my-app/hook",
        fields: [(String, String)] = [],
        body: String = "hello"
    ) async throws
        -> RawAnswer
    {
        let all = [(name: "Host", value: "edge.example")] + fields.map { (name: $0.0, value: $0.1) }
        return try await self.get(path, fields: all, method: "POST", body: body)
    }

    /// What the control API says of the inbox.
    func inbox() async throws -> InboxStatus {
        let answer = try await self.call("GET", "tunnels/my-app/inbox")
        return try APICoding.makeDecoder().decode(InboxStatus.self, from: Data(answer.body.utf8))
    }
}

/// A folder for a test's inboxes, which is removed with it.
final class InboxFolder: Sendable {
    let path = NSTemporaryDirectory() + "edge-inbox-" + UUID().uuidString

    deinit { try? FileManager.default.removeItem(atPath: self.path) }

    /// The file of a key in it.
    var file: String { "\(self.path)/secret" }

    /// Makes the folder, with a key.
    func withKeyFile() throws -> InboxFolder {
        try FileManager.default.createDirectory(atPath: self.path, withIntermediateDirectories: true)
        let made = FileManager.default.createFile(
            atPath: self.file,
            contents: Data(Data(repeating: 7, count: 32).base64EncodedString().utf8),
            attributes: [.posixPermissions: 0o600]
        )
        try #require(made)
        return self
    }
}

extension SettingCase {
    /// Where webhooks are kept.
    static var inbox: [SettingCase] {
        [
            SettingCase("inbox.directory") {
                let folder = InboxFolder()
                for round in 1...2 {
                    try await EdgeUnderTest.run(["--inbox-directory", folder.path]) { edge in
                        if round == 1 { _ = try await edge.makeInbox() }
                        #expect(try await edge.post().status == 202)
                        #expect(try await edge.inbox().waiting == round)
                    }
                }
                let problems = EdgeUnderTest.read(
                    ["--inbox-directory", folder.path, "--cluster-redis-url", "redis://127.0.0.1:1"]
                ).problems
                #expect(problems.contains { $0.contains("would each keep messages") })
            },
            SettingCase("inbox.store") {
                let problems = EdgeUnderTest.read(["--inbox-store", "redis", "--inbox-directory", "/x"]).problems
                for words in ["which is not set", "there is no folder", "inboxes in Redis need a key"] {
                    #expect(problems.contains { $0.contains(words) })
                }
                let server = try RedisServer()
                let key = try InboxFolder().withKeyFile()
                let settings = [
                    "--inbox-store", "redis", "--inbox-key-file", key.file, "--cluster-redis-url",
                    "redis://127.0.0.1:\(server.port)",
                ]
                try await EdgeUnderTest.run(settings) { edge in
                    _ = try await edge.makeInbox()
                    #expect(try await edge.post().status == 202)
                    // An edge that comes later has the inbox, and what is in it.
                    try await EdgeUnderTest.run(settings) { other in
                        #expect(try await other.post().status == 202)
                        #expect(try await other.inbox().waiting == 2)
                        #expect(try await other.call("DELETE", "tunnels/my-app/inbox").status == 204)
                        try await edge.until("it has heard so") { try await edge.post().status == 503 }
                        #expect(try await edge.call("PUT", "tunnels/my-app/inbox", body: "{}").status == 200)
                        try await other.until("it has heard so") { try await other.post().status == 202 }
                        server.kill()
                        #expect(try await other.post()["Culvert-Error"] == "inbox_unavailable")
                    }
                }
            },
            SettingCase("inbox.key-file") {
                let folder = try InboxFolder().withKeyFile()
                let file = folder.file
                let settings = ["--inbox-directory", folder.path, "--inbox-key-file", file]
                try await EdgeUnderTest.run(settings) { edge in _ = try await edge.makeInbox() }
                #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/key"))
                // With a key of its own the edge can't read what it sealed.
                await #expect(throws: (any Error).self) {
                    try await EdgeUnderTest.run(["--inbox-directory", folder.path]) { _ in }
                }
                let lonely = EdgeUnderTest.read(["--inbox-key-file", file]).problems
                #expect(lonely.contains { $0.contains("there is no inbox.directory") })
                let keyless = EdgeUnderTest.read(
                    ["--inbox-directory", folder.path, "--dev", "false"],
                    without: ["CULVERT_DEV"]
                ).problems
                #expect(keyless.contains { $0.contains("inbox.directory needs a key") })
            },
            SettingCase("inbox.max-size") {
                let folder = InboxFolder()
                let settings = ["--inbox-directory", folder.path, "--inbox-max-size", "1MiB"]
                try await EdgeUnderTest.run(settings) { edge in
                    _ = try await edge.makeInbox()
                    let body = String(repeating: "x", count: 200_000)
                    var answer = try await edge.post(body: body)
                    for _ in 0..<10 where answer.status == 202 { answer = try await edge.post(body: body) }
                    #expect(answer["Culvert-Error"] == "inbox_full")
                }
            },
            SettingCase("inbox.max-per-key") {
                try await EdgeUnderTest.run(["--inbox-max-per-key", "1"]) { edge in
                    _ = try await edge.makeInbox()
                    _ = try await edge.makeTunnel(#"{"name":"other"}"#)
                    let answer = try await edge.call("PUT", "tunnels/other/inbox", body: "{}")
                    #expect(answer["Culvert-Error"] == "too_many_inboxes")
                }
            },
        ]
    }
}

extension CodeCase {
    /// What senders of webhooks meet, and who looks after them.
    static var inbox: [CodeCase] {
        [
            Self.edge(.visitor, "signature_invalid", 401) { edge in
                _ = try await edge.makeInbox(#"{"verify":{"scheme":"github","secret":"s"}}"#)
                return try await edge.post(fields: [("X-Hub-Signature-256", "sha256=00")])
            },
            Self.edge(.visitor, "body_too_large", 413) { edge in
                _ = try await edge.makeInbox(#"{"keep":{"body_bytes":4}}"#)
                return try await edge.post()
            },
            Self.edge(.visitor, "inbox_full", 503) { edge in
                _ = try await edge.makeInbox(#"{"keep":{"messages":1}}"#)
                #expect(try await edge.post().status == 202)
                let answer = try await edge.post()
                #expect(answer["Retry-After"] == "60")
                return answer
            },
            CodeCase(.visitor, "inbox_unavailable", 503) {
                let folder = InboxFolder()
                var met: Met?
                try await EdgeUnderTest.run(["--inbox-directory", folder.path]) { edge in
                    _ = try await edge.makeInbox()
                    met = try await Self.whileLocked(folder) { try await edge.post() }
                }
                return try #require(met)
            },
            Self.edge(.caller, "inbox_not_served", 409) { edge in
                _ = try await edge.makeTunnel(#"{"name":"my-app","public":false}"#)
                return try await edge.call("PUT", "tunnels/my-app/inbox", body: "{}")
            },
            Self.edge(.caller, "inbox_not_found", 404) { edge in
                _ = try await edge.makeTunnel(#"{"name":"my-app"}"#)
                return try await edge.call("GET", "tunnels/my-app/inbox")
            },
            Self.edge(.caller, "message_not_found", 404) { edge in
                _ = try await edge.makeInbox()
                return try await edge.call(
                    "GET",
                    "tunnels/my-app/inbox/messages/msg_\(String(repeating: "a", count: 20))"
                )
            },
            Self.edge(.caller, "too_many_inboxes", 409, settings: ["--inbox-max-per-key", "1"]) { edge in
                _ = try await edge.makeInbox()
                _ = try await edge.makeTunnel(#"{"name":"other"}"#)
                return try await edge.call("PUT", "tunnels/other/inbox", body: "{}")
            },
            CodeCase(.caller, "inbox_unavailable", 503) {
                let folder = InboxFolder()
                var met: Met?
                try await EdgeUnderTest.run(["--inbox-directory", folder.path]) { edge in
                    _ = try await edge.makeInbox()
                    met = try await Self.whileLocked(folder) { try await edge.call("DELETE", "tunnels/my-app/inbox") }
                    #expect(try await edge.post().status == 202)
                }
                return try #require(met)
            },
        ]
    }

    /// Locks the file under a running edge, as a program might that copies it carelessly.
    private static func whileLocked(
        _ folder: InboxFolder,
        _ body: () async throws -> RawAnswer
    ) async throws -> Met {
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        let other = try DatabaseQueue(path: "\(folder.path)/inbox.sqlite", configuration: configuration)
        try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
        let answer = try await body()
        try other.close()
        return Met(answer)
    }
}

extension MetricCase {
    /// The figures of webhook inboxes.
    static var inbox: [MetricCase] {
        [
            MetricCase("culvert_inbox_messages") { edge in
                _ = try await edge.makeInbox()
                #expect(try await edge.post().status == 202)
                try await edge.until("it is counted") {
                    try await edge.metric("culvert_inbox_messages", "waiting") == 1
                }
            },
            MetricCase("culvert_inbox_bytes") { edge in
                _ = try await edge.makeInbox()
                _ = try await edge.post(body: String(repeating: "x", count: 5_000))
                try await edge.until("it is counted") { try await edge.metric("culvert_inbox_bytes") > 5_000 }
            },
            MetricCase("culvert_inbox_oldest_waiting_seconds") { edge in
                _ = try await edge.makeInbox()
                _ = try await edge.post()
                try await edge.until("it grows") {
                    try await edge.metric("culvert_inbox_oldest_waiting_seconds") > 0
                }
            },
            MetricCase("culvert_inbox_stored_total") { edge in
                _ = try await edge.makeInbox()
                _ = try await edge.post()
                #expect(try await edge.metric("culvert_inbox_stored_total") == 1)
            },
            MetricCase("culvert_inbox_refused_total") { edge in
                _ = try await edge.makeInbox(#"{"keep":{"messages":1},"verify":{"scheme":"github","secret":"s"}}"#)
                _ = try await edge.post()
                #expect(try await edge.metric("culvert_inbox_refused_total", "signature") == 1)
            },
            MetricCase("culvert_inbox_deliveries_total") { edge in
                let tunnel = try await edge.makeInbox()
                _ = try await edge.post()
                _ = try await edge.connect(tunnel)
                try await edge.until("it is delivered") {
                    try await edge.metric("culvert_inbox_deliveries_total", "delivered") == 1
                }
            },
        ]
    }
}
