// SPDX-License-Identifier: Apache-2.0

import Foundation
import RedisServer
import Testing

extension EndToEnd {
    @Suite("Several edges", .serialized)
    struct SeveralEdgesTests {
        @Test("Each of three edges serves a tunnel whose connector is at one of them: GET, POST, WebSocket, stream")
        func each() async throws {
            let scratch = try ScratchFolder()
            let origin = try await SampleOrigin(in: scratch)
            let cluster = try await SeveralEdges(in: scratch)
            let tunnel = try await cluster.edges[0].createTunnel(#"{"name":"my-app"}"#, in: scratch)
            let connector = try await cluster.connect(tunnel, to: origin.port)
            #expect(try await cluster.sessions().reduce(0, +) == 1)
            let upload = try await scratch.randomFile("upload", mebibytes: 2)
            for edge in cluster.edges {
                let url = "\(edge.url)/my-app"
                #expect(try await Curl.get("\(url)/", in: scratch).status == 200)
                let posted = try await Curl.get(
                    "\(url)/upload",
                    ["--data-binary", "@\(upload.url.path)", "--header", "Content-Type: application/octet-stream"],
                    in: scratch
                )
                #expect(posted.status == 200 && posted.body.contains(upload.digest), "\(posted.body)")
                let talk = try RunningProcess.peer(
                    "websocket_conversations.py",
                    ["ws" + url.dropFirst("http".count) + "/echo", "4"],
                    in: scratch
                )
                let output = try await talk.successfulOutput(within: .seconds(60))
                #expect(output.contains(#""failures": []"#), "\(output)")
                // Server-sent events come while the response goes on.
                let clock = try await Curl.get("\(url)/clock", ["--max-time", "2"], in: scratch)
                #expect(clock.status == 200 && clock.body.contains("data:"))
            }
            withExtendedLifetime(connector) {}
        }

        @Test("An edge is killed: with connections at two edges requests go on at once, with one within five seconds")
        func killed() async throws {
            let scratch = try ScratchFolder()
            let origin = try await SampleOrigin(in: scratch)
            let cluster = try await SeveralEdges(in: scratch)
            for connections in [2, 1] {
                let tunnel = try await cluster.edges[0].createTunnel(#"{"name":"my-app"}"#, in: scratch)
                let connector = try await cluster.connect(tunnel, to: origin.port, connections: connections)
                let counts = try await cluster.sessions()
                let victim = try #require(counts.firstIndex { $0 > 0 })
                let witness = try #require(cluster.edges.indices.last { $0 != victim })
                let url = "\(cluster.edges[witness].url)/my-app/headers"
                #expect(try await Curl.get(url, in: scratch).status == 200)
                try await cluster.edges[victim].crash()
                let start = ContinuousClock.now
                try await eventually("it is served again") {
                    try await Curl.get(url, in: scratch).status == 200 ? () : nil
                }
                let pause = ContinuousClock.now - start
                print("Several edges: \(connections) connections at \(counts), served after \(pause)")
                // Beside other tests it is at least no time-out that ends the pause.
                let limits: [Duration] =
                    Programs.isFullSize ? [.seconds(5), .seconds(2)] : [.seconds(12), .seconds(5)]
                #expect(pause < limits[connections - 1])
                connector.send(signal: SIGTERM)
                _ = try await connector.end()
                try await cluster.edges[victim].restart()
            }
        }

        @Test(
            "Redis is killed, and comes back empty: no request to a tunnel that is online fails, and all know it again"
        )
        func outage() async throws {
            let scratch = try ScratchFolder()
            let origin = try await SampleOrigin(in: scratch)
            let cluster = try await SeveralEdges(in: scratch)
            let tunnel = try await cluster.edges[0].createTunnel(#"{"name":"my-app"}"#, in: scratch)
            let connector = try await cluster.connect(tunnel, to: origin.port)
            func everywhere(_ comment: Comment) async throws {
                for edge in cluster.edges {
                    let answer = try await Curl.get("\(edge.url)/my-app/", in: scratch)
                    #expect(answer.status == 200, comment)
                }
            }
            try await everywhere("before")
            cluster.redis.kill()
            for _ in 0..<5 { try await everywhere("while it is away") }
            try cluster.redis.start()
            for _ in 0..<5 { try await everywhere("while it is empty") }
            try await eventually("it is told again") {
                try cluster.redis.ask(["HKEYS", "cv:t:my-app"]).contains("s:") ? () : nil
            }
            try await everywhere("afterwards")
            withExtendedLifetime(connector) {}
        }

        @Test("A link ends with the key that signed its token, and one that the next key signs takes its place")
        func removedKey() async throws {
            let scratch = try ScratchFolder()
            let origin = try await SampleOrigin(in: scratch)
            let file = scratch.file("signing-keys.json")
            func write(_ names: [String]) throws {
                let keys = names.map { name in
                    let secret = Data(repeating: name.utf8.first ?? 0, count: 32).base64EncodedString()
                    return #"{"kid":"\#(name)","secret":"\#(secret)"}"#
                }
                let text = #"{"keys":[\#(keys.joined(separator: ","))]}"#
                try Data(text.utf8).write(to: file)
                try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
            }
            try write(["old"])
            let cluster = try await SeveralEdges(2, signingKeys: file, in: scratch)
            func replaceKeys(_ names: [String]) async throws {
                try write(names)
                for edge in cluster.edges { edge.process.send(signal: SIGHUP) }
                // The second time it has been said already, and what follows is waited for.
                for edge in cluster.edges { try await edge.process.hasSaid("reloaded keys and limits") }
            }
            let tunnel = try await cluster.edges[0].createTunnel(#"{"name":"my-app"}"#, in: scratch)
            let connector = try await cluster.connect(tunnel, to: origin.port)
            let here = try await cluster.sessions().firstIndex(of: 1) ?? 0
            let visited = cluster.edges[1 - here]
            #expect(try await Curl.get("\(visited.url)/my-app/", in: scratch).status == 200)
            #expect(try await visited.metric("culvert_links", in: scratch) == 1)

            try await replaceKeys(["new", "old"])
            #expect(try await Curl.get("\(visited.url)/my-app/", in: scratch).status == 200)
            #expect(try await visited.metric("culvert_links", in: scratch) == 1)

            try await replaceKeys(["new"])
            for edge in cluster.edges {
                try await eventually("the link has ended") {
                    try await edge.metric("culvert_links", in: scratch) == 0 ? () : nil
                }
            }
            withExtendedLifetime(connector) {}
        }

        @Test(
            "The tables of conformance say the same where visitors come to another edge than the connector",
            arguments: [("exchanges", 430), ("smuggling", 190)]
        )
        func conformance(table: String, cases: Int) async throws {
            let scratch = try ScratchFolder()
            let cluster = try await SeveralEdges(
                2,
                arguments: [
                    "--dev", "--public-wildcard-domain", "tunnels.test", "--proxies-trusted", "127.0.0.2/32",
                ],
                in: scratch
            )
            let (one, other) = (cluster.edges[0], cluster.edges[1])
            let suite = try RunningProcess(
                Programs.python,
                [Programs.peer("conformance"), table, "--culvert", try Programs.product("culvert")]
                    + ["--edge", one.url, "--visited", other.url]
                    + (Programs.isFullSize ? [] : ["--every", "10"]),
                environment: ["CULVERT_API_KEY": one.apiKey],
                in: scratch
            )
            let output = try await suite.successfulOutput(within: .seconds(300))
            let report = try JSONDecoder().decode(Conformance.Report.self, from: Data(output.utf8))
            let relayed = try await one.metric("culvert_link_streams_total", in: scratch)
            print("Conformance of \(table) over two edges: \(report.edge), \(relayed) streams relayed")
            #expect(report.edge.failures == [])
            #expect(report.edge.cases >= (Programs.isFullSize ? cases : cases / 10))
            // No connector is at the visited edge: what reached an origin came over the link.
            #expect(relayed >= Double(report.edge.cases / 10))
            #expect(try await other.metric("culvert_sessions_total", in: scratch) == 0)
        }
    }
}
