// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    /// What the README and the documents show below a command is what the programs print.
    @Suite("What the documents show below a command", .serialized)
    struct DocumentedOutput {
        /// A command of a document, and the lines that are shown below it.
        private struct Example: CustomStringConvertible {
            var place: String
            var command: String
            var output: [String]

            var description: String { "\(self.place): \(self.command)" }
        }

        /// All commands that have something below them.
        private static func examples() throws -> [Example] {
            let root = Programs.repository
            let documents = try FileManager.default.contentsOfDirectory(atPath: root.path + "/docs").sorted()
                .filter { $0.hasSuffix(".md") }.map { "docs/\($0)" }
            var examples: [Example] = []
            for document in ["README.md"] + documents {
                let text = try String(contentsOf: root.appendingPathComponent(document), encoding: .utf8)
                for block in text.components(separatedBy: "```console\n").dropFirst() {
                    var isContinued = false
                    for line in block.components(separatedBy: "\n```")[0].components(separatedBy: "\n") {
                        if line.hasPrefix("$ ") {
                            let command = line.dropFirst(2).components(separatedBy: "  #")[0]
                            examples.append(Example(place: document, command: command, output: []))
                        } else if !isContinued, !line.isEmpty {
                            examples[examples.count - 1].output.append(line)
                        }
                        isContinued = line.hasSuffix("\\")
                    }
                }
            }
            return examples.filter { !$0.output.isEmpty }
        }

        /// A line without what differs between two runs: numbers, hosts of edges, keys.
        private static func shape(_ line: String) -> String {
            line.trimmingCharacters(in: .whitespaces)
                .replacing(#/cvk_[a-z0-9…]+/#, with: "KEY")
                .replacing("https://", with: "http://")
                .replacing(#/\/\/[^\/ ,]+/#, with: "//HOST")
                // What a kept screen has in the place of a time.
                .replacing(#/\bN(?= ms)/#, with: "0")
                .replacing(#/[0-9]+([.:][0-9]+)*/#, with: "N")
                .replacing(#/N (ms|s)\b/#, with: "N TIME")
                .replacing(#/ {2,}/#, with: "  ")
        }

        private func run(
            _ program: String,
            _ arguments: [String],
            environment: [String: String] = [:],
            in scratch: ScratchFolder
        ) async throws -> [String] {
            let process = try RunningProcess(
                Programs.product(program),
                arguments,
                environment: environment,
                in: scratch
            )
            _ = try await process.end()
            return (process.standardOutput + process.standardError).components(separatedBy: "\n")
        }

        /// What a program prints until a line that begins so.
        private func beginning(
            of program: String,
            _ arguments: [String],
            until prefix: String,
            environment: [String: String] = [:],
            in scratch: ScratchFolder
        ) async throws -> [String] {
            let process = try RunningProcess(
                Programs.product(program),
                arguments,
                environment: environment,
                in: scratch
            )
            _ = try await process.line(startingWith: prefix)
            process.send(signal: SIGTERM)
            _ = try await process.end()
            return process.standardOutput.components(separatedBy: "\n")
        }

        /// What really is printed for a command of the documents; `nil` if no test knows how to run it.
        private func printed(for command: String, in scratch: ScratchFolder) async throws -> [String]? {
            let dev = ["--dev", "--listen", "127.0.0.1:\(try FreePort.next())"]
            switch command {
            case "scripts/quickstart --check": return try await self.checked(in: scratch)
            case "culvert-edge --dev":
                let admin = ["--admin-listen", "127.0.0.1:\(try FreePort.next())"]
                return try await self.beginning(of: "culvert-edge", dev + admin, until: "  Health", in: scratch)
            case let new where new.contains("culvert-edge credentials new "):
                let files = ["--api-keys-file", "api-keys.json", "--signing-keys-file", "signing-keys.json"]
                let words =
                    ["credentials", "new", "--name", "me", "--no-otp"]
                    + files.map { $0.hasSuffix(".json") ? scratch.file($0).path : $0 }
                return try await self.run("culvert-edge", words, in: scratch)
            case let login where login.hasPrefix("culvert login "):
                let edge = try await EdgeProcess(in: scratch)
                let key = scratch.file("key")
                try Data(edge.apiKey.utf8).write(to: key)
                let words = ["login", "--edge", edge.url, "--api-key-file", key.path]
                // Here is no terminal to ask at: the question is that of the kept screen.
                return try Self.screen("login") + (try await self.run("culvert", words, in: scratch))
            case "culvert http 3000 --authtoken x":
                return try await self.run("culvert", ["http", "3000", "--authtoken", "x"], in: scratch)
            case "culvert config check --config culvert.yaml":
                let file = """
                    edge: https://edge.example.com

                    connections: 9
                    tunnels:
                      - name: my-app
                        target: foo
                    """
                try Data(file.utf8).write(to: scratch.file("culvert.yaml"))
                return try await self.run(
                    "culvert",
                    ["config", "check", scratch.file("culvert.yaml").path],
                    in: scratch
                )
                .map { $0.replacing(scratch.url.path + "/", with: "") }
            case "sudo culvert service install --config /etc/culvert/culvert.yaml":
                let folder = try scratch.folder("root")
                let file = scratch.file("tunnels.yaml")
                try Data("tunnels:\n  - name: my-app\n    target: 3000\n".utf8).write(to: file)
                // The service of the machine sees no file of a test, so that it is the user's which is made here.
                let words = [
                    "service", "install", "--user", "--config", file.path, "--edge", "https://edge.example.com",
                ]
                let home = ["HOME": "/home/me"]
                return try await self.run("culvert", words + ["--root", folder.path], environment: home, in: scratch)
                    .map { $0.replacing(folder.path + "/home/me/.config/systemd/user", with: "/etc/systemd/system") }
                    .map { $0.replacing("systemctl --user", with: "sudo systemctl") }
            case "culvert http 3000":
                return try Self.screen("http")
            case "culvert http 3000 --name my-app": return try Self.screen("front-page")
            case "culvert http 3000 --log-requests": return try await self.logged(in: scratch)
            default: return try await self.ports(for: command, in: scratch)
            }
        }

        /// The lines of the screens that a scene of the tests at a terminal keeps.
        private static func screen(_ scene: String) throws -> [String] {
            let file = Programs.repository.appendingPathComponent("Tests/EndToEndTests/Screens/\(scene).txt")
            return try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n")
        }

        /// The sample origin behind a tunnel, for as long as this value lives.
        private struct Served {
            var edge: EdgeProcess
            var origin: RunningProcess
            var connector: RunningProcess
            var url: String
        }

        private func serve(_ options: [String] = [], in scratch: ScratchFolder) async throws -> Served {
            let edge = try await EdgeProcess(in: scratch)
            let port = try FreePort.next()
            let origin = try RunningProcess("python3", [Programs.sampleOrigin, "--port", "\(port)"], in: scratch)
            let connector = try RunningProcess(
                Programs.product("culvert"),
                ["http", "\(port)"] + options,
                environment: ["CULVERT_API_KEY": edge.apiKey, "CULVERT_EDGE": edge.url],
                in: scratch
            )
            let url = try await connector.line(startingWith: "http")
            return Served(edge: edge, origin: origin, connector: connector, url: url)
        }

        /// What is logged of a request.
        private func logged(in scratch: ScratchFolder) async throws -> [String] {
            let served = try await self.serve(["--log-requests"], in: scratch)
            try await eventually("the log of a request that is served", within: .seconds(20)) {
                _ = try await Curl.get(served.url, in: scratch)
                return served.connector.standardError.contains("status=200") ? () : nil
            }
            return served.connector.standardError.components(separatedBy: "\n")
        }

        /// What prints an address alone.
        private func ports(for command: String, in scratch: ScratchFolder) async throws -> [String]? {
            let words = command.split(separator: " ").map(String.init)
            guard words.first == "culvert", ["tcp", "tls", "access"].contains(words.dropFirst().first) else {
                return nil
            }
            let (port, tls) = (try FreePort.next(), try FreePort.next())
            let edge = try await EdgeProcess(
                in: scratch,
                arguments: [
                    "--dev", "--tcp-ports", "\(port)-\(port)", "--tls-passthrough-listen", "127.0.0.1:\(tls)",
                ]
            )
            let access = ["CULVERT_API_KEY": edge.apiKey, "CULVERT_EDGE": edge.url]
            var arguments = Array(words.dropFirst())
            if let listen = arguments.firstIndex(of: "--listen") {
                let tunnel = ["tcp", "22", "--private", "--name", "my-database"]
                _ = try await self.beginning(
                    of: "culvert",
                    tunnel,
                    until: "culvert+",
                    environment: access,
                    in: scratch
                )
                arguments[listen + 1] = "127.0.0.1:\(try FreePort.next())"
                if let file = arguments.firstIndex(of: "--token-file") { arguments.removeSubrange(file...file + 1) }
            }
            let prefix = arguments[0] == "access" ? "127" : arguments.contains("--private") ? "culvert+" : arguments[0]
            return try await self.beginning(of: "culvert", arguments, until: prefix, environment: access, in: scratch)
        }

        /// The check of the sample origin through a tunnel.
        private func checked(in scratch: ScratchFolder) async throws -> [String] {
            let served = try await self.serve(in: scratch)
            try await eventually("the sample origin", within: .seconds(20)) {
                try await Curl.get(served.url, in: scratch).status == 200 ? () : nil
            }
            let script = URL(fileURLWithPath: Programs.sampleOrigin).deletingLastPathComponent()
                .appendingPathComponent("check.py").path
            let check = try RunningProcess("python3", [script, served.url], in: scratch)
            let output = try await check.successfulOutput(within: .seconds(60))
            return output.components(separatedBy: "\n")
        }

        @Test("Each line is one that the command prints, with other numbers, hosts and keys")
        func shown() async throws {
            let examples = try Self.examples()
            #expect(examples.count >= 12)
            for example in examples {
                let scratch = try ScratchFolder()
                let printed = try #require(
                    try await self.printed(for: example.command, in: scratch),
                    "no test knows how to run \(example)"
                )
                let shapes = printed.map(Self.shape)
                for line in example.output {
                    #expect(shapes.contains(Self.shape(line)), "\(example)\n\(line)\nis none of\n\(shapes)")
                }
            }
        }
    }
}
