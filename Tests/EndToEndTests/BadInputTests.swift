// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Bad input", .serialized)
    struct BadInput {
        /// The exit codes of `culvert` that a supervisor relies on.
        static let unavailable: Int32 = 69
        static let refused: Int32 = 77

        @Test("A wrong tunnel token ends the connector with one sentence and exit code 77")
        func wrongToken() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            let token = try await createdTunnel(at: edge, in: scratch).token
            // The signature is the last of the three parts; another first character makes it another signature.
            var parts = token.split(separator: ".").map(String.init)
            let signature = try #require(parts.last)
            parts[parts.count - 1] = (signature.hasPrefix("A") ? "B" : "A") + signature.dropFirst()
            let connector = try connect(token: parts.joined(separator: "."), port: try FreePort.next(), in: scratch)
            #expect(try await connector.end() == .exited(Self.refused), "\(connector.transcript)")
            expectOneSentence(connector)
        }

        @Test("A wrong API key ends the connector with one sentence and exit code 77")
        func wrongKey() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            let connector = try http(port: try FreePort.next(), edge: edge.url, key: "wrong", in: scratch)
            #expect(try await connector.end() == .exited(Self.refused), "\(connector.transcript)")
            expectOneSentence(connector)
        }

        @Test("An unknown tunnel is 404 tunnel_not_found")
        func unknownTunnel() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            let answer = try await Curl.get(edge.url + "/nobody-has-this-one/", in: scratch)
            #expect(answer.status == 404)
            #expect(answer["Culvert-Error"] == "tunnel_not_found")
        }

        @Test("A local port where nothing listens is 502 origin_refused")
        func nothingListens() async throws {
            let scratch = try ScratchFolder()
            let tunnel = try await TunnelFixture(originPort: try FreePort.next(), in: scratch)
            let answer = try await Curl.get(tunnel.url, in: scratch)
            #expect(answer.status == 502)
            #expect(answer["Culvert-Error"] == "origin_refused")
            #expect(tunnel.connector.isRunning)
        }

        @Test("A second connector with the same token serves too, and the tunnel outlives either")
        func secondConnector() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let edge = try await EdgeProcess(in: scratch)
            let tunnel = try await createdTunnel(at: edge, in: scratch)
            let connectors = try (0..<2).map { _ in try connect(token: tunnel.token, port: origin.port, in: scratch) }
            let url = (tunnel.url.hasSuffix("/") ? tunnel.url : tunnel.url + "/") + "saw/"
            for stopped in connectors {
                _ = try await stopped.line(startingWith: "http")
                #expect(stopped.isRunning, "\(stopped.transcript)")
            }
            for stopped in connectors {
                let answer = try await Curl.get(url, in: scratch)
                #expect(answer.status == 200)
                stopped.send(signal: SIGTERM)
                #expect(try await stopped.end() == .exited(0))
            }
        }

        @Test("An edge whose port is taken says so and exits")
        func occupiedPort() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let edge = try EdgeProcess.launch(
                port: origin.port,
                adminPort: try FreePort.next(),
                apiKey: "unused-key-0123456789abcdef0123",
                in: scratch
            )
            guard case .exited(let code) = try await edge.end() else {
                Issue.record("the edge crashed\n\(edge.transcript)")
                return
            }
            #expect(code != 0)
            #expect(edge.standardError.contains("\(origin.port)"), "\(edge.transcript)")
        }

        @Test("With --no-retry an edge that cannot be reached is one sentence and exit code 69")
        func unreachableEdge() async throws {
            let scratch = try ScratchFolder()
            let nowhere = "http://127.0.0.1:\(try FreePort.next())"
            let connector = try http(port: try FreePort.next(), edge: nowhere, in: scratch)
            #expect(try await connector.end() == .exited(Self.unavailable), "\(connector.transcript)")
            expectOneSentence(connector)
        }

        @Test("With --no-retry a server that is not an edge is one sentence and exit code 69")
        func notAnEdge() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let connector = try http(port: origin.port, edge: "http://127.0.0.1:\(origin.port)", in: scratch)
            #expect(try await connector.end() == .exited(Self.unavailable), "\(connector.transcript)")
            expectOneSentence(connector)
        }

        /// What `POST /api/tunnels/create` answers, as far as these tests need it.
        private struct CreatedTunnel: Decodable {
            var url: String
            var token: String
        }

        private func createdTunnel(at edge: EdgeProcess, in scratch: ScratchFolder) async throws -> CreatedTunnel {
            let answer = try await Curl.get(
                edge.url + "/api/tunnels/create",
                ["--header", "Authorization: Bearer \(edge.apiKey)", "--json", "{}"],
                in: scratch
            )
            #expect(answer.status == 201, "\(answer.body)")
            return try JSONDecoder().decode(CreatedTunnel.self, from: Data(answer.body.utf8))
        }

        private func connect(token: String, port: Int, in scratch: ScratchFolder) throws -> RunningProcess {
            try RunningProcess(
                Programs.product("culvert"),
                ["connect", "--to", "\(port)", "--no-retry"],
                environment: ["CULVERT_TOKEN": token],
                in: scratch
            )
        }

        private func http(
            port: Int,
            edge: String,
            key: String = "some-key-0123456789abcdef",
            in scratch: ScratchFolder
        ) throws -> RunningProcess {
            try RunningProcess(
                Programs.product("culvert"),
                ["http", "\(port)", "--edge", edge, "--no-retry"],
                environment: ["CULVERT_API_KEY": key],
                in: scratch
            )
        }

        /// What went wrong is to be read at a glance: a sentence or two, no trace.
        private func expectOneSentence(_ process: RunningProcess) {
            let lines = process.standardError.split(separator: "\n")
            #expect((1...3).contains(lines.count), "\(process.transcript)")
            #expect(!process.standardError.contains("Fatal error"))
        }
    }
}
