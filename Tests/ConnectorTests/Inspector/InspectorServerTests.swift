// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
import Inspection
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing

@testable import Connector

@Suite("The inspector's API over a socket", .timeLimit(.minutes(1)))
struct InspectorServerTests {
    private static func wait(for id: String, _ scene: InspectorScene) async throws -> ExchangeSnapshot {
        let id = try #require(CaptureID(id))
        while true {
            let exchange = try #require(scene.inspection.ring.exchange(id)).snapshot()
            if exchange.state.ending != .open { return exchange }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    @Test("What scripts for ngrok read is there: the URL of the tunnel, the list, one request")
    func ngrok() async throws {
        try await InspectorScene.run { scene in
            let id = try #require(scene.capture("GET /a?b HTTP/1.1\r\nHost: x\r\nX-Y: 1\r\nx-y: 2\r\n\r\n"))
            let tunnels: TunnelsAnswer = try await scene.client.get("/api/tunnels")
            #expect(tunnels.tunnels.first?.publicURL == "https://e.example/my-app/")
            #expect(tunnels.tunnels.first?.metrics.http.count == 1)
            let list = try await scene.client.bytes("/api/requests/http", query: [("limit", "5")])
            let json = try #require(try JSONSerialization.jsonObject(with: list) as? [String: Any])
            let first = try #require((json["requests"] as? [[String: Any]])?.first)
            #expect(first["id"] as? String == "\(id)" && first["tunnel_name"] as? String == "my-app")
            let request = try #require(first["request"] as? [String: Any])
            #expect(request["uri"] as? String == "/a?b" && request["raw"] is String)
            let one: ExchangeAnswer = try await scene.client.get(
                "/api/requests/http/\(id)",
                query: [("fields", "detail")]
            )
            #expect(one.request.fields == [["Host", "x"], ["X-Y", "1"], ["x-y", "2"]] && one.request.raw == nil)
            #expect(one.response?.statusCode == 200 && one.url == "https://e.example/my-app/a?b" && one.isReplayable)
        }
    }

    @Test("Who says nothing, half a head, or half a body, is cut off; a page that follows is not")
    func patience() async throws {
        try await InspectorScene.run(patience: .milliseconds(200)) { scene in
            let port = try #require(scene.client.url.split(separator: ":").last.flatMap { Int($0) })
            func connection(_ text: String) async throws -> any Channel {
                // Written on the event loop as soon as it is connected: the patience may be over before this task goes on.
                try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .connect(host: "127.0.0.1", port: port)
                    .flatMap { channel in channel.writeAndFlush(ByteBuffer(string: text)).map { channel } }.get()
            }
            let host = "Host: 127.0.0.1:\(port)\r\n"
            let follower = try await connection("GET /api/events HTTP/1.1\r\n\(host)\r\n")
            let json = "Content-Type: application/json\r\nContent-Length: 100\r\n"
            for text in [
                "", "GET /api HT", "GET /api HTTP/1.1\r\n\(host)X: ",
                "POST /api/requests/http HTTP/1.1\r\n\(host)\(json)\r\n{",
            ] {
                let channel = try await connection(text)
                try await channel.closeFuture.get()
            }
            #expect(follower.isActive)
            try await follower.close()
        }
    }

    /// Keeps what comes on a connection.
    private final class Collector: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer

        let text = NIOLockedValueBox("")

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = Self.unwrapInboundIn(data)
            self.text.withLockedValue { $0 += String(decoding: bytes.readableBytesView, as: UTF8.self) }
        }

        func wait(for text: String, times: Int = 1) async throws {
            while self.text.withLockedValue({ $0.components(separatedBy: text).count <= times }) {
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }

    @Test("A page that follows is told of requests, and of what becomes of tunnels, when that happens")
    func follower() async throws {
        try await InspectorScene.run { scene in
            let port = try #require(scene.client.url.split(separator: ":").last.flatMap { Int($0) })
            let collector = Collector()
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelInitializer { $0.pipeline.addHandler(collector) }
                .connect(host: "127.0.0.1", port: port).get()
            let head = "GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n\r\n"
            try await channel.writeAndFlush(ByteBuffer(string: head))
            try await collector.wait(for: "event: reset")
            try await collector.wait(for: "event: tunnels")
            for number in 1...3 {
                _ = try #require(scene.capture("GET /late/\(number) HTTP/1.1\r\nHost: x\r\n\r\n"))
                try await collector.wait(for: "\"path\":\"/late/\(number)\"")
            }
            scene.inspection.directory.take(.connecting(index: 0), of: "my-app")
            try await collector.wait(for: "event: tunnels", times: 2)
            scene.inspection.directory.edgeAnswered(EdgeAnswers(["rate_limited": 3]), of: "my-app")
            try await collector.wait(for: "\"edge_answers_by_code\":{\"rate_limited\":3}")
            // The numbers that change with all that passes come some time later.
            try await collector.wait(for: "\"total\":3")
            try await channel.close()
        }
    }

    @Test("More connections than there may be wait until others go, and are served then")
    func crowd() async throws {
        try await InspectorScene.run { scene in
            let port = try #require(scene.client.url.split(separator: ":").last.flatMap { Int($0) })
            let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            var idle: [any Channel] = []
            for _ in 0..<InspectorServer.maximumConnections {
                idle.append(try await bootstrap.connect(host: "127.0.0.1", port: port).get())
            }
            let waiting = Task { await scene.client.answers() }
            // The queue is the kernel's: that the call is not answered meanwhile is what can be seen of it.
            for channel in idle { try await channel.close() }
            #expect(await waiting.value)
        }
    }

    @Test("A replay reaches the local server with the bytes that passed, and is in the list beside its original")
    func replay() async throws {
        try await InspectorScene.run(ending: "hello") { scene in
            let head = "POST /x?y HTTP/1.1\r\nHost: h\r\nX-A:  1\r\nContent-Length: 5\r\n\r\n"
            let id = try #require(scene.capture(head, body: Array("hello".utf8)))
            var call = ReplayCall(id: "\(id)")
            call.times = 3
            call.concurrency = 2
            let answer: IDsAnswer = try await scene.client.post("/api/requests/http", call)
            #expect(answer.ids.count == 3)
            for id in answer.ids {
                let exchange = try await Self.wait(for: id, scene)
                #expect(exchange.state.ending == .complete && exchange.replayOf?.description == call.id)
                let view = ExchangeView(exchange)
                #expect(view.status == 201 && exchange.state.response?.body.kept == Array("ok".utf8))
            }
            let sent = """
                POST /x?y HTTP/1.1\r\nHost: h\r\nX-A:  1\r\nContent-Length: 5\r\nConnection: close\r\n\
                Culvert-Replay: \(id)\r\n\r\nhello
                """
            #expect(scene.origin.requests == [sent, sent, sent])
            let original: ExchangeAnswer = try await scene.client.get("/api/requests/http/\(id)")
            #expect(original.replays?.sorted() == answer.ids.sorted())
        }
    }

    @Test("The list goes on from any of its lines, and one line can be asked for alone")
    func pages() async throws {
        try await InspectorScene.run { scene in
            let ids = try (0..<5).map { number in
                try #require(scene.capture("GET /\(number % 2) HTTP/1.1\r\nHost: h\r\n\r\n"))
            }
            func list(_ query: [(String, String)]) async throws -> [String] {
                let list: ListAnswer<ExchangeSummary> = try await scene.client.get(
                    "/api/requests/http",
                    query: [("fields", "summary")] + query
                )
                return list.requests.map(\.id)
            }
            let youngest = ids.reversed().map { "\($0)" }
            #expect(try await list([("limit", "2")]) == Array(youngest[..<2]))
            #expect(try await list([("limit", "2"), ("before", youngest[1])]) == Array(youngest[2..<4]))
            #expect(try await list([("filter", "path:/1")]) == [youngest[1], youngest[3]])
            #expect(try await list([("filter", "path:/1"), ("limit", "1")]) == [youngest[1]])
            #expect(try await list([("tunnel_name", "other")]).isEmpty)
            let one: ExchangeSummary = try await scene.client.get(
                "/api/requests/http/\(youngest[0])",
                query: [("fields", "summary")]
            )
            #expect(one.id == youngest[0] && one.path == "/0")
        }
    }

    @Test("A replay to a local server that is gone is an exchange that failed")
    func unreachable() async throws {
        try await InspectorScene.run { scene in
            let id = try #require(scene.capture("GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
            try await scene.origin.stop()
            var call = ReplayCall(id: "\(id)")
            call.times = 1
            let answer: IDsAnswer = try await scene.client.post("/api/requests/http", call)
            let exchange = try await Self.wait(for: try #require(answer.ids.first), scene)
            #expect(ExchangeView(exchange).failure?.contains("can't be reached: nothing listens on") == true)
        }
    }

    @Test("Captured bytes are attachments, with the coding that the client accepts, or decoded here")
    func bodies() async throws {
        try await InspectorScene.run { scene in
            // Made by Python: gzip.compress(b"hello hello hello hello", mtime=0)
            let gzip: [UInt8] = [
                31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 203, 72, 205, 201, 201, 87, 200, 64, 39, 1, 227, 81, 61, 141, 23, 0, 0,
                0,
            ]
            let id = try #require(
                scene.capture("POST / HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\n\r\n", body: gzip)
            )
            let path = "/api/requests/http/\(id)/request"
            #expect(try await scene.client.bytes("\(path)/body", query: [("stored", "1")]) == Data(gzip))
            let decoded = try await scene.client.bytes("\(path)/body", query: [("decoded", "1")])
            #expect(String(decoding: decoded, as: UTF8.self) == "hello hello hello hello")
            let raw = try await scene.client.bytes("\(path)/raw")
            #expect(raw.suffix(gzip.count) == Data(gzip) && raw.starts(with: Data("POST / HTTP/1.1\r\n".utf8)))
        }
    }

    @Test("Clearing forgets everything, and what is gone is not found")
    func clearing() async throws {
        try await InspectorScene.run { scene in
            let first = try #require(scene.capture("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"))
            let second = try #require(scene.capture("GET /2 HTTP/1.1\r\nHost: h\r\n\r\n"))
            try await scene.client.delete("/api/requests/http/\(first)")
            var list: ListAnswer<ExchangeSummary> = try await scene.client.get(
                "/api/requests/http",
                query: [("fields", "summary")]
            )
            #expect(list.requests.map(\.id) == ["\(second)"])
            try await scene.client.delete("/api/requests/http")
            list = try await scene.client.get("/api/requests/http", query: [("fields", "summary")])
            #expect(list.requests.isEmpty && scene.inspection.ring.usedBytes == 0)
            let failure = await #expect(throws: CommandFailure.self) {
                _ = try await scene.client.bytes("/api/requests/http/\(second)")
            }
            #expect(failure?.message.contains("not_found") == true)
        }
    }

    @Test("The OpenAPI document is one, and every path without parameters that it names is there")
    func openAPI() async throws {
        try await InspectorScene.run { scene in
            let data = try await scene.client.bytes("/api/openapi.json")
            let document = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
            let paths = try #require(document["paths"] as? [String: Any])
            #expect(paths.count == InspectorOpenAPI.paths.count && paths.count > 12)
            let id = try #require(scene.capture("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
            for path in paths.keys where path != "/api/events" && !path.contains("/inbox") {
                let filled = path.replacing("{id}", with: "\(id)").replacing("{name}", with: "my-app")
                _ = try await scene.client.bytes(filled)
            }
        }
    }

    @Test("With a token, who does not show it is refused")
    func token() async throws {
        var settings = TrafficInspection.Settings()
        settings.requiresToken = true
        try await InspectorScene.run(settings: settings) { scene in
            let _: TunnelsAnswer = try await scene.client.get("/api/tunnels")
            let stranger = InspectorClient(url: scene.client.url)
            let failure = await #expect(throws: CommandFailure.self) {
                let _: TunnelsAnswer = try await stranger.get("/api/tunnels")
            }
            #expect(failure?.status == .refused && failure?.message.contains("token_required") == true)
        }
    }
}

extension InspectorScene {
    /// Puts an exchange into the ring, as if it had passed.
    fileprivate func capture(
        _ request: String,
        body: [UInt8] = [],
        response: String = "HTTP/1.1 200 OK\r\n\r\n"
    ) -> CaptureID? {
        let moment = NIODeadline.now()
        let exchange = self.inspection.ring.begin(
            ExchangeOrigin(tunnel: "my-app", connection: 1),
            head: Array(request.utf8),
            at: moment
        )
        body.withUnsafeBytes { exchange?.requestBody($0, expected: nil) }
        exchange?.requestEnded(trailers: [], at: moment)
        exchange?.responded(Array(response.utf8), kind: .http, at: moment)
        exchange?.completed(trailers: [], at: moment)
        return exchange?.id
    }
}
