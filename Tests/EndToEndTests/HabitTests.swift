// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Habits of the command line", .serialized)
    struct Habits {
        private func culvert(
            _ arguments: [String],
            of edge: EdgeProcess,
            in scratch: ScratchFolder
        ) async throws -> (end: ChildProcess.End, output: String, error: String) {
            try await RunningProcess.culvert(
                arguments,
                ["CULVERT_API_KEY": edge.apiKey, "CULVERT_EDGE": edge.url],
                in: scratch
            )
        }

        @Test("A folder is shared while a program runs that knows its URL, and whose exit code is culvert's")
        func folderAndProgram() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            let site = scratch.file("site")
            try FileManager.default.createDirectory(at: site, withIntermediateDirectories: true)
            let bytes = Data((0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) })
            try bytes.write(to: site.appendingPathComponent("big.bin"))
            try Data("secret".utf8).write(to: site.appendingPathComponent(".env"))
            let script = """
                curl -sS "${CULVERT_URL}big.bin" | cksum
                curl -sS -r 999990- "${CULVERT_URL}big.bin" | wc -c
                curl -sS -o /dev/null -w '%{http_code}\\n' "${CULVERT_URL}.env"
                curl -sS "$CULVERT_URL" | grep -c big.bin
                exit 7
                """
            let result = try await self.culvert(
                [site.path, "--", "/bin/sh", "-c", script],
                of: edge,
                in: scratch
            )
            let check = try RunningProcess("/usr/bin/cksum", [site.path + "/big.bin"], in: scratch)
            _ = try await check.end()
            let sum = check.standardOutput.split(separator: " ").prefix(2).joined(separator: " ")
            let lines = result.output.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
            #expect(result.end == .exited(7), "\(result.error)")
            #expect(lines == [sum, "10", "404", "1"], "\(result.error)")
        }

        @Test(
            "A login remembers by which certificate its edge is trusted, wherever it is used from, and for no other edge"
        )
        func trustedLogin() async throws {
            let scratch = try ScratchFolder()
            let certificate = try await SelfSigned(name: "IP:127.0.0.1", in: scratch)
            let edge = try await EdgeProcess.ofTLS(certificate, in: scratch)
            func culvert(_ arguments: [String]) async throws -> (end: ChildProcess.End, error: String) {
                let process = try RunningProcess(
                    Programs.product("culvert"),
                    arguments,
                    environment: ["XDG_CONFIG_HOME": scratch.file("config").path, "PWD": scratch.url.path],
                    in: scratch
                )
                return (try await process.end(), process.standardError)
            }
            let key = scratch.file("key")
            try Data(edge.apiKey.utf8).write(to: key)
            let login = ["login", "--edge", edge.url, "--api-key-file", key.path]
            #expect(try await culvert(login).error.contains("is not trusted"))
            let accepted = try await culvert(login + ["--ca-file", certificate.file.path])
            #expect(accepted.end == .exited(0), "\(accepted.error)")
            for command in [["tunnels", "list"], ["diagnose"]] {
                let later = try await culvert(command)
                #expect(later.end == .exited(0), "\(command): \(later.error)")
            }
            // The same edge by another name is another one.
            let other = try await culvert(
                ["tunnels", "list", "--edge", "https://localhost:\(edge.port)", "--api-key-file", key.path]
            )
            #expect(other.error.contains("is not trusted"), "\(other.error)")
        }

        @Test(
            "A tunnel's status counts whom the edge turned away",
            arguments: [
                (policy: ["--ip-deny", "127.0.0.0/8"], status: 403, times: 2),
                (policy: ["--basic-auth", "ann:a-long-password"], status: 401, times: 2),
                (policy: ["--requests-per-second", "1"], status: 429, times: 4),
            ]
        )
        func turnedAway(_ policy: [String], _ status: Int, _ times: Int) async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            let connector = try RunningProcess(
                Programs.product("culvert"),
                ["http", "\(try FreePort.next())", "--name", "my-app"] + policy,
                environment: ["CULVERT_API_KEY": edge.apiKey, "CULVERT_EDGE": edge.url],
                in: scratch
            )
            _ = try await connector.line(startingWith: "http")
            var answers: [Int] = []
            for _ in 0..<times { answers.append(try await Curl.get(edge.url + "/my-app/", in: scratch).status) }
            #expect(answers.contains(status), "\(answers)")
            let shown = try await self.culvert(["tunnels", "status", "my-app"], of: edge, in: scratch).output
            // Nothing listens at the target, so that no answer is anybody else's.
            #expect(shown.contains("the edge itself answered \(times) with an error"), "\(shown)")
        }

        @Test("Where no inspector is, that is said at once")
        func noInspector() async throws {
            let scratch = try ScratchFolder()
            let began = ContinuousClock.now
            let process = try RunningProcess(
                Programs.product("culvert"),
                ["requests", "list", "--inspector", "127.0.0.1:\(try FreePort.next())"],
                in: scratch
            )
            #expect(try await process.end() == .exited(69), "\(process.standardError)")
            // It was a minute while the client tried again.
            #expect(ContinuousClock.now - began < .seconds(15))
        }

        @Test("A file of tunnels is named with its flag or without, once")
        func namedFile() async throws {
            let scratch = try ScratchFolder()
            let file = scratch.file("tunnels.yaml")
            try Data("tunnels:\n  - name: my-app\n    target: 3000\n".utf8).write(to: file)
            for words in [[file.path], ["--config", file.path]] {
                let process = try RunningProcess(Programs.product("culvert"), ["config", "check"] + words, in: scratch)
                #expect(try await process.end() == .exited(0), "\(process.standardError)")
                #expect(process.standardOutput == "my-app -> http://localhost:3000\n")
            }
            let twice = try RunningProcess(
                Programs.product("culvert"),
                ["start", file.path, "--config", file.path],
                in: scratch
            )
            #expect(try await twice.end() == .exited(64), "\(twice.standardError)")
        }

        @Test("A tunnel without a name has its URL again, is forgotten in between, and tells if it let in fewer before")
        func passing() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            var urls: [String] = []
            for (options, isOpened) in [(["--ip-allow", "192.0.2.0/24"], false), ([], true), ([], false)] {
                let connector = try RunningProcess(
                    Programs.product("culvert"),
                    ["http", "3000"] + options,
                    environment: [
                        "CULVERT_API_KEY": edge.apiKey, "CULVERT_EDGE": edge.url,
                        "XDG_STATE_HOME": scratch.file("state").path,
                    ],
                    in: scratch
                )
                urls.append(try await connector.line(startingWith: "http"))
                connector.send(signal: SIGTERM)
                #expect(try await connector.end() == .exited(0), "\(connector.standardError)")
                let list = try await self.culvert(["tunnels", "list"], of: edge, in: scratch)
                #expect(list.output == "No tunnels.\n", "\(list.error)")
                let warns = connector.standardError.contains("let in some addresses alone until now")
                #expect(warns == isOpened, "\(connector.standardError)")
            }
            #expect(Set(urls).count == 1, "\(urls)")
        }

        @Test("A name that is served from another place is refused, and shared on purpose")
        func pool() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            func connector(_ arguments: [String]) throws -> RunningProcess {
                try RunningProcess(
                    Programs.product("culvert"),
                    ["http"] + arguments + ["--log-format", "json"],
                    environment: ["CULVERT_API_KEY": edge.apiKey, "CULVERT_EDGE": edge.url],
                    in: scratch
                )
            }
            let first = try connector(["3000", "--name", "flask"])
            _ = try await first.line(startingWith: "http")
            try await first.hasSaid(#""event":"online""#)
            let second = try connector(["3001", "--name", "flask"])
            #expect(try await second.end() == .exited(73))
            #expect(second.standardError.contains("127.0.0.1") && second.standardError.contains("--pool"))
            // The same command again is no other place, and a pool is what its user wants.
            for arguments in [["3000", "--name", "flask"], ["3001", "--name", "flask", "--pool"]] {
                let other = try connector(arguments)
                try await other.hasSaid(#""event":"online""#)
                try await other.hasSaid(#""event":"also_served""#)
                try await first.hasSaid(#""event":"also_served""#)
                other.send(signal: SIGTERM)
                #expect(try await other.end() == .exited(0))
            }
            // Nobody is left elsewhere.
            first.send(signal: SIGTERM)
            #expect(try await first.end() == .exited(0))
            let next = try connector(["3001", "--name", "flask"])
            try await next.hasSaid(#""event":"online""#)
        }

        @Test("A tunnel is made from the command line, and a connector serves it with what was printed")
        func create() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            let made = try await self.culvert(["tunnels", "create", "--url", "made-here"], of: edge, in: scratch)
            #expect(made.end == .exited(0), "\(made.error)")
            let nginx = try await NginxOrigin(in: scratch)
            let connector = try RunningProcess(
                Programs.product("culvert"),
                ["connect", "--to", "\(nginx.port)"],
                environment: ["CULVERT_TOKEN": made.output.trimmingCharacters(in: .whitespacesAndNewlines)],
                in: scratch
            )
            #expect(try await connector.line(startingWith: "http").contains("made-here"))
        }

        @Test("What does not exist and what can't be made have exit codes of their own")
        func codes() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            for command in ["status", "delete"] {
                let result = try await self.culvert(["tunnels", command, "not-there"], of: edge, in: scratch)
                #expect(result.end == .exited(66), "\(result.error)")
            }
            let reserved = try await self.culvert(["tunnels", "create", "--name", "api"], of: edge, in: scratch)
            #expect(reserved.end == .exited(73), "\(reserved.error)")
        }

        @Test("A folder whose name looks like no target is told how it is shared")
        func bareFolder() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            try FileManager.default.createDirectory(at: scratch.file("pictures"), withIntermediateDirectories: true)
            for typed in ["pictures", "pictures/", "nowhere"] {
                let process = try RunningProcess(
                    "sh",
                    ["-c", #"cd "$0" && exec "$1" http "$2""#, scratch.url.path, Programs.product("culvert"), typed],
                    environment: ["CULVERT_API_KEY": edge.apiKey, "CULVERT_EDGE": edge.url],
                    in: scratch
                )
                #expect(try await process.end() == .exited(64))
                let isTold = process.standardError.contains("culvert http ./\(typed)")
                #expect(isTold == typed.hasPrefix("pictures"), "\(process.standardError)")
            }
        }

        @Test("A usage error is JSON where log lines are")
        func usage() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            let result = try await self.culvert(
                ["http", "3000", "--authtoken", "x", "--log-format", "json"],
                of: edge,
                in: scratch
            )
            #expect(result.end == .exited(64))
            let line = try #require(result.error.split(separator: "\n").last)
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            #expect(object?["event"] as? String == "stopped")
            #expect(object?["exit_code"] as? Int == 64)
            #expect((object?["message"] as? String)?.contains("culvert login") == true)
        }
    }
}
