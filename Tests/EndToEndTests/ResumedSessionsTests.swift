// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    /// A connector whose connections break again and again, while exchanges of every kind run.
    @Suite("Connections that break", .serialized)
    struct ConnectionsThatBreak {
        private static let cuts = Programs.isFullSize ? 30 : 4
        /// Between two cuts.
        private static let interval = Programs.isFullSize ? 3.0 : 1.5

        @Test(
            "Downloads, uploads, conversations, event streams and POSTs outlive connections that break",
            arguments: [false, true]
        )
        func exchanges(isSilent: Bool) async throws {
            let scratch = try ScratchFolder()
            let originPort = try FreePort.next()
            let edge = try await EdgeProcess(in: scratch)
            let path = try await TroubledPath(to: edge.port)
            let (connector, url) = try await self.connect(originPort, through: path.port, to: edge, in: scratch)
            let silence = isSilent ? 3.0 : 0
            let seconds = Double(Self.cuts) * (Self.interval + silence) + 2
            let exchanges = try await CutExchanges(originPort: originPort, url: url, seconds: seconds, in: scratch)
            for _ in 0..<Self.cuts {
                try await Task.sleep(for: .seconds(Self.interval))
                if isSilent {
                    try await path.become(.frozen)
                    try await Task.sleep(for: .seconds(silence))
                }
                try await path.breakConnections()
                if isSilent { try await path.become(.passing) }
            }
            let outcome = try await exchanges.outcome()
            let resumed = try await edge.metric("culvert_sessions_resumed_total", in: scratch)
            print("cuts: \(Self.cuts), silent \(isSilent): \(outcome), \(resumed) resumptions")
            #expect(connector.isRunning)
            #expect(outcome.failures == [])
            #expect(outcome.downloads >= 3 && outcome.uploads >= 3 && outcome.messages > 20 && outcome.posts > 50)
            #expect(outcome.events == 3 * Int(seconds * 10))
            #expect(resumed >= Double(Self.cuts))
            #expect(try await edge.metric("culvert_sessions_total", in: scratch) == 2)
            // Milliseconds. A reset is noticed at once: beside other tests it is the machine that makes somebody wait, but never
            // as long as it takes to notice silence.
            if !isSilent { #expect(outcome.worst < (Programs.isFullSize ? 1_000 : 2_500)) }
        }

        @Test("The tunnels of one program, which share its connections, outlive connections that break")
        func sharedSessions() async throws {
            let scratch = try ScratchFolder()
            let ports = [try FreePort.next(), try FreePort.next()]
            let edge = try await EdgeProcess(in: scratch)
            let path = try await TroubledPath(to: edge.port)
            let file = scratch.file("tunnels.yaml")
            let text = """
                edge: http://127.0.0.1:\(path.port)
                tunnels:
                  - {name: one, target: \(ports[0])}
                  - {name: two, target: \(ports[1])}

                """
            try Data(text.utf8).write(to: file)
            let connector = try RunningProcess(
                Programs.product("culvert"),
                ["start", "--config", file.path],
                environment: ["CULVERT_API_KEY": edge.apiKey],
                in: scratch
            )
            // Two connections, and each tunnel has a seat in both.
            try await eventually("the seats of both tunnels") {
                try await edge.metric("culvert_active_sessions", in: scratch) == 4 ? () : nil
            }
            let seconds = Double(Self.cuts) * Self.interval + 2
            let one = try await CutExchanges(
                originPort: ports[0],
                url: "\(edge.url)/one/",
                seconds: seconds,
                in: scratch
            )
            let two = try await CutExchanges(
                originPort: ports[1],
                url: "\(edge.url)/two/",
                seconds: seconds,
                in: scratch
            )
            for _ in 0..<Self.cuts {
                try await Task.sleep(for: .seconds(Self.interval))
                try await path.breakConnections()
            }
            for exchanges in [one, two] {
                let outcome = try await exchanges.outcome()
                print("shared, \(Self.cuts) cuts: \(outcome)")
                #expect(outcome.failures == [])
                #expect(outcome.downloads >= 3 && outcome.uploads >= 3 && outcome.posts > 50)
                #expect(outcome.events == 3 * Int(seconds * 10))
            }
            #expect(try await edge.metric("culvert_sessions_total", in: scratch) == 4)
            #expect(connector.isRunning)
        }

        @Test(
            "A connector that leaves is not waited for; what one that was killed had under way ends with its time to return"
        )
        func endOfConnector() async throws {
            for signal in [SIGTERM, SIGKILL] {
                let scratch = try ScratchFolder()
                let edge = try await EdgeProcess(in: scratch, arguments: ["--dev", "--tunnel-resume", "3s"])
                let sample = try await SampleOrigin(in: scratch)
                let connector = try RunningProcess(
                    Programs.product("culvert"),
                    ["http", "\(sample.port)", "--edge", edge.url],
                    environment: ["CULVERT_API_KEY": edge.apiKey],
                    in: scratch
                )
                let printed = try await connector.line(startingWith: "http")
                try await eventually("both connections") {
                    try await edge.metric("culvert_active_sessions", in: scratch) == 2 ? () : nil
                }
                guard signal == SIGKILL else {
                    connector.send(signal: signal)
                    #expect(try await connector.end() == .exited(0))
                    try await eventually("the end of both sessions") {
                        try await edge.metric("culvert_active_sessions", in: scratch) == 0 ? () : nil
                    }
                    #expect(try await edge.metric("culvert_sessions_suspended", in: scratch) == 0)
                    continue
                }
                let clock = try RunningProcess("curl", ["-sS", "--no-buffer", "\(printed)clock"], in: scratch)
                _ = try await clock.line(startingWith: "data")
                connector.send(signal: signal)
                let start = ContinuousClock.now
                _ = try await clock.end()
                let pause = ContinuousClock.now - start
                print("a stream of events ends \(pause) after its connector was killed")
                #expect(pause > .seconds(2) && pause < .seconds(10))
                try await eventually("nothing is left") {
                    try await edge.metric("culvert_sessions_suspended", in: scratch) == 0 ? () : nil
                }
            }
        }

        @Test("nginx in front of the edge is restarted while exchanges of every kind run")
        func proxyRestarts() async throws {
            let scratch = try ScratchFolder()
            let originPort = try FreePort.next()
            let edge = try await EdgeProcess(in: scratch)
            let port = try FreePort.next()
            var proxy = try await self.proxy(port, to: edge.port, in: scratch)
            let (connector, url) = try await self.connect(originPort, through: port, to: edge, in: scratch)
            let restarts = Programs.isFullSize ? 10 : 2
            let seconds = Double(restarts) * 4 + 2
            let exchanges = try await CutExchanges(originPort: originPort, url: url, seconds: seconds, in: scratch)
            for _ in 0..<restarts {
                try await Task.sleep(for: .seconds(3))
                proxy.send(signal: SIGTERM)
                _ = try await proxy.end()
                proxy = try await self.proxy(port, to: edge.port, in: scratch)
            }
            let outcome = try await exchanges.outcome()
            let resumed = try await edge.metric("culvert_sessions_resumed_total", in: scratch)
            print("\(restarts) restarts of nginx: \(outcome), \(resumed) resumptions")
            #expect(connector.isRunning)
            #expect(outcome.failures == [])
            #expect(outcome.downloads >= 3 && outcome.uploads >= 3 && outcome.messages > 20 && outcome.posts > 50)
            #expect(resumed >= Double(2 * restarts))
            #expect(try await edge.metric("culvert_sessions_total", in: scratch) == 2)
        }

        /// A connector whose two connections go through a port, and its tunnel's URL.
        private func connect(
            _ originPort: Int,
            through port: Int,
            to edge: EdgeProcess,
            in scratch: ScratchFolder
        ) async throws -> (RunningProcess, url: String) {
            let connector = try RunningProcess(
                Programs.product("culvert"),
                ["http", "\(originPort)", "--edge", "http://127.0.0.1:\(port)", "--log-format", "json"],
                environment: ["CULVERT_API_KEY": edge.apiKey],
                in: scratch
            )
            let printed = try await connector.line(startingWith: "http")
            try await eventually("both connections") {
                try await edge.metric("culvert_active_sessions", in: scratch) == 2 ? () : nil
            }
            return (connector, "\(edge.url)/\(TunnelFixture.id(inURL: printed))/")
        }

        /// nginx as operators have it in front of an edge.
        private func proxy(_ port: Int, to edgePort: Int, in scratch: ScratchFolder) async throws -> RunningProcess {
            let root = try scratch.folder("proxy")
            for name in ["body", "proxy", "fastcgi", "uwsgi", "scgi"] { _ = try scratch.folder("proxy/\(name)") }
            let file = scratch.file("proxy/nginx.conf")
            let temporary = [
                "client_body": "body", "proxy": "proxy", "fastcgi": "fastcgi", "uwsgi": "uwsgi", "scgi": "scgi",
            ]
            let paths = temporary.map { "\($0)_temp_path \(root.path)/\($1);" }.sorted().joined(separator: " ")
            let text = """
                daemon off;
                master_process off;
                pid \(root.path)/nginx.pid;
                events { worker_connections 1024; }
                http {
                    access_log off;
                    \(paths)
                    server {
                        listen 127.0.0.1:\(port);
                        location / {
                            proxy_pass http://127.0.0.1:\(edgePort);
                            proxy_http_version 1.1;
                            proxy_set_header Upgrade $http_upgrade;
                            proxy_set_header Connection upgrade;
                            proxy_set_header Host $http_host;
                            proxy_read_timeout 1h;
                        }
                    }
                }

                """
            try Data(text.utf8).write(to: file)
            let process = try RunningProcess(
                "nginx",
                ["-p", root.path, "-c", file.path, "-e", "\(root.path)/error.log"],
                in: scratch
            )
            do {
                try await eventually("nginx on port \(port)") {
                    guard process.isRunning else { throw HarnessFailure("nginx has ended\n\(process.transcript)") }
                    return try await Curl.get("http://127.0.0.1:\(port)/api/health", in: scratch).status != 502
                        ? () : nil
                }
            } catch {
                let log = try? String(contentsOf: root.appending(path: "error.log"), encoding: .utf8)
                throw HarnessFailure("\(error)\n\(log ?? "nginx has written nothing")")
            }
            return process
        }

        private static var mayMakeNetworks: Bool {
            Programs.isFullSize && geteuid() == 0
        }

        @Test(
            "Nothing fails when the connector's interface goes down and another one, with another address, comes up",
            .enabled(if: ConnectionsThatBreak.mayMakeNetworks, "the long tier, as root")
        )
        func otherNetwork() async throws {
            let scratch = try ScratchFolder()
            let moves = 10
            let process = try RunningProcess(
                "unshare",
                [
                    "--net", "python3", Programs.peer("roaming_path.py"), Programs.product("culvert-edge"),
                    Programs.product("culvert"), Programs.peer("cut_exchanges.py"), "\(moves)",
                    "\(CutExchanges.mebibytes)", try scratch.folder("network").path,
                ],
                in: scratch
            )
            let output = Data(try await process.successfulOutput(within: .seconds(240)).utf8)
            let outcome = try JSONDecoder().decode(CutExchanges.Outcome.self, from: output)
            let counts = try JSONDecoder().decode([String: Double].self, from: Self.figures(output))
            print("\(moves) changes of the network: \(outcome), \(counts)")
            #expect(outcome.failures == [])
            #expect(outcome.downloads >= 3 && outcome.uploads >= 3 && outcome.messages > 20 && outcome.posts > 50)
            #expect(counts["resumed"] ?? 0 >= Double(2 * moves))
            #expect(counts["sessions"] == 2)
        }

        /// The members that are numbers.
        private static func figures(_ output: Data) throws -> Data {
            let all = try JSONSerialization.jsonObject(with: output) as? [String: Any] ?? [:]
            return try JSONSerialization.data(withJSONObject: all.filter { $0.value is NSNumber })
        }
    }
}
