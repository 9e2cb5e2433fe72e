// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Edges are replaced", .serialized)
    struct EdgesAreReplaced {
        private static let rounds = Programs.isFullSize ? 10 : 2

        /// What `steady_conversations.py` prints.
        private struct Steady: Decodable {
            var conversations: Int
            var messages: Int
            var resumed: Int
            var failures: [String]
        }

        /// Three connectors, each with a tunnel of its own, that come through Traefik.
        private func connectors(
            _ chart: ChartFiles,
            at url: String,
            originPort: Int,
            in scratch: ScratchFolder
        ) async throws -> [RunningProcess] {
            var processes: [RunningProcess] = []
            for name in ["one", "two", "three"] {
                let process = try RunningProcess(
                    Programs.product("culvert"),
                    ["http", "\(originPort)", "--name", "tunnel-\(name)", "--edge", url, "--log-format", "json"],
                    environment: ["CULVERT_API_KEY": chart.apiKey],
                    in: scratch
                )
                _ = try await process.line(startingWith: "http")
                processes.append(process)
            }
            return processes
        }

        private func load(_ url: String, seconds: Int, in scratch: ScratchFolder) throws -> RunningProcess {
            // Less than the machine could do: the time for a take-over is what it is on a machine that has some.
            try RunningProcess(
                "wrk",
                ["-t1", "-c8", "-d\(seconds)s", "--timeout", "10s", "--latency", url],
                in: scratch
            )
        }

        @Test("While each of two edges is restarted in turn, no request fails and WebSockets end only with their edge")
        func rollingRestart() async throws {
            print("edges replaced \(Self.rounds) times behind Traefik")
            let scratch = try ScratchFolder()
            let sample = try await SampleOrigin(in: scratch)
            let nginx = try await NginxOrigin(in: scratch)
            try Data("here".utf8).write(to: nginx.files.appendingPathComponent("file"))
            let chart = try await ChartFiles(in: scratch)
            let traefik = try await TraefikProxy(chart, in: scratch)
            let ports = [try FreePort.next(), try FreePort.next()]
            var current = try await ChartEdge(chart, publicURL: traefik.url, port: ports[0], in: scratch)
            try chart.writeDynamic(edgePorts: [current.port])
            try await traefik.waitUntilItAnswers(in: scratch)
            let quick = try await self.connectors(chart, at: traefik.url, originPort: nginx.port, in: scratch)
            let talkative = try RunningProcess(
                Programs.product("culvert"),
                ["http", "\(sample.port)", "--name", "talks", "--edge", traefik.url],
                environment: ["CULVERT_API_KEY": chart.apiKey],
                in: scratch
            )
            _ = try await talkative.line(startingWith: "http")
            let socket = "ws" + traefik.url.dropFirst("http".count) + "/talks/echo"
            let steady = try RunningProcess(
                Programs.python,
                [Programs.peer("steady_conversations.py"), socket, "200", scratch.file("stop").path],
                in: scratch
            )
            // A round lasts as long as the chart's `shutdown.delay` and what comes around it.
            let seconds = Self.rounds * 14 + 5
            let load = try ["one", "two", "three"].map { name in
                try self.load("\(traefik.url)/tunnel-\(name)/files/file", seconds: seconds, in: scratch)
            }
            try await Task.sleep(for: .seconds(4))
            var refused: [Substring] = []

            for round in 1...Self.rounds {
                // As Kubernetes replaces a pod: the next one is ready and among the endpoints, then the last is asked
                // to stop, and a moment later no longer among them.
                let next = try await ChartEdge(chart, publicURL: traefik.url, port: ports[round % 2], in: scratch)
                try chart.writeDynamic(edgePorts: [current.port, next.port])
                current.process.send(signal: SIGTERM)
                try await Task.sleep(for: .seconds(1))
                try chart.writeDynamic(edgePorts: [next.port])
                #expect(try await current.process.end() == .exited(0))
                refused += current.failedRequests
                current = next
                try await Task.sleep(for: .seconds(2))
            }

            for process in load {
                let output = try await process.successfulOutput(within: .seconds(seconds))
                let worst = output.split(separator: "\n").first { $0.contains("Latency") } ?? ""
                print("wrk: \(worst.trimmingCharacters(in: .whitespaces))")
                #expect(!output.contains("Non-2xx"), "\(output)\(traefik.failedRequests.prefix(5))")
                #expect(!output.contains("Socket errors"), "\(output)")
            }
            refused += current.failedRequests
            #expect(refused == [])
            try Data().write(to: scratch.file("stop"))
            let tally = try JSONDecoder().decode(
                Steady.self,
                from: Data(try await steady.successfulOutput(within: .seconds(60)).utf8)
            )
            print("WebSockets: \(tally.messages) messages, \(tally.resumed) connections ended with their edge")
            #expect(tally.failures == [])
            #expect(tally.resumed <= 200 * Self.rounds)
            #expect(tally.resumed >= 200)
            #expect((quick + [talkative]).map(\.isRunning) == [true, true, true, true])
        }

        @Test("After an edge was killed under load, all connectors are back within 5 s of its return")
        func killed() async throws {
            let scratch = try ScratchFolder()
            let nginx = try await NginxOrigin(in: scratch)
            try Data("here".utf8).write(to: nginx.files.appendingPathComponent("file"))
            let chart = try await ChartFiles(in: scratch)
            let port = try FreePort.next()
            let url = "http://127.0.0.1:\(port)"
            var edge = try await ChartEdge(chart, publicURL: url, port: port, in: scratch)
            let connectors = try await self.connectors(chart, at: url, originPort: nginx.port, in: scratch)
            for _ in 0..<(Programs.isFullSize ? 5 : 2) {
                let load = try self.load("\(url)/tunnel-one/files/file", seconds: 30, in: scratch)
                try await Task.sleep(for: .seconds(2))
                edge.process.send(signal: SIGKILL)
                _ = try await edge.process.end()
                try await Task.sleep(for: .seconds(1))
                edge = try await ChartEdge(chart, publicURL: url, port: port, in: scratch)
                let start = ContinuousClock.now
                for name in ["one", "two", "three"] {
                    try await eventually("tunnel-\(name)", within: .seconds(5)) {
                        try await Curl.get("\(url)/tunnel-\(name)/files/file", in: scratch).status == 200 ? () : nil
                    }
                }
                print("all tunnels are back \(ContinuousClock.now - start) after the edge")
                #expect(ContinuousClock.now - start < .seconds(5))
                load.send(signal: SIGKILL)
            }
            #expect(connectors.map(\.isRunning) == [true, true, true])
        }
    }
}
