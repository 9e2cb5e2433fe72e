// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Behind Traefik", .serialized)
    struct BehindTraefik {
        /// An edge as the chart configures it, Traefik in front, and a connector that comes through Traefik, too.
        private final class Fixture {
            let scratch: ScratchFolder
            let traefik: TraefikProxy
            let edge: ChartEdge
            let connector: RunningProcess
            let apiKey: String
            let url: String

            init(originPort: Int) async throws {
                self.scratch = try ScratchFolder()
                let chart = try await ChartFiles(in: self.scratch)
                self.traefik = try await TraefikProxy(chart, in: self.scratch)
                self.edge = try await ChartEdge(chart, publicURL: self.traefik.url, in: self.scratch)
                self.apiKey = chart.apiKey
                try chart.writeDynamic(edgePorts: [self.edge.port])
                try await self.traefik.waitUntilItAnswers(in: self.scratch)
                self.connector = try RunningProcess(
                    Programs.product("culvert"),
                    ["http", "\(originPort)", "--name", "behind", "--edge", self.traefik.url],
                    environment: ["CULVERT_API_KEY": chart.apiKey],
                    in: self.scratch
                )
                _ = try await self.connector.line(startingWith: "http")
                // Names below the domain of tunnels' hosts, as the connector prints, are known to nobody here.
                self.url = "\(self.traefik.url)/behind/"
            }
        }

        /// What the sample origin says of a request.
        private struct Seen: Decodable {
            var fields: [[String]]
        }

        /// The fields of a request as the origin saw them, by their names in lower case.
        private func fields(
            _ url: String,
            _ arguments: [String],
            in scratch: ScratchFolder
        ) async throws -> [String: String] {
            let answer = try await Curl.get(url, arguments, in: scratch)
            let seen = try JSONDecoder().decode(Seen.self, from: Data(answer.body.utf8))
            let pairs = seen.fields.map { ($0[0].lowercased(), $0[1]) }
            return Dictionary(pairs) { "\($0), \($1)" }
        }

        /// What `raw_exchanges.py` prints.
        private struct Exchanges: Decodable {
            var cases: Int
            var failures: [String]
        }

        /// What `websocket_conversations.py` prints.
        private struct Conversations: Decodable {
            var conversations: Int
            var failures: [String]
        }

        /// What `long_exchanges.py` prints.
        private struct Long: Decodable {
            var uploaded: Int
            var received: Int
            var events: Int
            var worstMilliseconds: Double

            enum CodingKeys: String, CodingKey {
                case uploaded
                case received
                case events
                case worstMilliseconds = "worst_ms"
            }
        }

        /// What `metrics_parse.py` prints.
        private struct Metrics: Decodable {
            var families: Int
            var samples: Int
            var problems: [String]
        }

        private func result<Value: Decodable>(
            _ type: Value.Type,
            of peer: String,
            _ arguments: [String],
            in scratch: ScratchFolder,
            within limit: Duration
        ) async throws -> Value {
            let process = try RunningProcess(Programs.python, [Programs.peer(peer)] + arguments, in: scratch)
            return try JSONDecoder().decode(type, from: Data(try await process.successfulOutput(within: limit).utf8))
        }

        @Test("Messages cut anywhere, and slow visitors, lose no byte")
        func exchanges() async throws {
            let port = try FreePort.next()
            let fixture = try await Fixture(originPort: port)
            let tally = try await self.result(
                Exchanges.self,
                of: "raw_exchanges.py",
                ["\(port)", fixture.url],
                in: fixture.scratch,
                within: .seconds(240)
            )
            #expect(tally.cases == 38)
            // Traefik takes chunks apart and puts them together anew, takes the end of a visitor's half for the end of
            // the visitor, and does not say Content-Length twice: what it does itself is not ours to pass.
            let traefiks = [
                "a chunked upload cut", "(half-close: True)", "after the visitor's end", "Content-Length",
                "an empty line",
            ]
            let ours = tally.failures.filter { failure in !traefiks.contains { failure.contains($0) } }
            #expect(ours == [])
        }

        @Test("What the conformance suite gets through Traefik alone passes through Traefik, edge and connector")
        func conformance() async throws {
            let originPort = try FreePort.next()
            let fixture = try await Fixture(originPort: originPort)
            let scratch = try ScratchFolder()
            let chart = try await ChartFiles(in: scratch)
            let alone = try await TraefikProxy(chart, in: scratch)
            try chart.writeDynamic(edgePorts: [originPort])
            try await eventually("the way to an origin that is not there yet") {
                try await Curl.get(alone.url, in: scratch).status == 502 ? () : nil
            }
            let suite = try RunningProcess(
                Programs.python,
                [
                    Programs.peer("conformance"), "exchanges", "--edge", fixture.traefik.url, "--culvert",
                    try Programs.product("culvert"), "--traefik", alone.url, "--origin-port", "\(originPort)",
                ] + (Programs.isFullSize ? ["--everything"] : []),
                environment: ["CULVERT_API_KEY": fixture.apiKey],
                in: scratch
            )
            let output = try await suite.successfulOutput(within: .seconds(300))
            let report = try JSONDecoder().decode(Conformance.Report.self, from: Data(output.utf8))
            let reference = try #require(report.traefik)
            print("Conformance: Traefik alone \(reference); of what passes, and the edge's own, both \(report.edge)")
            if let rest = report.rest { print("Of what Traefik alone fails or means otherwise: \(rest)") }
            #expect(report.edge.failures == [])
            #expect(reference.cases >= 318)
            #expect(reference.cases - reference.failures.count >= 200)
        }

        @Test("200 WebSocket conversations pass, and the origin sees who the visitor is")
        func conversationsAndVisitors() async throws {
            let scratch = try ScratchFolder()
            let sample = try await SampleOrigin(in: scratch)
            let fixture = try await Fixture(originPort: sample.port)
            let tally = try await self.result(
                Conversations.self,
                of: "websocket_conversations.py",
                ["ws" + fixture.url.dropFirst("http".count) + "echo", "200"],
                in: fixture.scratch,
                within: .seconds(150)
            )
            #expect(tally.failures == [])
            #expect(tally.conversations == 200)

            // As Cloudflare says it of a visitor, to a Traefik that believes it.
            let claims = ["-H", "X-Forwarded-For: 203.0.113.7", "-H", "X-Forwarded-Proto: https"]
            let believed = try await self.fields(fixture.url + "headers", claims, in: fixture.scratch)
            #expect(believed["x-forwarded-for"]?.hasPrefix("203.0.113.7") == true)
            #expect(believed["x-forwarded-proto"] == "https")
            #expect(believed["forwarded"]?.contains("for=203.0.113.7") == true)

            let stranger = "http://127.0.0.1:\(fixture.traefik.strangerPort)/behind/headers"
            let untrusted = try await self.fields(stranger, claims, in: fixture.scratch)
            // The visitor that Traefik saw, and Traefik as the edge sees it.
            #expect(untrusted["x-forwarded-for"] == "127.0.0.1, 127.0.0.1")
            #expect(untrusted["x-forwarded-proto"] == "http")
            #expect(!untrusted.values.contains { $0.contains("203.0.113.7") })

            let metrics = try await self.result(
                Metrics.self,
                of: "metrics_parse.py",
                ["http://127.0.0.1:\(fixture.edge.adminPort)/metrics"],
                in: fixture.scratch,
                within: .seconds(20)
            )
            #expect(metrics.problems == [])
            #expect(metrics.families >= 15)
        }

        @Test("An upload that takes longer than Traefik's own patience arrives, and events go on")
        func longExchanges() async throws {
            let (upload, events) = Programs.isFullSize ? (90, 300) : (6, 6)
            print("behind Traefik: an upload of \(upload) s and events for \(events) s")
            let port = try FreePort.next()
            let fixture = try await Fixture(originPort: port)
            let result = try await self.result(
                Long.self,
                of: "long_exchanges.py",
                ["\(port)", fixture.url, "\(upload)", "\(events)"],
                in: fixture.scratch,
                within: .seconds(events + 60)
            )
            print("worst event \(result.worstMilliseconds) ms")
            #expect(result.uploaded == upload)
            #expect(result.received == result.uploaded)
            #expect(result.events == events)
            #expect(result.worstMilliseconds < 500)
        }
    }
}
