// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    /// Tokens that end many times while they are in use, and what a restart of the edge leaves of names.
    @Suite("Renewal of tokens", .serialized)
    struct TokenRenewal {
        /// What `renewals.py` prints.
        private struct Tally: Decodable {
            var download: Int
            var expected: Int
            var events: Int
            var messages: Int
            var short: Int
            var failures: [String]
        }

        /// How a tunnel is served.
        enum Command: CaseIterable, Sendable {
            case http
            case start
            case connect
        }

        /// Tokens of 20 s and a minute in the long tier; else of 6 s, so that each run still passes three renewals.
        private static let (lifetime, seconds) = Programs.isFullSize ? (20, 60) : (6, 18)

        @Test(
            "A download, a conversation and an event stream pass three renewals unharmed, and no session is opened anew",
            arguments: Command.allCases
        )
        func unharmed(command: Command) async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(
                in: scratch,
                arguments: [
                    "--dev", "--tunnel-token-lifetime", "\(Self.lifetime)s", "--limits-api-calls-per-second", "1000",
                ]
            )
            let port = try FreePort.next()
            let file = scratch.file("token")
            let token = try await edge.createTunnel(#"{"name":"my-app"}"#, in: scratch).token
            try Data(token.utf8).write(to: file)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
            let connector = try self.connector(command, edge: edge, port: port, tokenFile: file, in: scratch)
            try await eventually("the tunnel is online") {
                try await edge.status(of: "my-app", in: scratch).state == "online" ? () : nil
            }
            let peer = try RunningProcess.peer(
                "renewals.py",
                ["\(port)", "\(edge.url)/my-app/", "\(Self.seconds)"],
                in: scratch
            )
            let tally = try await peer.decodedOutput(Tally.self, within: .seconds(Self.seconds * 3 + 30))
            let log = connector.standardError
            func count(_ event: String) -> Int { log.components(separatedBy: #""event":"\#(event)""#).count - 1 }
            let renewals = log.split(separator: "\n").count {
                $0.contains(#""event":"token_renewed""#) && $0.contains(#""tunnel":"my-app""#)
            }
            print("\(command): \(renewals) renewals, \(tally.messages) messages, \(tally.short) short requests")
            #expect(tally.failures == [], "\(log)")
            #expect(tally.download == tally.expected)
            #expect(tally.events == Self.seconds * 2)
            #expect(tally.messages > Self.seconds * 2)
            #expect(tally.short > Self.seconds * 2)
            #expect(renewals >= 3, "\(log)")
            #expect(count("token_ending") == 0)
            #expect(count("draining") == 0, "no session had to give way")
            #expect(count("waiting") == 0)
            if command != .http {
                let kept = try String(contentsOf: file, encoding: .utf8)
                #expect(kept.split(separator: ".").count == 3 && !kept.contains(token), "the successor is in the file")
                #expect(try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int == 0o600)
                // Which lets a connector in that is started now, though the first token has ended.
                connector.send(signal: SIGTERM)
                #expect(try await connector.end() == .exited(0))
                let again = try self.connector(.connect, edge: edge, port: port, tokenFile: file, in: scratch)
                try await eventually("the next connector serves") {
                    try await edge.status(of: "my-app", in: scratch).state == "online" ? () : nil
                }
                again.send(signal: SIGTERM)
                #expect(try await again.end() == .exited(0))
            }
        }

        private func connector(
            _ command: Command,
            edge: EdgeProcess,
            port: Int,
            tokenFile: URL,
            in scratch: ScratchFolder
        ) throws -> RunningProcess {
            let arguments: [String]
            switch command {
            case .http: arguments = ["http", "\(port)", "--name", "my-app", "--edge", edge.url]
            case .connect: arguments = ["connect", "--token-file", tokenFile.path, "--to", "\(port)"]
            case .start:
                // Two tunnels that share the connections, each with a token of its own.
                let tunnels = "- {token-file: \(tokenFile.path), target: \(port)}\n- {name: other, target: \(port)}\n"
                let file = scratch.file("culvert.yaml")
                try Data("tunnels:\n\(tunnels)".utf8).write(to: file)
                arguments = ["start", "--config", file.path, "--edge", edge.url]
            }
            return try RunningProcess(
                Programs.product("culvert"),
                arguments + ["--log-format", "json"],
                environment: ["CULVERT_API_KEY": edge.apiKey],
                in: scratch
            )
        }

        @Test("A connector whose token can't be renewed says when it ends, and a token put into its file saves it")
        func warning() async throws {
            let scratch = try ScratchFolder()
            let edge = try await KeyedEdge(in: scratch, arguments: ["--tunnel-token-lifetime", "6s"])
            let ann = try await edge.makeKey("ann")
            try await edge.reload()
            let token = try await edge.process.createTunnel(#"{"name":"my-app"}"#, key: ann.key, in: scratch).token
            let file = scratch.file("token")
            try Data(token.utf8).write(to: file)
            try await edge.revokeKey("ann")
            try await edge.reload()
            let connector = try self.connector(
                .connect,
                edge: edge.process,
                port: try FreePort.next(),
                tokenFile: file,
                in: scratch
            )
            let line = try await eventually("a warning") {
                connector.standardError.split(separator: "\n").first { $0.contains(#""event":"token_ending""#) }
            }
            #expect(line.contains(#""level":"warning""#))
            #expect(line.contains("expires_at"))
            #expect(!line.contains(token))
            #expect(try await connector.end() == .exited(77))

            // Her operator replaces the key, revoked as it is: it owns the tunnel as before.
            let next = try await edge.rotateKey("ann")
            try await edge.reload()
            #expect(try await edge.process.call("GET", "list", key: ann.key, in: scratch).status == 401)
            let answer = try await edge.process.call("POST", "my-app/token", key: next.key, in: scratch)
            #expect(answer.status == 201, "\(answer.body)")
            let issued = try JSONDecoder().decode(IssuedTunnel.self, from: Data(answer.body.utf8))
            try Data(issued.token.utf8).write(to: file)
            let again = try self.connector(
                .connect,
                edge: edge.process,
                port: try FreePort.next(),
                tokenFile: file,
                in: scratch
            )
            try await eventually("a renewal") {
                again.standardError.contains(#""event":"token_renewed""#) ? () : nil
            }
            #expect(again.isRunning)
        }

        @Test("After a restart the present owner serves the name by the newest policy, though others come back first")
        func restart() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let edge = try await KeyedEdge(in: scratch)
            let (ann, bob) = (try await edge.makeKey("ann"), try await edge.makeKey("bob"))
            try await edge.reload()
            let name = #"{"name":"shop"}"#
            let first = try await edge.process.createTunnel(name, key: ann.key, in: scratch)
            #expect(try await edge.process.call("DELETE", "shop", key: ann.key, in: scratch).status == 204)
            let second = try await edge.process.createTunnel(name, key: bob.key, in: scratch)
            let third = try await edge.process.createTunnel(
                #"{"name":"shop","policy":{"ip_deny":["127.0.0.0/8"]}}"#,
                key: bob.key,
                in: scratch
            )
            try await edge.process.crash()
            try await edge.process.restart()
            func connect(_ tunnel: IssuedTunnel) throws -> RunningProcess {
                try RunningProcess(
                    Programs.product("culvert"),
                    ["connect", "--to", "\(origin.port)", "--connections", "1"],
                    environment: ["CULVERT_TOKEN": tunnel.token],
                    in: scratch
                )
            }
            func answer() async throws -> Int {
                try await Curl.get("\(edge.process.url)/shop/saw/", in: scratch).status
            }
            let anns = try connect(first)
            try await eventually("nobody else is back") { try await answer() == 200 ? () : nil }
            let bobs = try connect(second)
            #expect(try await anns.end() == .exited(77))
            try await eventually("bob's first one serves") { try await answer() == 200 ? () : nil }
            let newest = try connect(third)
            try await eventually("what bob decided last") { try await answer() == 403 ? () : nil }
            #expect(bobs.isRunning && newest.isRunning)
            #expect(try await edge.process.call("GET", "shop/status", key: bob.key, in: scratch).status == 200)
            #expect(try await edge.process.call("GET", "shop/status", key: ann.key, in: scratch).status == 404)
            #expect(try await connect(first).end() == .exited(77))
        }
    }
}
