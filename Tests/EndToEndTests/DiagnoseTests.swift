// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("What a diagnosis finds", .serialized)
    struct Diagnoses {
        private struct Report: Decodable {
            struct Step: Decodable {
                var step: String
                var verdict: String
                var finding: String
                var advice: String?
            }

            var steps: [Step]
            var exitCode: Int32

            private enum CodingKeys: String, CodingKey {
                case steps
                case exitCode = "exit_code"
            }

            subscript(name: String) -> Step? { self.steps.first { $0.step == name } }
        }

        private func diagnose(
            _ arguments: [String],
            edge: EdgeProcess,
            key: String? = nil,
            token: String? = nil,
            in scratch: ScratchFolder
        ) async throws -> Report {
            let process = try RunningProcess(
                Programs.product("culvert"),
                ["diagnose", "--json"] + arguments,
                environment: ["CULVERT_API_KEY": key ?? edge.apiKey, "CULVERT_EDGE": edge.url]
                    .merging(token.map { ["CULVERT_TOKEN": $0] } ?? [:]) { $1 },
                in: scratch
            )
            let end = try await process.end()
            let report = try JSONDecoder().decode(Report.self, from: Data(process.standardOutput.utf8))
            #expect(end == .exited(report.exitCode), "\(process.standardError)")
            return report
        }

        @Test("A target that is not trusted, that wants TLS, or that speaks no HTTP at all, is told in words")
        func targets() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            let certificate = try await SelfSigned(name: "DNS:localhost", in: scratch)
            let secure = try await EdgeProcess(
                in: scratch,
                arguments: ["--dev"] + certificate.edgeArguments,
                scheme: "https"
            )
            let greeter = try await GreetingServer(in: scratch)

            let untrusted = try await self.diagnose(
                ["--to", "https://localhost:\(secure.port)"],
                edge: edge,
                in: scratch
            )
            #expect(untrusted.exitCode == 69)
            let finding =
                "the certificate of localhost:\(secure.port) is not trusted; --origin-ca-file names its authority"
            #expect(untrusted["local server"]?.finding == finding)
            #expect(untrusted["local server"]?.advice?.contains("--origin-tls-verify off") == true)

            let plain = try await self.diagnose(["--to", "\(secure.port)"], edge: edge, in: scratch)
            let speaksTLS = "localhost:\(secure.port) speaks TLS: write https:// in front of it"
            #expect(plain["local server"]?.finding == speaksTLS)
            let other = try await self.diagnose(["--to", "127.0.0.1:\(greeter.port)"], edge: edge, in: scratch)
            #expect(
                other["local server"]?.finding
                    == "127.0.0.1:\(greeter.port) speaks something else than HTTP/1.1, “SSH-2.0-OpenSSH_9.2”: culvert tcp "
                    + "carries that"
            )
            let tls = try await self.diagnose(["--to", "https://127.0.0.1:\(greeter.port)"], edge: edge, in: scratch)
            #expect(tls["local server"]?.finding == "127.0.0.1:\(greeter.port) does not speak TLS; use http:// for it")
            for report in [untrusted, plain, other, tls] {
                #expect(report["local server"]?.verdict == "failed")
                #expect(report["public URL"]?.verdict == "passed")
                #expect(report["clock"]?.verdict == "passed")
                for step in report.steps {
                    #expect(!step.finding.contains("NIO") && !step.finding.contains(".cc"), "\(step)")
                }
            }
        }

        @Test("A key that needs a code is told so, and a wrong key is tried once")
        func keys() async throws {
            let scratch = try ScratchFolder()
            let files = [
                "--api-keys-file", scratch.file("keys.json").path, "--signing-keys-file",
                scratch.file("signing.json").path,
            ]
            let made = try RunningProcess(
                Programs.product("culvert-edge"),
                ["credentials", "new", "--name", "me"] + files,
                in: scratch
            )
            let text = try await made.successfulOutput(within: .seconds(20))
            let key = try #require(text.firstMatch(of: #/API key\s+(\S+)/#)).output.1
            let edge = try await EdgeProcess(
                in: scratch,
                arguments: [
                    "--dev", "--auth-api-keys-file", files[1], "--auth-signing-keys-file", files[3],
                ]
            )
            let coded = try await self.diagnose([], edge: edge, key: String(key), in: scratch)
            #expect(coded["API key"]?.verdict == "passed")
            #expect(coded["public URL"]?.verdict == "failed")
            #expect(coded["public URL"]?.finding.contains("one-time code") == true)
            #expect(coded["public URL"]?.advice?.hasPrefix("Add --otp") == true)
            #expect(coded.exitCode == 77)

            let wrong = try await self.diagnose(
                [],
                edge: edge,
                key: "cvk_wrong_but_long_enough_0123456789",
                in: scratch
            )
            #expect(wrong["API key"]?.verdict == "failed")
            #expect(wrong["API key"]?.advice?.contains("This is the key of CULVERT_API_KEY") == true)
            #expect(wrong["public URL"]?.verdict == "skipped")
            #expect(wrong.exitCode == 77)
        }

        @Test("Where there are several edges, it is told whether connections reach different ones or always the same")
        func edges() async throws {
            let scratch = try ScratchFolder()
            let cluster = try await SeveralEdges(in: scratch)
            let edge = cluster.edges[0]
            let tunnel = try await edge.createTunnel(#"{"name":"dealt"}"#, in: scratch)
            let dealt = try await self.diagnose(
                ["--edge", "http://127.0.0.1:\(cluster.entrance)"],
                edge: edge,
                key: "",
                token: tunnel.token,
                in: scratch
            )
            #expect(dealt["edges"]?.verdict == "passed")
            #expect(dealt["edges"]?.finding == "there are 3, and connections reach different ones")
            #expect(dealt["edges"]?.advice == nil)

            let pinned = try await self.diagnose([], edge: edge, in: scratch)
            #expect(pinned["public URL"]?.verdict == "passed")
            #expect(pinned["edges"]?.finding == "there are 3, and 8 connections reached the same one")
            #expect(pinned["edges"]?.advice?.contains("sessionAffinity") == true)
            #expect(pinned.exitCode == 0)
        }
    }
}
