// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("What a newcomer takes for something else", .serialized)
    struct FrontDoor {
        @Test("The address of a tunnel that is offline is not taken for that of an edge")
        func tunnelAddress() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            let key = ["CULVERT_API_KEY": edge.apiKey]
            let made = try await RunningProcess.culvert(
                ["tunnels", "create", "--name", "my-app", "--edge", edge.url],
                key,
                in: scratch
            )
            #expect(made.end == .exited(0), "\(made.error)")
            for (address, advice) in [
                ("\(edge.url)/my-app", "use \(edge.url)."),
                ("http://my-app.localhost:\(edge.port)", "give the one that the edge itself has."),
            ] {
                let said = "\(address) is the address of a tunnel, and not that of its edge: \(advice)"
                for words in [["http", "3000"], ["tunnels", "list"]] {
                    let end = try await RunningProcess.culvert(words + ["--edge", address], key, in: scratch)
                    #expect(end.end == .exited(69) && end.error.contains(said), "\(words): \(end.error)")
                }
                let diagnosis = try await RunningProcess.culvert(["diagnose", "--edge", address], key, in: scratch)
                #expect(diagnosis.end == .exited(69))
                let line = diagnosis.output.split(separator: "\n").first { $0.contains("control API") }
                #expect(line?.hasPrefix("FAIL") == true && line?.contains(said) == true, "\(diagnosis.output)")
            }
        }

        @Test("A login says which variable it read, also where a key comes by standard input")
        func login() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            let home = ["XDG_CONFIG_HOME": scratch.file("config").path]
            for key in [edge.apiKey, "cvk_wrong"] {
                let end = try await RunningProcess.culvert(
                    ["login", "--edge", edge.url],
                    home.merging(["CULVERT_API_KEY": key]) { $1 },
                    in: scratch
                )
                #expect(end.end == .exited(key == edge.apiKey ? 0 : 77))
                #expect(end.error.contains("The API key is that of CULVERT_API_KEY"), "\(end.error)")
                #expect(!end.error.contains(key))
            }
        }

        @Test("A file of tunnels shares a folder")
        func folder() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            let site = try scratch.folder("site")
            try Data("hello".utf8).write(to: site.appending(path: "a.txt"))
            let file = scratch.file("tunnels.yaml")
            try Data("tunnels: [{name: my-site, target: ./site}, {name: its-twin, target: ./site}]".utf8).write(
                to: file
            )
            let process = try RunningProcess(
                Programs.product("culvert"),
                ["start", file.path, "--edge", edge.url],
                environment: ["CULVERT_API_KEY": edge.apiKey],
                in: scratch
            )
            for name in ["my-site", "its-twin"] {
                try await eventually("the folder as \(name)") {
                    try await Curl.get("\(edge.url)/\(name)/a.txt", in: scratch).body == "hello" ? () : nil
                }
            }
            process.send(signal: SIGHUP)
            try await process.hasSaid("kept=2")
            #expect(try await Curl.get("\(edge.url)/my-site/a.txt", in: scratch).body == "hello")
            process.send(signal: SIGTERM)
            #expect(try await process.end() == .exited(0))
        }

        @Test("What visitors read of a local server with a bad name, and of one that speaks no HTTP, is on its side")
        func visitors() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            let greeter = try await GreetingServer(in: scratch)
            for (target, code, words) in [
                ("no-such-host.invalid:3000", "origin_unresolved", "Correct the name"),
                ("127.0.0.1:\(greeter.port)", "origin_invalid_response", "use culvert tcp"),
                ("https://127.0.0.1:\(greeter.port)", "origin_tls_failed", "does not speak TLS"),
            ] {
                let connector = try RunningProcess(
                    Programs.product("culvert"),
                    ["http", target, "--edge", edge.url],
                    environment: ["CULVERT_API_KEY": edge.apiKey],
                    in: scratch
                )
                let url = try await connector.line(startingWith: "http")
                let answer = try await Curl.get(url, in: scratch)
                #expect(answer.status == 502 && answer["Culvert-Error"] == code, "\(target): \(answer.body)")
                #expect(answer.body.contains(words) && answer.body.contains(#""side":"origin""#), "\(answer.body)")
            }
        }

        @Test("Diagnoses in quick succession wait for the edge's limit of calls, and leave no tunnel behind")
        func quickDiagnoses() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch, arguments: ["--dev", "--limits-api-calls-per-second", "1"])
            let key = ["CULVERT_API_KEY": edge.apiKey, "CULVERT_EDGE": edge.url]
            let diagnoses = try (0..<3).map { _ in
                try RunningProcess(Programs.product("culvert"), ["diagnose"], environment: key, in: scratch)
            }
            for diagnosis in diagnoses {
                #expect(try await diagnosis.end(within: .seconds(60)) == .exited(0), "\(diagnosis.transcript)")
                #expect(!diagnosis.standardOutput.contains("could not be deleted"), "\(diagnosis.transcript)")
            }
            let list = try await RunningProcess.culvert(["tunnels", "list"], key, in: scratch)
            #expect(list.output == "No tunnels.\n", "\(list.output)")
        }
    }
}
