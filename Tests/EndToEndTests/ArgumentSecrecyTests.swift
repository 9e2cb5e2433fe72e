// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd.Secrecy {
    /// A way to give a secret to a command.
    struct Way {
        var arguments: [String] = []
        var environment: [String: String] = [:]
        /// What standard input holds.
        var input: URL?
    }

    @Test("However a token or a key is given to culvert, it is in no argument, no process name and no line of output")
    func everyWay() async throws {
        let scratch = try ScratchFolder()
        let edge = try await EdgeProcess(in: scratch, arguments: ["--dev", "--limits-api-calls-per-second", "1000"])
        let token = try await edge.createTunnel(#"{"name":"my-app"}"#, in: scratch).token
        let signature = try #require(token.split(separator: ".").last.map(String.init))
        let code = "924731"
        let password = "let-nobody-else-in"
        let secrets = [
            "token": token, "signature": signature, "key": edge.apiKey, "one-time code": code, "password": password,
        ]

        let (tokenFile, keyFile) = (scratch.file("token.txt"), scratch.file("key.txt"))
        try Data("\(token)\n".utf8).write(to: tokenFile)
        try Data("\(edge.apiKey)\n".utf8).write(to: keyFile)
        let tokens = [
            Way(arguments: ["--token-file", tokenFile.path]), Way(arguments: ["--token-file", "-"], input: tokenFile),
            Way(environment: ["CULVERT_TOKEN": token]), Way(arguments: ["--token", token]),
            Way(arguments: ["--token=\(token)"]),
        ]
        let keys = [
            Way(arguments: ["--api-key-file", keyFile.path]), Way(arguments: ["--api-key-file", "-"], input: keyFile),
            Way(environment: ["CULVERT_API_KEY": edge.apiKey]),
        ]
        let passwordFile = scratch.file("visitors.txt")
        try Data("guest:\(password)\n".utf8).write(to: passwordFile)
        let passwords = [
            Way(
                arguments: ["--basic-auth", "guest:\(password)"],
                environment: ["CULVERT_API_KEY": edge.apiKey]
            ),
            Way(
                arguments: ["--basic-auth-file", passwordFile.path],
                environment: ["CULVERT_API_KEY": edge.apiKey]
            ),
        ]
        let target = "\(try FreePort.next())"
        var texts: [String: String] = [:]

        // What serves is looked at while it serves.
        let serving =
            tokens.map { (["connect", "--to", target, "--log-level", "debug"], $0) }
            + (keys + passwords).map {
                (["http", target, "--otp", code, "--log-level", "debug", "--log-format", "json"], $0)
            }
        for (number, (command, way)) in serving.enumerated() {
            let process = try self.start(command, way, edge: edge, in: scratch)
            _ = try await process.line(startingWith: "http")
            let shown = try self.names(of: process)
            #expect(shown.contains(command[0]) && shown.contains("comm: culvert\n"), "\(shown)")
            // Of a secret that is an argument there are as many asterisks left.
            let isArgument = command.contains(code) || way.arguments.contains { $0.contains(token) }
            #expect(shown.contains("*****") == isArgument, "\(shown)")
            process.send(signal: SIGTERM)
            #expect(try await process.end() == .exited(0), "\(process.transcript)")
            #expect(process.standardError.contains("debug"))
            texts["\(command[0]) \(number)"] = shown + process.standardOutput + process.standardError
        }

        // What ends by itself is looked at for as long as it runs.
        let calls =
            keys.map { (["login"], $0) } + keys.map { (["tunnels", "list"], $0) } + [(["tunnels", "list"], Way())]
        for (number, (command, way)) in calls.enumerated() {
            let process = try self.start(command + ["--log-level", "debug"], way, edge: edge, in: scratch)
            var shown = ""
            while process.isRunning {
                if let names = try? self.names(of: process) { shown += names }
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(shown.contains(command[0]))
            #expect(try await process.end() == .exited(0), "\(process.transcript)")
            texts["\(command[0]) \(number)"] = shown + process.standardOutput + process.standardError
        }

        for (place, text) in texts {
            for (name, secret) in secrets { #expect(!text.contains(secret), "the \(name) is shown by \(place)") }
        }
        print("secrecy: \(serving.count + calls.count) ways to give a secret")
    }

    private func start(
        _ command: [String],
        _ way: Way,
        edge: EdgeProcess,
        in scratch: ScratchFolder
    ) throws -> RunningProcess {
        let arguments = command + ["--edge", edge.url] + way.arguments
        let program = try Programs.product("culvert")
        guard let input = way.input else {
            return try RunningProcess(program, arguments, environment: way.environment, in: scratch)
        }
        // The shell becomes the program.
        let line = #"exec "$0" "$@" < '\#(input.path)'"#
        return try RunningProcess("/bin/sh", ["-c", line, program] + arguments, in: scratch)
    }

    /// What `ps` can show of a process: its arguments, and the names of its threads.
    private func names(of process: RunningProcess) throws -> String {
        let folder = URL(fileURLWithPath: "/proc/\(process.identifier)")
        let arguments = try Data(contentsOf: folder.appendingPathComponent("cmdline"))
        var text = String(decoding: arguments, as: UTF8.self).replacingOccurrences(of: "\0", with: " ") + "\n"
        let tasks = folder.appendingPathComponent("task")
        let name = try String(contentsOf: folder.appendingPathComponent("comm"), encoding: .utf8)
        text += "comm: \(name)"
        for task in try FileManager.default.contentsOfDirectory(atPath: tasks.path) {
            // A thread may end while it is looked at.
            text += (try? String(contentsOf: tasks.appendingPathComponent("\(task)/comm"), encoding: .utf8)) ?? ""
        }
        return text
    }
}
