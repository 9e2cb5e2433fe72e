// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Exit codes of the connector", .serialized)
    struct ExitCodes {
        /// Runs `culvert` to its end.
        private func run(
            _ arguments: [String],
            environment: [String: String] = [:],
            in scratch: ScratchFolder
        ) async throws -> (end: ChildProcess.End, error: String) {
            let run = try await RunningProcess.culvert(arguments, environment, in: scratch)
            return (run.end, run.error)
        }

        @Test("0: what was asked for was done, or the program was asked to stop", arguments: [SIGTERM, SIGINT, SIGHUP])
        func success(signal: Int32) async throws {
            let scratch = try ScratchFolder()
            #expect(try await self.run(["--version"], in: scratch).end == .exited(0))
            let tunnel = try await TunnelFixture(originPort: 9, in: scratch)
            // A closed terminal is a request to stop, too.
            tunnel.connector.send(signal: signal)
            #expect(try await tunnel.connector.end() == .exited(0))
            #expect(tunnel.connector.standardError.contains("leaving"))
        }

        @Test("64: the command line makes no sense")
        func usage() async throws {
            let scratch = try ScratchFolder()
            for arguments in [["http"], ["http", "nonsense"], ["no-such-command"], ["connect", "--to", "1"]] {
                #expect(try await self.run(arguments, in: scratch).end == .exited(64), "\(arguments)")
            }
        }

        @Test("69: with --no-retry an edge that is away, and without it something that is no edge")
        func unavailable() async throws {
            let scratch = try ScratchFolder()
            let key = ["CULVERT_API_KEY": "a-key"]
            let nobody = "http://127.0.0.1:\(try FreePort.next())"
            let away = try await self.run(["http", "1", "--edge", nobody, "--no-retry"], environment: key, in: scratch)
            #expect(away.end == .exited(69))
            #expect(away.error.contains("No edge answers"))
            let nginx = try await NginxOrigin(in: scratch)
            let other = try await self.run(
                ["http", "1", "--edge", "http://127.0.0.1:\(nginx.port)"],
                environment: key,
                in: scratch
            )
            #expect(other.end == .exited(69))
        }

        @Test("77: the edge refuses the key or the token")
        func refused() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            let key = try await self.run(
                ["http", "1", "--edge", edge.url],
                environment: ["CULVERT_API_KEY": "not-the-key"],
                in: scratch
            )
            #expect(key.end == .exited(77))
            let tunnel = try await edge.createTunnel(in: scratch)
            #expect(try await edge.call("DELETE", tunnel.id, in: scratch).status == 204)
            let token = try await self.run(
                ["connect", "--to", "1", "--edge", edge.url],
                environment: ["CULVERT_TOKEN": tunnel.token],
                in: scratch
            )
            #expect(token.end == .exited(77))
            #expect(!token.error.contains(tunnel.token))
        }

        @Test("78: a file that is wrong, with everything that is wrong in it and where")
        func configuration() async throws {
            let scratch = try ScratchFolder()
            let file = scratch.file("c.yaml")
            try Data("edgee: x\ntunnels:\n- target: nonsense\n".utf8).write(to: file)
            for command in [["start"], ["config", "check"]] {
                let result = try await self.run(command + ["--config", file.path], in: scratch)
                #expect(result.end == .exited(78))
                let lines = result.error.split(separator: "\n")
                #expect(lines.count == 2)
                #expect(lines.first?.hasPrefix("culvert: \(file.path):1: There is no setting “edgee”") == true)
                #expect(lines.last?.hasPrefix("culvert: \(file.path):3: “nonsense” is not a target") == true)
            }
            #expect(try await self.run(["start", "--config", "/nowhere"], in: scratch).end == .exited(78))
            #expect(
                try await self.run(["http", "1"], environment: ["CULVERT_EDGE": "h"], in: scratch).end == .exited(78)
            )
        }

        @Test("Under nohup a closed terminal does not end the tunnel")
        func nohup() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            let connector = try RunningProcess(
                "/bin/sh",
                ["-c", "trap '' HUP; exec \"$0\" http 9 --edge \"$1\"", Programs.product("culvert"), edge.url],
                environment: ["CULVERT_API_KEY": edge.apiKey],
                in: scratch
            )
            _ = try await connector.line(startingWith: "http")
            connector.send(signal: SIGHUP)
            connector.send(signal: SIGTERM)
            #expect(try await connector.end() == .exited(0))
            #expect(connector.standardError.contains("signal=SIGTERM"))
            #expect(!connector.standardError.contains("signal=SIGHUP"))
        }
    }
}
