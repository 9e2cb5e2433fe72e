// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Targets with TLS", .serialized)
    struct OriginTrust {
        /// `openssl s_server` with a certificate that only its own file vouches for.
        private func startOrigin(
            named name: String = "localhost",
            in scratch: ScratchFolder
        ) async throws -> (port: Int, file: String, RunningProcess) {
            let (key, certificate) = (scratch.file("o.key").path, scratch.file("o.pem").path)
            let maker = try RunningProcess(
                "openssl",
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                    "-subj", "/CN=\(name)", "-addext", "subjectAltName=DNS:\(name)", "-keyout", key, "-out",
                    certificate,
                ],
                in: scratch
            )
            _ = try await maker.successfulOutput(within: .seconds(20))
            let port = try FreePort.next()
            let server = try RunningProcess(
                "openssl",
                ["s_server", "-accept", "\(port)", "-key", key, "-cert", certificate, "-www", "-quiet"],
                in: scratch
            )
            try await eventually("a server with TLS") {
                let options = ["--cacert", certificate, "--resolve", "\(name):\(port):127.0.0.1"]
                return try await Curl.get("https://\(name):\(port)/", options, in: scratch).status == 200 ? () : nil
            }
            return (port, certificate, server)
        }

        @Test("A literal Host is the name that the target is asked for and that its certificate has to have")
        func serverName() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            let (port, file, server) = try await self.startOrigin(named: "app.test", in: scratch)
            defer { withExtendedLifetime(server) {} }
            for (options, status) in [([], 502), (["--host-header", "app.test"], 200)] {
                let connector = try RunningProcess(
                    Programs.product("culvert"),
                    ["http", "https://localhost:\(port)", "--edge", edge.url, "--origin-ca-file", file] + options,
                    environment: ["CULVERT_API_KEY": edge.apiKey],
                    in: scratch
                )
                let url = try await connector.line(startingWith: "http")
                let answer = try await Curl.get(url, in: scratch)
                #expect(answer.status == status, "\(options): \(answer.body)")
            }
        }

        @Test("An https:// target needs a trusted certificate, one of its own authority, or verification switched off")
        func verification() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            let (port, file, server) = try await self.startOrigin(in: scratch)
            defer { withExtendedLifetime(server) {} }
            for (options, status) in [
                ([], 502), (["--origin-ca-file", file], 200), (["--origin-tls-verify", "off"], 200),
            ] {
                let connector = try RunningProcess(
                    Programs.product("culvert"),
                    ["http", "https://localhost:\(port)", "--edge", edge.url] + options,
                    environment: ["CULVERT_API_KEY": edge.apiKey],
                    in: scratch
                )
                let url = try await connector.line(startingWith: "http")
                if status == 502 {
                    // Before any visitor has come.
                    try await connector.hasSaid(
                        "is not trusted; --origin-ca-file names its authority, and --origin-tls-verify off takes any certificate"
                    )
                }
                let answer = try await Curl.get(url, in: scratch)
                #expect(answer.status == status, "\(options): \(answer.body)")
                if status == 502 { #expect(answer["Culvert-Error"] == "origin_tls_failed") }
                let diagnosis = try RunningProcess(
                    Programs.product("culvert"),
                    ["diagnose", "--to", "https://localhost:\(port)", "--edge", edge.url] + options,
                    environment: ["CULVERT_API_KEY": edge.apiKey],
                    in: scratch
                )
                #expect(try await diagnosis.end() == .exited(status == 200 ? 0 : 69), "\(diagnosis.transcript)")
            }
            // A file of tunnels has settings, and its command no such flags.
            let tunnels = scratch.file("tunnels.yaml")
            try Data("tunnels: [{target: 'https://localhost:\(port)'}]\n".utf8).write(to: tunnels)
            let started = try RunningProcess(
                Programs.product("culvert"),
                ["start", tunnels.path, "--edge", edge.url],
                environment: ["CULVERT_API_KEY": edge.apiKey],
                in: scratch
            )
            try await started.hasSaid(
                "is not trusted; “origin-ca-file” names its authority, and “origin-tls-verify: off” takes any certificate"
            )
        }
    }
}
