// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import NIOConcurrencyHelpers
import Protocol
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeProxy
@testable import EdgeTunnels

@Suite("Webhooks that the edge keeps")
struct InboxTests {
    private func message(_ edge: EdgeUnderTest, _ id: String) async throws -> InboxMessageContent {
        let answer = try await edge.call("GET", "tunnels/my-app/inbox/messages/\(id)")
        return try APICoding.makeDecoder().decode(InboxMessageContent.self, from: Data(answer.body.utf8))
    }

    @Test("What nobody can take is answered 202, kept byte for byte, and handed over to who comes")
    func keptAndDelivered() async throws {
        try await EdgeUnderTest.run(["--limits-api-calls-per-second", "1000"]) { edge in
            let tunnel = try await edge.makeInbox(#"{"paths":["/hooks/*"]}"#)
            let answer = try await edge.post("/my-app/hooks/a?b=%2F", body: "{\"n\": 12345678901234567890}\n")
            #expect(answer.status == 202)
            let id = try #require(answer["Culvert-Inbox"])
            let kept = try await self.message(edge, id)
            #expect(kept.message.target == "/hooks/a?b=%2F" && kept.message.state == .waiting)
            #expect(kept.head.hasPrefix("POST /my-app/hooks/a?b=%2F HTTP/1.1\r\n"))
            #expect(Data(base64Encoded: kept.bodyBase64) == Data("{\"n\": 12345678901234567890}\n".utf8))
            #expect(try await edge.post("/my-app/other").status == 503)
            _ = try await edge.connect(tunnel)
            try await edge.until("it is delivered") { try await edge.inbox().delivered == 1 }
            #expect(try await self.message(edge, id).message.lastStatus == 200)
        }
    }

    @Test("While somebody can take requests they pass, and the app's answer is the sender's, whatever it is")
    func reachable() async throws {
        try await EdgeUnderTest.run(["--limits-api-calls-per-second", "1000"]) { edge in
            let tunnel = try await edge.makeInbox()
            _ = try await edge.connect(
                tunnel,
                origin: .answers("HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno")
            )
            let answer = try await edge.post()
            #expect(answer.status == 500 && answer.body == "no")
            #expect(try await edge.inbox().waiting == 0)
        }
    }

    @Test(
        "With any order four are handed over at a time, and a slow one holds none; in order it is one",
        arguments: [true, false]
    )
    func atOnce(isAny: Bool) async throws {
        try await EdgeUnderTest.run(["--limits-api-calls-per-second", "1000"]) { edge in
            let order = isAny ? "any" : "strict"
            let tunnel = try await edge.makeInbox(#"{"delivery":{"order":"\#(order)","per_second":1000}}"#)
            for _ in 0..<6 { #expect(try await edge.post().status == 202) }
            let connector = try await edge.connect(tunnel, origin: .silent)
            let most = isAny ? InboxCourier.atOnce : 1
            try await edge.until("as many are under way as may be") {
                connector.opened.withLockedValue { $0.count } >= most
            }
            try await Task.sleep(for: .milliseconds(200))
            #expect(connector.opened.withLockedValue { $0.count } == most)
            try await connector.answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            try await edge.until("those are delivered") { try await edge.inbox().delivered == most }
        }
    }

    @Test("A connector that can't reach its app counts as nobody, and is tried again by itself")
    func rejected() async throws {
        try await EdgeUnderTest.run(["--limits-api-calls-per-second", "1000"]) { edge in
            let tunnel = try await edge.makeInbox()
            let first = try await edge.connect(tunnel, origin: .rejects(.connectRefused))
            #expect(try await edge.post().status == 202)
            try await edge.until("it is tried") {
                try await edge.metric("culvert_inbox_deliveries_total", "unreachable") >= 2
            }
            let inbox = try await edge.inbox()
            #expect(inbox.waiting == 1)
            try await first.drop()
            try await edge.until("it is gone") { try await edge.metric("culvert_active_sessions") == 0 }
            _ = try await edge.connect(tunnel, bundle: 2)
            try await edge.until("it is delivered") { try await edge.inbox().delivered == 1 }
        }
    }

    @Test("A request that may have reached the app is not kept: the sender alone knows whether to send it again")
    func mayHaveArrived() async throws {
        try await EdgeUnderTest.run(["--limits-api-calls-per-second", "1000"]) { edge in
            let tunnel = try await edge.makeInbox()
            _ = try await edge.connect(tunnel, origin: .hangsUp)
            #expect(try await edge.post().status == 502)
            #expect(try await edge.inbox().waiting == 0)
        }
    }

    @Test("An inbox that keeps each request answers before the app does")
    func always() async throws {
        try await EdgeUnderTest.run(["--limits-api-calls-per-second", "1000"]) { edge in
            let settings = #"{"when":"always","answer":{"status":200,"content_type":"text/plain","body":"ok then"}}"#
            let tunnel = try await edge.makeInbox(settings)
            _ = try await edge.connect(tunnel)
            let answer = try await edge.post()
            #expect(answer.status == 200 && answer.body == "ok then" && answer["Content-Type"] == "text/plain")
            try await edge.until("it is delivered") { try await edge.inbox().delivered == 1 }
        }
    }

    @Test("Messages leave in their order; one that fails holds the rest until it is given up")
    func order() async throws {
        try await EdgeUnderTest.run(["--limits-api-calls-per-second", "1000"]) { edge in
            let tunnel = try await edge.makeInbox(#"{"delivery":{"per_second":1000}}"#)
            var ids: [String] = []
            for number in 0..<5 {
                ids.append(try #require(try await edge.post(body: "\(number)")["Culvert-Inbox"]))
            }
            let failing = try await edge.connect(
                tunnel,
                origin: .answers("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 3600\r\n\r\n")
            )
            try await edge.until("the first one is refused") {
                try await self.message(edge, ids[0]).message.attempts == 1
            }
            #expect(try await self.message(edge, ids[1]).message.attempts == 0)
            let due = try #require(try await self.message(edge, ids[0]).message.dueAt)
            #expect(due.timeIntervalSinceNow > 3_500)
            try await failing.drop()
            try await edge.until("it is gone") { try await edge.metric("culvert_active_sessions") == 0 }
            _ = try await edge.connect(tunnel, bundle: 2)
            #expect(try await edge.call("POST", "tunnels/my-app/inbox/messages/\(ids[0])/skip").status == 200)
            try await edge.until("the rest is delivered") { try await edge.inbox().delivered == 4 }
            #expect(try await edge.inbox().dead == 1)
            #expect(try await edge.call("POST", "tunnels/my-app/inbox/deliver").body == #"{"changed":1}"#)
            try await edge.until("that one, too") { try await edge.inbox().delivered == 5 }
        }
    }

    @Test("410 ends a message at once")
    func gone() async throws {
        try await EdgeUnderTest.run(["--limits-api-calls-per-second", "1000"]) { edge in
            let tunnel = try await edge.makeInbox()
            let id = try #require(try await edge.post()["Culvert-Inbox"])
            _ = try await edge.connect(tunnel, origin: .answers("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"))
            try await edge.until("it is dead") { try await edge.inbox().dead == 1 }
            #expect(try await self.message(edge, id).message.lastStatus == 410)
        }
    }

    @Test("An app that never answers has its time, and no more")
    func silent() async throws {
        try await EdgeUnderTest.run(["--limits-api-calls-per-second", "1000"]) { edge in
            let tunnel = try await edge.makeInbox(#"{"delivery":{"timeout_seconds":1}}"#)
            let id = try #require(try await edge.post()["Culvert-Inbox"])
            _ = try await edge.connect(tunnel, origin: .silent)
            try await edge.until("it is refused") { try await self.message(edge, id).message.attempts == 1 }
            #expect(try await self.message(edge, id).message.lastError == "origin_timeout")
        }
    }

    @Test("A handshake is answered with its value while nobody is there")
    func handshake() async throws {
        try await EdgeUnderTest.run(["--limits-api-calls-per-second", "1000"]) { edge in
            _ = try await edge.makeInbox(#"{"echo":["query:hub.challenge","json:challenge"]}"#)
            let answer = try await edge.get("/my-app/hook?hub.mode=subscribe&hub.challenge=42")
            #expect(answer.status == 200 && answer.body == "42")
            #expect(try await edge.post(body: #"{"challenge":"abc"}"#).body == "abc")
            #expect(try await edge.inbox().waiting == 0)
        }
    }

    @Test("A chunked body is kept without its chunks, and an expectation is answered by the edge")
    func chunked() async throws {
        try await EdgeUnderTest.run(["--limits-api-calls-per-second", "1000"]) { edge in
            let tunnel = try await edge.makeInbox()
            let visitor = try await RawVisitor.connect(to: edge.addresses.listen)
            try await visitor.send(
                "POST /my-app/hook HTTP/1.1\r\nHost: edge.example\r\nTransfer-Encoding: chunked\r\n"
                    + "Expect: 100-continue\r\nConnection: close\r\n\r\n"
            )
            #expect(try await visitor.text(until: "100 Continue\r\n\r\n").contains("100 Continue"))
            try await visitor.send("5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n")
            let text = try await visitor.text(until: "}")
            #expect(text.contains("202 Accepted"))
            let list = try await edge.call("GET", "tunnels/my-app/inbox/messages")
            let messages = try APICoding.makeDecoder().decode(InboxMessageList.self, from: Data(list.body.utf8))
            let kept = try await self.message(edge, try #require(messages.messages.first?.id))
            #expect(Data(base64Encoded: kept.bodyBase64) == Data("hello world".utf8))
            _ = try await edge.connect(tunnel)
            try await edge.until("it is delivered") { try await edge.inbox().delivered == 1 }
        }
    }

    @Test("What is larger than may be kept passes while somebody is there, announced or in chunks")
    func tooLarge() async throws {
        try await EdgeUnderTest.run(["--limits-api-calls-per-second", "1000"]) { edge in
            let tunnel = try await edge.makeInbox(#"{"keep":{"body_bytes":10}}"#)
            _ = try await edge.connect(tunnel)
            #expect(try await edge.post(body: String(repeating: "x", count: 1_000)).status == 200)
            let visitor = try await RawVisitor.connect(to: edge.addresses.listen)
            let chunk = String(repeating: "y", count: 256)
            try await visitor.send(
                "POST /my-app/hook HTTP/1.1\r\nHost: edge.example\r\nTransfer-Encoding: chunked\r\n"
                    + "Connection: close\r\n\r\n100\r\n\(chunk)\r\n0\r\n\r\n"
            )
            #expect(try await visitor.text(until: "ok").contains("200 OK"))
            #expect(try await edge.inbox().waiting == 0)
        }
    }

    @Test("The tunnel of an inbox is there after a restart, before its connector, and only its owner's")
    func restart() async throws {
        let folder = InboxFolder()
        let tunnel = NIOLockedValueBox<CreateTunnelResponse?>(nil)
        try await EdgeUnderTest.run(["--inbox-directory", folder.path]) { edge in
            let made = try await edge.makeInbox()
            tunnel.withLockedValue { $0 = made }
            #expect(try await edge.post(body: "before").status == 202)
        }
        try await EdgeUnderTest.run(["--inbox-directory", folder.path]) { edge async throws in
            #expect(try await edge.post(body: "after").status == 202)
            #expect(try await edge.inbox().waiting == 2)
            #expect(try await edge.call("DELETE", "tunnels/my-app").status == 204)
            #expect(try await edge.post().status == 404)
        }
        try await EdgeUnderTest.run(["--inbox-directory", folder.path]) { edge async throws in
            #expect(try await edge.post().status == 404)
        }
    }

    @Test("The secret of signatures is never told, and stays where somebody changes something else")
    func secret() async throws {
        try await EdgeUnderTest.run(["--limits-api-calls-per-second", "1000"]) { edge in
            let tunnel = try await edge.makeInbox(#"{"verify":{"scheme":"github","secret":"planted"}}"#)
            let shown = try await edge.call("GET", "tunnels/\(tunnel.tunnelID)/inbox").body
            #expect(!shown.contains("planted"))
            let body = #"{"verify":{"scheme":"github"},"paths":["/hooks/*"]}"#
            #expect(try await edge.call("PUT", "tunnels/my-app/inbox", body: body).status == 200)
            #expect(try await edge.post("/my-app/hooks/a").status == 401)
            let answer = try await edge.call("PUT", "tunnels/my-app/inbox", body: #"{"verify":{"scheme":"slack"}}"#)
            #expect(answer.status == 400 && answer.problem?.field == "verify.secret")
        }
    }

    @Test("A wrong signature can be let through and marked")
    func marked() async throws {
        try await EdgeUnderTest.run(["--limits-api-calls-per-second", "1000"]) { edge in
            _ = try await edge.makeInbox(
                #"{"verify":{"scheme":"github","secret":"s","on_failure":"mark"}}"#
            )
            let id = try #require(try await edge.post()["Culvert-Inbox"])
            #expect(try await self.message(edge, id).message.verified == false)
        }
    }

    @Test(
        "Retry-After is a number of seconds or a date, and nothing else",
        arguments: [
            ("120", 120), ("0", 0), (" 7 ", 7), ("Thu, 01 Jan 1970 00:20:00 GMT", 200),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777 - 1_000),
            ("Thu, 29 Feb 1996 00:00:00 GMT", 825_552_000 - 1_000),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("-1", nil), ("1.5", nil), ("", nil), ("1234567890", nil),
            ("Sun, 06 Nov 1994 08:49:37", nil), ("Sun, 06 Nov 1994 24:49:37 GMT", nil),
        ] as [(String, Int?)]
    )
    func retryTime(_ text: String, _ seconds: Int?) {
        #expect(RetryTime(text, now: 1_000)?.seconds == seconds)
    }
}
