// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("A file of tunnels that is edited", .serialized)
    struct TunnelsFileReload {
        /// A connector that serves a file, and an edge.
        private final class Fixture {
            let scratch: ScratchFolder
            let edge: EdgeProcess
            let file: URL
            let connector: RunningProcess

            init(_ tunnels: String, in scratch: ScratchFolder) async throws {
                self.scratch = scratch
                self.edge = try await EdgeProcess(in: scratch)
                self.file = scratch.file("culvert.yaml")
                try Data("tunnels:\n\(tunnels)".utf8).write(to: self.file)
                self.connector = try RunningProcess(
                    Programs.product("culvert"),
                    ["start", "--config", self.file.path, "--edge", self.edge.url],
                    environment: ["CULVERT_API_KEY": self.edge.apiKey],
                    in: scratch
                )
            }

            func url(_ name: String, _ path: String) -> String { "\(self.edge.url)/\(name)/\(path)" }

            /// Edits the file, sends SIGHUP, and waits until the connector says what came of it.
            func edit(_ tunnels: String, expecting message: String = "read the tunnels again") async throws {
                func count() -> Int { self.connector.standardError.components(separatedBy: message).count }
                let before = count()
                try Data("tunnels:\n\(tunnels)".utf8).write(to: self.file)
                self.connector.send(signal: SIGHUP)
                try await eventually("a line '\(message)'") { count() > before ? () : nil }
            }

            /// Waits until a tunnel answers in a way.
            func wait(for name: String, _ path: String, _ accepts: (Curl.Answer) -> Bool) async throws {
                do {
                    try await eventually("an answer of \(name)") {
                        accepts(try await Curl.get(self.url(name, path), in: self.scratch)) ? () : nil
                    }
                } catch let failure as HarnessFailure {
                    throw HarnessFailure("\(failure)\n\(self.connector.transcript)")
                }
            }

            /// The sessions of a tunnel, by the edge's own numbers.
            func sessions(of name: String) async throws -> Set<String> {
                Set(try await self.edge.status(of: name, in: self.scratch).sessions.map(\.id))
            }
        }

        @Test("While tunnels are added, changed and removed under load, no request fails on those that are not touched")
        func underLoad() async throws {
            let scratch = try ScratchFolder()
            let nginx = try await NginxOrigin(in: scratch)
            let other = try await SampleOrigin(in: scratch)
            try Data("here".utf8).write(to: nginx.files.appendingPathComponent("file"))
            let steady =
                "- {name: steady-a, target: \(nginx.port)}\n- {name: steady-b, target: '127.0.0.1:\(nginx.port)'}\n"
            let fixture = try await Fixture(steady, in: scratch)
            for name in ["steady-a", "steady-b"] {
                try await fixture.wait(for: name, "files/file") { $0.status == 200 }
                try await eventually("two sessions") { try await fixture.sessions(of: name).count == 2 ? () : nil }
            }
            let before = try await (fixture.sessions(of: "steady-a"), fixture.sessions(of: "steady-b"))

            let load = try ["steady-a", "steady-b"].map { name in
                try RunningProcess(
                    "wrk",
                    ["-t1", "-c4", "-d20s", "--timeout", "10s", fixture.url(name, "files/file")],
                    in: scratch
                )
            }
            for _ in 0..<2 {
                // Added.
                try await fixture.edit(steady + "- {name: moving, target: \(nginx.port)}\n")
                try await fixture.wait(for: "moving", "files/file") { $0.status == 200 }
                // Its policy changed.
                try await fixture.edit(steady + "- {name: moving, target: \(nginx.port), policy: {path-mode: keep}}\n")
                try await fixture.wait(for: "moving", "saw/x") { $0.status == 404 }
                // Its target changed; nobody waits longer than for a moment.
                try await fixture.edit(steady + "- {name: moving, target: \(other.port)}\n")
                try await fixture.wait(for: "moving", "") { $0.status == 200 && $0.body.contains("<") }
                // A mistake changes nothing.
                try await fixture.edit("- {name: moving, target: nonsense}\n", expecting: "Nothing was changed")
                try await fixture.wait(for: "moving", "") { $0.status == 200 }
                // Removed, and the order of the others changed.
                try await fixture.edit(steady.split(separator: "\n").reversed().joined(separator: "\n") + "\n")
                try await fixture.wait(for: "moving", "") { $0.status == 503 }
            }
            for process in load {
                let output = try await process.successfulOutput(within: .seconds(60))
                let requests = output.split(separator: "\n").first { $0.contains("requests in") } ?? "no requests"
                print("wrk:\(requests)")
                #expect(output.contains("requests in"))
                #expect(!output.contains("Non-2xx"), "\(output)")
                #expect(!output.contains("Socket errors"), "\(output)")
            }
            let after = try await (fixture.sessions(of: "steady-a"), fixture.sessions(of: "steady-b"))
            #expect(before == after)
            fixture.connector.send(signal: SIGTERM)
            #expect(try await fixture.connector.end() == .exited(0))
        }

        @Test("While a tunnel's own target and policy change under load, no request fails on it either")
        func replacedUnderLoad() async throws {
            let scratch = try ScratchFolder()
            let nginx = try await NginxOrigin(in: scratch)
            try Data("here".utf8).write(to: nginx.files.appendingPathComponent("file"))
            func tunnel(_ host: String, _ rate: Int) -> String {
                "- {name: moving, target: '\(host):\(nginx.port)', policy: {requests-per-second: \(rate)}}\n"
            }
            let fixture = try await Fixture(tunnel("localhost", 100_000), in: scratch)
            try await fixture.wait(for: "moving", "files/file") { $0.status == 200 }
            let first = try await fixture.sessions(of: "moving")
            let load = try RunningProcess(
                "wrk",
                ["-t1", "-c8", "-d12s", "--timeout", "10s", fixture.url("moving", "files/file")],
                in: scratch
            )
            for round in 1...3 {
                try await Task.sleep(for: .seconds(2))
                try await fixture.edit(tunnel(round % 2 == 0 ? "localhost" : "127.0.0.1", 100_000 + round))
            }
            let output = try await load.successfulOutput(within: .seconds(60))
            #expect(!output.contains("Non-2xx"), "\(output)")
            #expect(!output.contains("Socket errors"), "\(output)")
            #expect(try await fixture.sessions(of: "moving").isDisjoint(with: first))
        }
    }
}
