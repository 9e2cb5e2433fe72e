// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    /// A connector that reaches its edge only through an HTTP proxy: the edge's name means nothing on this machine.
    @Suite("Through a proxy", .serialized)
    struct ThroughAProxy {
        private static let password = "p@ss/w0rd"

        private func proxy(password: String? = nil, in scratch: ScratchFolder) async throws -> (RunningProcess, Int) {
            let port = try FreePort.next()
            let arguments = ["\(port)"] + (password.map { ["me:\($0)"] } ?? [])
            let process = try RunningProcess.peer("connect_proxy.py", arguments, in: scratch)
            _ = try await process.line(startingWith: "proxy listens")
            return (process, port)
        }

        /// Runs a command of the connector that ends by itself.
        private func run(
            _ arguments: [String],
            _ environment: [String: String],
            in scratch: ScratchFolder
        ) async throws -> (end: ChildProcess.End, text: String) {
            let run = try await RunningProcess.culvert(arguments, environment, in: scratch)
            return (run.end, run.output + run.error)
        }

        @Test(
            "A plain edge behind a proxy that wants a password: API and sessions go through it, and it stays a secret"
        )
        func plain() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let edge = try await EdgeProcess(in: scratch)
            let (proxy, port) = try await self.proxy(password: Self.password, in: scratch)
            let name = "http://edge.culvert.test:\(edge.port)"
            let environment = [
                "CULVERT_API_KEY": edge.apiKey, "http_proxy": "http://me:p%40ss%2Fw0rd@127.0.0.1:\(port)",
            ]
            let connector = try RunningProcess(
                Programs.product("culvert"),
                ["http", "\(origin.port)", "--name", "behind", "--edge", name, "--log-level", "debug"],
                environment: environment,
                in: scratch
            )
            _ = try await connector.line(startingWith: "http")
            try await eventually("both connections") {
                try await edge.metric("culvert_active_sessions", in: scratch) == 2 ? () : nil
            }
            #expect(try await Curl.get("\(edge.url)/behind/saw/", in: scratch).status == 200)
            let asked = proxy.standardOutput.split(separator: "\n")
            // One call of the API and two sessions.
            #expect(asked.count { $0 == "CONNECT edge.culvert.test:\(edge.port)" } == 3)
            // A restart of the edge is got over as without a proxy.
            try await edge.crash()
            try await edge.restart()
            try await eventually("both connections again") {
                try await edge.metric("culvert_active_sessions", in: scratch) == 2 ? () : nil
            }
            let (_, diagnosis) = try await self.run(["diagnose", "--edge", name], environment, in: scratch)
            #expect(diagnosis.contains("ok    proxy"))
            #expect(diagnosis.contains("http://127.0.0.1:\(port) lets through to edge.culvert.test"))
            #expect(diagnosis.contains("accepted; 1 tunnel "))
            for text in [connector.standardOutput, connector.standardError, diagnosis] {
                #expect(!text.contains("ss/w0rd") && !text.contains("ss%2Fw0rd"))
            }
        }

        @Test("An edge with TLS and a private authority, through HTTPS_PROXY")
        func encrypted() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let certificate = try await SelfSigned(name: "DNS:edge.culvert.test", in: scratch)
            // Its own URL is one that leads through the proxy, too.
            let listen = try FreePort.next()
            let edge = try await EdgeProcess(
                in: scratch,
                arguments: ["--dev", "--public-url", "https://edge.culvert.test:\(listen)"] + certificate.edgeArguments,
                scheme: "https",
                port: listen
            )
            let (proxy, port) = try await self.proxy(in: scratch)
            let name = "https://edge.culvert.test:\(edge.port)"
            let environment = ["CULVERT_API_KEY": edge.apiKey, "HTTPS_PROXY": "127.0.0.1:\(port)"]
            let trust = ["--ca-file", certificate.file.path]
            let connector = try RunningProcess(
                Programs.product("culvert"),
                ["http", "\(origin.port)", "--edge", name] + trust,
                environment: environment,
                in: scratch
            )
            _ = try await connector.line(startingWith: "http")
            try await eventually("both connections") {
                try await edge.metric("culvert_active_sessions", in: scratch) == 2 ? () : nil
            }
            #expect(
                proxy.standardOutput.split(separator: "\n").count { $0.hasPrefix("CONNECT edge.culvert.test:") } == 3
            )
            let (end, text) = try await self.run(["diagnose", "--edge", name] + trust, environment, in: scratch)
            #expect(end == .exited(0), "\(text)")
            #expect(text.contains("ok    proxy") && text.contains("ok    edge TLS"))
        }

        @Test("What a proxy refuses is told in a sentence, with an exit code of its own")
        func refusals() async throws {
            let scratch = try ScratchFolder()
            let (openProxy, open) = try await self.proxy(in: scratch)
            let (lockedProxy, locked) = try await self.proxy(password: Self.password, in: scratch)
            defer { withExtendedLifetime((openProxy, lockedProxy)) {} }
            let nobody = try FreePort.next()
            let table: [(proxy: String, edge: String, code: Int32, says: String)] = [
                ("http://127.0.0.1:\(nobody)", "e.culvert.test", 69, "No proxy answers at http://127.0.0.1:\(nobody)"),
                ("http://127.0.0.1:\(locked)", "e.culvert.test", 77, "wants a user name and password (HTTP 407)"),
                ("http://me:wrong@127.0.0.1:\(locked)", "e.culvert.test", 77, "refused the user name and password"),
                ("http://127.0.0.1:\(open)", "forbidden.culvert.test", 69, "lets nobody through"),
                ("http://127.0.0.1:\(open)", "gone.culvert.test", 69, "can't reach"),
                ("https://127.0.0.1:\(open)", "e.culvert.test", 78, "TLS to the proxy itself is not spoken here"),
            ]
            for (proxy, edge, code, says) in table {
                let arguments = ["connect", "--to", "9", "--edge", "https://\(edge)", "--no-retry"]
                // A token that only has to look like one.
                let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJteS1hcHAifQ.c2ln"
                let environment = ["CULVERT_TOKEN": token, "ALL_PROXY": proxy]
                let (end, text) = try await self.run(arguments, environment, in: scratch)
                #expect(end == .exited(code), "\(proxy) \(edge): \(text)")
                #expect(text.contains(says), "\(text)")
                #expect(!text.contains("wrong"))
                let (diagnosed, report) = try await self.run(
                    ["diagnose", "--edge", "https://\(edge)"],
                    environment,
                    in: scratch
                )
                #expect(diagnosed == .exited(code), "\(report)")
                #expect(report.contains(says), "\(report)")
            }
        }

        @Test("This machine, and what NO_PROXY names, is reached directly")
        func exceptions() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            let nobody = try FreePort.next()
            let proxied = ["CULVERT_API_KEY": edge.apiKey, "ALL_PROXY": "http://127.0.0.1:\(nobody)"]
            let (end, text) = try await self.run(["tunnels", "list", "--edge", edge.url], proxied, in: scratch)
            #expect(end == .exited(0), "\(text)")
            let named = proxied.merging(["NO_PROXY": "localhost,.culvert.test"]) { $1 }
            let (_, direct) = try await self.run(["diagnose", "--edge", "https://e.culvert.test"], named, in: scratch)
            #expect(direct.contains("edge name"))
            #expect(!direct.contains("proxy"))
        }
    }

    @Suite("Trust in the edge", .serialized)
    struct TrustInTheEdge {
        @Test(
            "A private authority is named by --ca-file or SSL_CERT_FILE; every other certificate ends the first contact"
        )
        func authorities() async throws {
            let scratch = try ScratchFolder()
            let certificate = try await SelfSigned(name: "DNS:localhost", in: scratch)
            let edge = try await EdgeProcess.ofTLS(certificate, in: scratch)
            func list(
                _ host: String,
                _ more: [String],
                _ environment: [String: String] = [:]
            ) async throws -> (ChildProcess.End, String) {
                let process = try RunningProcess(
                    Programs.product("culvert"),
                    ["tunnels", "list", "--edge", "https://\(host):\(edge.port)"] + more,
                    environment: environment.merging(["CULVERT_API_KEY": edge.apiKey]) { $1 },
                    in: scratch
                )
                return (try await process.end(), process.standardOutput + process.standardError)
            }
            #expect(try await list("localhost", ["--ca-file", certificate.file.path]).0 == .exited(0))
            #expect(try await list("localhost", [], ["SSL_CERT_FILE": certificate.file.path]).0 == .exited(0))
            let (unusable, fault) = try await list("localhost", [], ["SSL_CERT_FILE": "/nowhere.pem"])
            #expect(unusable == .exited(78))
            #expect(fault.contains("SSL_CERT_FILE names /nowhere.pem"), "\(fault)")
            #expect(fault.contains("there is no such file"), "\(fault)")
            let (untrusted, why) = try await list("localhost", [])
            #expect(untrusted == .exited(69))
            #expect(why.contains("its certificate is not trusted; --ca-file names the edge's authority"), "\(why)")
            let (wrongName, reason) = try await list("127.0.0.1", ["--ca-file", certificate.file.path])
            #expect(wrongName == .exited(69))
            #expect(reason.contains("its certificate is for another name than 127.0.0.1"), "\(reason)")

            // Without --no-retry, too: nobody waits for ever on a setting that is wrong.
            for (host, file) in [("127.0.0.1", certificate.file.path), ("localhost", nil)] as [(String, String?)] {
                let connector = try RunningProcess(
                    Programs.product("culvert"),
                    ["http", "9", "--edge", "https://\(host):\(edge.port)"] + (file.map { ["--ca-file", $0] } ?? []),
                    environment: ["CULVERT_API_KEY": edge.apiKey],
                    in: scratch
                )
                #expect(try await connector.end() == .exited(69))
            }
        }
    }
}
