// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("The connector of docs/mini-connector.md", .serialized)
    struct MiniConnector {
        private func origin(sharing folder: String, at port: Int, in scratch: ScratchFolder) throws -> RunningProcess {
            try RunningProcess(
                Programs.python,
                ["-m", "http.server", "\(port)", "--bind", "127.0.0.1", "--directory", folder],
                in: scratch
            )
        }

        /// The connector, once it serves.
        private func connector(_ token: String, _ port: Int, in scratch: ScratchFolder) async throws -> RunningProcess {
            let program = Programs.repository.appendingPathComponent("examples/mini-connector/mini_connector.py")
            let connector = try RunningProcess(
                Programs.python,
                [program.path, "\(port)"],
                environment: ["CULVERT_TOKEN": token],
                in: scratch
            )
            _ = try await connector.line(startingWith: "http")
            return connector
        }

        @Test("It serves a tunnel: large bodies both ways, many streams, and a server that is away")
        func serves() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            let site = scratch.file("site")
            try FileManager.default.createDirectory(at: site, withIntermediateDirectories: true)
            try Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) })
                .write(to: site.appendingPathComponent("big.bin"))
            try Data("hello".utf8).write(to: site.appendingPathComponent("small.txt"))
            let port = try FreePort.next()
            let origin = try self.origin(sharing: site.path, at: port, in: scratch)
            let tunnel = try await edge.createTunnel(in: scratch)
            let connector = try await self.connector(tunnel.token, port, in: scratch)
            let url = "\(edge.url)/\(tunnel.id)"
            // More requests than it has slots for at first, so that it has to give places back.
            let script = """
                set -e
                curl -sS --retry 20 --retry-all-errors --retry-delay 1 -f -o /dev/null "$0/small.txt"
                curl -sS "$0/big.bin" | cmp - "$1/big.bin"
                seq 300 | xargs -P 8 -I{} curl -sS -o /dev/null -w '%{http_code}\\n' -H 'Connection: close' "$0/small.txt?{}" |
                    sort | uniq -c
                """
            let visitors = try RunningProcess("/bin/sh", ["-c", script, url, site.path], in: scratch)
            #expect(try await visitors.end() == .exited(0), "\(visitors.standardError)\(connector.standardError)")
            #expect(visitors.standardOutput.split(separator: " ").joined(separator: " ") == "300 200\n")
            origin.send(signal: SIGKILL)
            _ = try await origin.end()
            let away = try RunningProcess(
                "/bin/sh",
                [
                    "-c",
                    "seq 20 | xargs -I{} curl -sS -o /dev/null -w '%{http_code}\\n' \"$0/small.txt\" | sort | uniq -c",
                    url,
                ],
                in: scratch
            )
            _ = try await away.end()
            #expect(away.standardOutput.split(separator: " ").joined(separator: " ") == "20 502\n")
        }

        @Test("It asks for a successor of its token in time, and serves on with it when the first has ended")
        func renews() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch, arguments: ["--dev", "--tunnel-token-lifetime", "6s"])
            let port = try FreePort.next()
            let origin = try self.origin(sharing: scratch.file("").path, at: port, in: scratch)
            defer { origin.send(signal: SIGKILL) }
            let tunnel = try await edge.createTunnel(in: scratch)
            let connector = try await self.connector(tunnel.token, port, in: scratch)
            // For more than the lives of two tokens, and then once more.
            let script = """
                end=$(($(date +%s) + 14))
                while [ "$(date +%s)" -lt "$end" ]; do
                    curl -sS -o /dev/null -w '%{http_code}\n' "$0/"
                    sleep 0.2
                done | sort | uniq -c >&2
                curl -sS --retry 20 --retry-all-errors --retry-delay 1 -f -o /dev/null -w '%{http_code}' "$0/"
                """
            let visitors = try RunningProcess("/bin/sh", ["-c", script, "\(edge.url)/\(tunnel.id)"], in: scratch)
            #expect(try await visitors.end() == .exited(0), "\(visitors.standardError)\(connector.standardError)")
            #expect(visitors.standardOutput == "200")
            #expect(visitors.standardError.contains(" 200\n"))
            #expect(connector.standardError == "")
        }
    }
}
