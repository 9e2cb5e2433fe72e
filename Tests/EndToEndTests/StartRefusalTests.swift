// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Refusals to start", .serialized)
    struct StartRefusal {
        /// The exit code for a configuration that can't be used.
        private static let configuration: Int32 = 78

        /// Starts an edge that has to refuse, and gives what it said.
        private func refusal(_ arguments: [String], in scratch: ScratchFolder) async throws -> String {
            let ports = ["--admin-listen", "127.0.0.1:\(try FreePort.next())"]
            let edge = try RunningProcess(Programs.product("culvert-edge"), arguments + ports, in: scratch)
            #expect(try await edge.end() == .exited(Self.configuration), "\(edge.transcript)")
            #expect(edge.standardOutput.isEmpty)
            return edge.standardError
        }

        private func file(
            _ name: String,
            _ text: String,
            _ permissions: Int = 0o600,
            in scratch: ScratchFolder
        ) throws
            -> String
        {
            let url = scratch.file(name)
            try Data(text.utf8).write(to: url)
            try FileManager.default.setAttributes([.posixPermissions: permissions], ofItemAtPath: url.path)
            return url.path
        }

        @Test(
            "Without keys, with keys that others can read, with short ones, or with --dev for everybody: exit code 78"
        )
        func credentials() async throws {
            let scratch = try ScratchFolder()
            let record = #"{"name":"a","role":"user","sha256":"\#(String(repeating: "0", count: 64))"}"#
            let secret = { Data(repeating: 1, count: $0).base64EncodedString() }
            let apiKeys = try self.file("api.json", #"{"keys":[\#(record)]}"#, in: scratch)
            let signingKeys = try self.file(
                "signing.json",
                #"{"keys":[{"kid":"k","secret":"\#(secret(32))"}]}"#,
                in: scratch
            )
            let listen = ["--listen", "127.0.0.1:\(try FreePort.next())"]

            let none = try await self.refusal(listen, in: scratch)
            #expect(none.contains("auth.api-keys-file") && none.contains("auth.signing-keys-file"))

            let open = try self.file("open.json", #"{"keys":[\#(record)]}"#, 0o644, in: scratch)
            let readable = try await self.refusal(
                listen + ["--auth-api-keys-file", open, "--auth-signing-keys-file", signingKeys],
                in: scratch
            )
            #expect(readable.contains("auth.api-keys-file (flag): \(open): other users can read the file"))

            let short = try self.file("short.json", #"{"keys":[{"kid":"k","secret":"\#(secret(31))"}]}"#, in: scratch)
            let weak = try await self.refusal(
                listen + ["--auth-api-keys-file", apiKeys, "--auth-signing-keys-file", short],
                in: scratch
            )
            #expect(weak.contains("auth.signing-keys-file (flag): \(short): signing key k has fewer than 32 bytes"))

            let empty = try self.file("empty.json", #"{"keys":[]}"#, in: scratch)
            let keyless = try await self.refusal(
                ["--listen", "0.0.0.0:\(try FreePort.next())", "--auth-api-keys-file", empty]
                    + ["--auth-signing-keys-file", signingKeys],
                in: scratch
            )
            #expect(keyless.contains("no API key is valid"))

            let everybody = try await self.refusal(["--dev", "--listen", "0.0.0.0:0"], in: scratch)
            #expect(everybody.contains("with --dev only loopback addresses are allowed"))
        }

        @Test("config check lists every setting with its origin and no secret, or everything that is wrong")
        func check() async throws {
            let scratch = try ScratchFolder()
            let file = try self.file("edge.yaml", "tunnel:\n  request-timeout: 20s\n", in: scratch)
            let environment = ["CULVERT_AUTH_API_KEY": "key-that-is-secret", "CULVERT_LOG_LEVEL": "debug"]
            func check(_ arguments: [String]) throws -> RunningProcess {
                let arguments = ["config", "check", "--config", file] + arguments
                return try RunningProcess(
                    Programs.product("culvert-edge"),
                    arguments,
                    environment: environment,
                    in: scratch
                )
            }
            let text = try await check(["--dev", "--limits-tunnels-per-key", "7"])
                .successfulOutput(within: .seconds(20))
            let lines = text.split(separator: "\n")
            for line in [
                "tunnel.request-timeout = 20s  # \(file), line 2", "log.level = debug  # environment",
                "limits.tunnels-per-key = 7  # flag", "auth.api-key = (secret)  # environment",
                "tunnel.max-connections = 100  # default",
            ] {
                #expect(lines.contains { $0 == line }, "\(line)")
            }
            #expect(!text.contains("key-that-is-secret"))

            let unknown = try check(["--limits-tunnels-per-key", "none", "--nothing", "1"])
            #expect(try await unknown.end() == .exited(64))
            #expect(unknown.standardError.contains("--nothing (flag): there is no such setting"))

            let wrong = try check(["--limits-tunnels-per-key", "none"])
            #expect(try await wrong.end() == .exited(Self.configuration))
            for problem in [
                "--limits-tunnels-per-key (flag): ",
                "auth.signing-keys-file (default): there is no key to sign tokens with",
            ] {
                #expect(wrong.standardError.contains(problem), "\(problem)")
            }
        }
    }
}
