// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("First steps that go wrong", .serialized)
    struct FirstSteps {
        @Test("An edge at a name below localhost is found by all that asks it, and so is its tunnel")
        func localhost() async throws {
            let scratch = try ScratchFolder()
            let port = try FreePort.next()
            let name = "http://edge.localhost:\(port)"
            let edge = try await EdgeProcess(
                in: scratch,
                arguments: ["--dev", "--public-url", name, "--public-wildcard-domain", "tunnels.localhost"],
                port: port
            )
            let access = ["CULVERT_API_KEY": edge.apiKey, "CULVERT_EDGE": name]
            let list = try await RunningProcess.culvert(["tunnels", "list"], access, in: scratch)
            #expect(list.end == .exited(0), "\(list.error)")
            let origin = try await NginxOrigin(in: scratch)
            let target = "http://origin.localhost:\(origin.port)"
            let diagnosis = try await RunningProcess.culvert(["diagnose", "--to", target], access, in: scratch)
            #expect(diagnosis.end == .exited(0), "\(diagnosis.output)")
            #expect(diagnosis.output.contains(".tunnels.localhost:"))
            // With --dev alone every name below localhost is a tunnel's.
            let wrong = try await EdgeProcess(in: scratch)
            let lost = try await RunningProcess.culvert(
                ["tunnels", "list", "--edge", "http://edge.localhost:\(wrong.port)"],
                access,
                in: scratch
            )
            #expect(lost.end == .exited(69))
            #expect(lost.error.contains("is the address of a tunnel, and not that of its edge"))
            let served = try RunningProcess(
                Programs.product("culvert"),
                ["http", target],
                environment: access,
                in: scratch
            )
            let id = TunnelFixture.id(inURL: try await served.line(startingWith: "http"))
            #expect(try await Curl.get("\(edge.url)/\(id)/saw/", in: scratch).status == 200)
        }

        @Test("A local server that is away is told at the start, and told when a request finds it")
        func away() async throws {
            let scratch = try ScratchFolder()
            let port = try FreePort.next()
            let tunnel = try await TunnelFixture(originPort: port, in: scratch)
            try await tunnel.connector.hasSaid("nothing listens on localhost:\(port): start the local server")
            let server = try RunningProcess(
                "python3",
                ["-m", "http.server", "--bind", "127.0.0.1", "\(port)"],
                in: scratch
            )
            try await eventually("an answer", within: .seconds(20)) {
                try await Curl.get(tunnel.url, in: scratch).status == 200 ? () : nil
            }
            try await tunnel.connector.hasSaid("the local server answers again")
            _ = server
        }

        @Test("A target that is the edge itself is told")
        func loop() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            let served = try RunningProcess(
                Programs.product("culvert"),
                ["http", "\(edge.port)", "--edge", edge.url],
                environment: ["CULVERT_API_KEY": edge.apiKey],
                in: scratch
            )
            try await served.hasSaid("is the edge itself: requests would go round in a circle")
            let id = TunnelFixture.id(inURL: try await served.line(startingWith: "http"))
            let host = ["--header", "Host: \(id).localhost:\(edge.port)"]
            for (url, options) in [("\(edge.url)/\(id)/about", []), ("\(edge.url)/", host)] {
                let answer = try await Curl.get(url, options, in: scratch)
                // The field of the code is the edge's own on the second round, too, and no origin may set it.
                #expect(answer.status == 508 && answer.body.contains("loop_detected"), "\(url): \(answer.body)")
            }
        }

        @Test("Nothing but that is said of a target that is the edge itself, where it speaks TLS")
        func loopOfTLS() async throws {
            let scratch = try ScratchFolder()
            let certificate = try await SelfSigned(name: "IP:127.0.0.1", in: scratch)
            let edge = try await EdgeProcess.ofTLS(certificate, in: scratch)
            let served = try RunningProcess(
                Programs.product("culvert"),
                ["http", "https://localhost:\(edge.port)", "--edge", edge.url, "--ca-file", certificate.file.path],
                environment: ["CULVERT_API_KEY": edge.apiKey],
                in: scratch
            )
            try await served.hasSaid("is the edge itself: requests would go round in a circle")
            let url = try await served.line(startingWith: "http")
            let id = TunnelFixture.id(inURL: url)
            _ = try await Curl.get("\(edge.url)/\(id)/", ["--insecure"], in: scratch)
            #expect(!served.standardError.contains("--origin"), "\(served.standardError)")
        }

        @Test("An edge that was killed is told to be away by the first attempt to return, and no word of a library")
        func killedEdge() async throws {
            let scratch = try ScratchFolder()
            let certificate = try await SelfSigned(name: "IP:127.0.0.1", in: scratch)
            let edge = try await EdgeProcess.ofTLS(certificate, in: scratch)
            let served = try RunningProcess(
                Programs.product("culvert"),
                ["http", "9", "--edge", edge.url, "--ca-file", certificate.file.path],
                environment: ["CULVERT_API_KEY": edge.apiKey],
                in: scratch
            )
            _ = try await served.line(startingWith: "http")
            try await edge.crash()
            // Closed or reset: the system resets what a killed program had not read yet.
            try await served.hasSaid("reconnecting, 0 streams kept")
            let said = ["the connection was closed", "connection reset by peer"].map { "\($0); reconnecting" }
            #expect(said.contains(where: served.standardError.contains), "\(served.standardError)")
            try await served.hasSaid("No edge answers at \(edge.url): connection refused.")
            #expect(!served.standardError.contains("uncleanShutdown"), "\(served.standardError)")
        }

        @Test("A token that has expired is told to have, whoever shows it")
        func expired() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            let claims = Data(#"{"sub":"my-app","exp":1000000000,"aud":"access"}"#.utf8).base64EncodedString()
            let token = "eyJhbGciOiJIUzI1NiJ9.\(claims.replacing("=", with: "")).c2lnbmF0dXJl"
            let expiry = "of my-app expired at 2001-09-09T01:46:40Z."
            let (place, shown) = (["--edge", edge.url], ["CULVERT_TOKEN": token])
            let served = try await RunningProcess.culvert(["connect", "--to", "1"] + place, shown, in: scratch)
            #expect(served.end == .exited(77))
            #expect(served.error.contains("The tunnel token \(expiry)"))
            #expect(served.error.contains("culvert tunnels token my-app"))
            let diagnosis = try await RunningProcess.culvert(["diagnose"] + place, shown, in: scratch)
            #expect(diagnosis.output.contains("The tunnel token \(expiry)"))
            let visit = try await RunningProcess.culvert(
                ["access", "my-app"] + place,
                ["CULVERT_ACCESS_TOKEN": token],
                in: scratch
            )
            #expect(visit.end == .exited(77))
            #expect(visit.error.contains("The access token \(expiry)"))
        }

        @Test("http:// for an edge with TLS, and https:// for one without, get the URL that is right")
        func schemes() async throws {
            let scratch = try ScratchFolder()
            let certificate = try await SelfSigned(name: "IP:127.0.0.1", in: scratch)
            let secure = try await EdgeProcess(
                in: scratch,
                arguments: ["--dev"] + certificate.edgeArguments,
                scheme: "https"
            )
            let plain = try await EdgeProcess(in: scratch)
            let token = try await plain.createTunnel(in: scratch).token
            for (wrong, right) in [
                ("http://127.0.0.1:\(secure.port)", secure.url), ("https://127.0.0.1:\(plain.port)", plain.url),
            ] {
                for arguments in [["tunnels", "list"], ["http", "1"], ["connect", "--to", "1"], ["diagnose"]] {
                    let result = try await RunningProcess.culvert(
                        arguments + ["--edge", wrong],
                        arguments == ["connect", "--to", "1"]
                            ? ["CULVERT_TOKEN": token] : ["CULVERT_API_KEY": plain.apiKey],
                        in: scratch
                    )
                    #expect(result.end == .exited(69), "\(arguments): \(result.error)")
                    let said = (result.error + result.output).split(whereSeparator: \.isWhitespace).joined(
                        separator: " "
                    )
                    #expect(said.contains(": use \(right)."), "\(arguments): \(said)")
                }
            }
        }

        @Test("A file of two tunnels and a key whose codes are good for one: nothing is started, code or not")
        func codes() async throws {
            let scratch = try ScratchFolder()
            let edge = try await KeyedEdge(in: scratch)
            let key = try await edge.makeKey("coded", otp: true)
            let plain = try await edge.makeKey("plain")
            try await edge.reload()
            let file = scratch.file("two.yaml")
            try Data("tunnels:\n- {name: one, target: 1}\n- {name: two, target: 2}\n".utf8).write(to: file)
            for code in [[], ["--otp", "123456"]] {
                let result = try await RunningProcess.culvert(
                    ["start", file.path, "--edge", edge.process.url] + code,
                    ["CULVERT_API_KEY": key.key],
                    in: scratch
                )
                #expect(result.end == .exited(64), "\(result.error)")
                #expect(result.error.contains("has 2 that need one: nothing was started"))
                #expect(!result.error.contains("add --otp"), "what a code would be good for is one tunnel")
            }
            let made = try await RunningProcess.culvert(
                ["tunnels", "create", "--name", "three", "--edge", edge.process.url],
                ["CULVERT_API_KEY": plain.key],
                in: scratch
            )
            let tokenFile = scratch.file("token.txt")
            try Data(made.output.utf8).write(to: tokenFile)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: tokenFile.path)
            let mixed = scratch.file("mixed.yaml")
            let text =
                "tunnels:\n- {name: one, target: 1}\n- {name: two, target: 2}\n- {token-file: token.txt, target: 3}\n"
            try Data(text.utf8).write(to: mixed)
            let connector = try RunningProcess(
                Programs.product("culvert"),
                ["start", mixed.path, "--edge", edge.process.url],
                environment: ["CULVERT_API_KEY": key.key],
                in: scratch
            )
            try await eventually("the two are told of") {
                connector.standardError.contains("has 2 that need one: these are not served") ? () : nil
            }
            #expect(!connector.standardError.contains("add --otp"))
            #expect(connector.standardError.components(separatedBy: "A one-time code").count == 2, "once for both")
            connector.send(signal: SIGTERM)
            #expect(try await connector.end() == .exited(0))
        }

        @Test("While no edge answers, what looks for the cause is named; a login speaks of flags that it has")
        func advice() async throws {
            let scratch = try ScratchFolder()
            let connector = try RunningProcess(
                Programs.product("culvert"),
                ["http", "1", "--edge", "http://127.0.0.1:\(try FreePort.next())"],
                environment: ["CULVERT_API_KEY": "a-key"],
                in: scratch
            )
            try await connector.hasSaid("culvert diagnose looks for the cause.")
            connector.send(signal: SIGTERM)
            _ = try await connector.end()
            let certificate = try await SelfSigned(name: "DNS:localhost", in: scratch)
            let edge = try await EdgeProcess.ofTLS(certificate, in: scratch)
            let key = scratch.file("key.txt")
            try Data(edge.apiKey.utf8).write(to: key)
            let login = try await RunningProcess.culvert(
                ["login", "--edge", "https://localhost:\(edge.port)", "--api-key-file", key.path],
                [:],
                in: scratch
            )
            #expect(login.error.contains("--ca-file names the edge's authority."), "\(login.error)")
            #expect(!login.error.contains("--origin-ca-file"))
        }

        @Test("An edge tells of a variable that does nothing, and shows no value of it")
        func strayVariable() async throws {
            let scratch = try ScratchFolder()
            let edge = try RunningProcess(
                Programs.product("culvert-edge"),
                ["--dev", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"],
                environment: ["CULVERT_EDGE_LOG_LEVEL": "the-secret", "CULVERT_EDGE_SERVICE_PORT": "80"],
                in: scratch
            )
            try await edge.hasSaid("did you mean CULVERT_LOG_LEVEL?")
            edge.send(signal: SIGTERM)
            _ = try await edge.end()
            #expect(edge.standardError.components(separatedBy: "does nothing").count == 2)
            #expect(!edge.standardError.contains("the-secret") && !edge.standardError.contains("SERVICE_PORT"))
        }

        @Test("The edge answers a wrong flag and a wrong command with what was meant, and exit code 64")
        func edgeFlags() async throws {
            let scratch = try ScratchFolder()
            for (words, meant) in [(["--lisen", "x"], "did you mean --listen?"), (["srve"], "“culvert-edge serve”")] {
                let edge = try RunningProcess(Programs.product("culvert-edge"), words, in: scratch)
                #expect(try await edge.end() == .exited(64))
                #expect(edge.standardError.contains(meant), "\(edge.standardError)")
                #expect(!edge.standardError.contains("auth."))
            }
        }

        @Test("What is deleted or ended is told")
        func told() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            let access = ["CULVERT_API_KEY": edge.apiKey, "CULVERT_EDGE": edge.url]
            let made = try await RunningProcess.culvert(
                ["tunnels", "create", "--name", "my-app"],
                access,
                in: scratch
            )
            #expect(made.end == .exited(0), "\(made.error)")
            let token = try await RunningProcess.culvert(
                ["tunnels", "access", "my-app", "--json"],
                access,
                in: scratch
            )
            #expect(token.output.contains("\"token\""))
            let ended = try await RunningProcess.culvert(
                ["tunnels", "access", "my-app", "--revoke"],
                access,
                in: scratch
            )
            #expect(ended.output == "Every access token of my-app has ended.\n")
            let inbox = try await RunningProcess.culvert(["inbox", "set", "my-app"], access, in: scratch)
            #expect(inbox.end == .exited(0), "\(inbox.error)")
            let emptied = try await RunningProcess.culvert(["inbox", "delete", "my-app", "--all"], access, in: scratch)
            #expect(emptied.output == "Deleted the inbox of my-app, with every message in it.\n")
            let deleted = try await RunningProcess.culvert(["tunnels", "delete", "my-app"], access, in: scratch)
            #expect(deleted.output == "Deleted my-app.\n")
        }
    }
}
