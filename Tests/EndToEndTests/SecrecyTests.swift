// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Secrecy", .serialized)
    struct Secrecy {
        @Test("No secret that a full run used is in any line, listing, figure or argument of either program")
        func fullRun() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let log = scratch.file("edge.log")
            let edge = try await KeyedEdge(
                in: scratch,
                arguments: ["--log-level", "trace", "--log-file", log.path, "--limits-api-calls-per-second", "1000"]
            )
            let alice = try await edge.makeKey("alice", otp: true)
            let seed = try #require(alice.secret)
            try await edge.reload()
            var secrets = ["API key": alice.key, "the environment's API key": edge.process.apiKey, "OTP secret": seed]
            for key in try edge.signingKeys() { secrets["signing key"] = key["secret"] }

            // A tunnel that asks visitors for a password.
            let code = try await self.code(of: seed, in: scratch)
            let (password, wrong) = ("correct-horse-battery", "wrong-donkey-staple")
            secrets.merge(["password": password, "wrong password": wrong]) { $1 }
            for (name, text) in [("credentials", "visitor:\(password)"), ("wrong credentials", "visitor:\(wrong)")] {
                secrets[name] = Data(text.utf8).base64EncodedString()
            }
            let tunnel = try await edge.process.createTunnel(
                #"{"name":"my-app","policy":{"basic_auth":[{"username":"visitor","password":"\#(password)"}]}}"#,
                key: alice.key,
                options: ["--header", "Culvert-OTP: \(code)"],
                in: scratch
            )
            secrets["tunnel token"] = tunnel.token
            secrets["its signature"] = tunnel.token.split(separator: ".").last.map(String.init)

            // Both ways to run a connector, each as talkative as it can be.
            let connector = try RunningProcess(
                Programs.product("culvert"),
                ["connect", "--to", "\(origin.port)", "--log-level", "debug"],
                environment: ["CULVERT_TOKEN": tunnel.token],
                in: scratch
            )
            let other = try RunningProcess(
                Programs.product("culvert"),
                ["http", "\(origin.port)", "--edge", edge.process.url, "--log-level", "debug", "--log-format", "json"],
                environment: ["CULVERT_API_KEY": edge.process.apiKey],
                in: scratch
            )
            _ = try await other.line(startingWith: "http")

            // Visitors, with what visitors have.
            let own = [
                "cookie": "cookie-0f1e2d3c4b5a6978", "query": "query-8a7b6c5d4e3f2a1b",
                "bearer": "bearer-77665544332211",
                "header": "header-1029384756",
            ]
            secrets.merge(own) { $1 }
            let url = "\(edge.process.url)/my-app/saw/?access_token=\(own["query"] ?? "")"
            let fields = [
                "--header", "Cookie: session=\(own["cookie"] ?? "")", "--header", "X-Api-Key: \(own["header"] ?? "")",
            ]
            try await eventually("an answer for the right password") {
                let answer = try await Curl.get(url, fields + ["--user", "visitor:\(password)"], in: scratch)
                return answer.status == 200 ? () : nil
            }
            #expect(try await Curl.get(url, fields + ["--user", "visitor:\(wrong)"], in: scratch).status == 401)
            let bearer = ["--header", "Authorization: Bearer \(own["bearer"] ?? "")"]
            #expect(try await Curl.get(url, fields + bearer, in: scratch).status == 401)
            let free = try await other.line(startingWith: "http") + "saw/?token=\(own["query"] ?? "")"
            #expect(try await Curl.get(free, fields + bearer, in: scratch).status == 200)

            // Calls that go wrong.
            secrets["wrong key"] = "cvk_wrongwrongwrongwrong"
            _ = try await edge.process.call("GET", "list", key: secrets["wrong key"], in: scratch)
            let replay = ["--header", "Culvert-OTP: \(code)"]
            let refused = try await edge.process.call(
                "POST",
                "my-app/token",
                key: alice.key,
                options: replay,
                in: scratch
            )
            #expect(refused.status == 401)
            let broken = tunnel.token.dropLast(6) + "AAAAAA"
            let stranger = try RunningProcess(
                Programs.product("culvert"),
                ["connect", "--to", "\(origin.port)", "--log-level", "debug"],
                environment: ["CULVERT_TOKEN": String(broken)],
                in: scratch
            )
            #expect(try await stranger.end() == .exited(77))
            secrets["broken token"] = String(broken)

            // Everything that anybody can look at.
            var texts: [String: String] = [:]
            let key = ["--header", "Authorization: Bearer \(edge.process.apiKey)"]
            for path in ["api/tunnels/list", "api/tunnels/my-app/status", "api/openapi.json"] {
                texts[path] = try await Curl.get("\(edge.process.url)/\(path)", key, in: scratch).body
            }
            texts["metrics"] = try await Curl.get("http://127.0.0.1:\(edge.process.adminPort)/metrics", in: scratch)
                .body
            let check = try RunningProcess(
                Programs.product("culvert-edge"),
                ["config", "check", "--auth-signing-keys-file", edge.signingKeysFile.path],
                environment: ["CULVERT_AUTH_API_KEY": edge.process.apiKey],
                in: scratch
            )
            texts["config check"] = try await check.successfulOutput(within: .seconds(20))
            for process in [edge.process.process, connector, other] {
                let file = URL(fileURLWithPath: "/proc/\(process.identifier)/cmdline")
                texts["arguments of \(process.name)"] = String(decoding: try Data(contentsOf: file), as: UTF8.self)
                process.send(signal: SIGTERM)
                #expect(try await process.end() == .exited(0))
            }
            for process in [edge.process.process, connector, other, stranger, check] {
                texts["output of \(process.name)"] = process.standardOutput + process.standardError
            }
            texts["log file"] = try String(contentsOf: log, encoding: .utf8)

            // The lines that could give something away are there.
            let lines = try #require(texts["log file"])
            for line in ["audit", "access", "connector refused", "connector connected", "reloaded", "otp_invalid"] {
                #expect(lines.contains(line), "\(line)")
            }
            #expect(connector.standardError.contains("debug"))
            for (place, text) in texts {
                #expect(!text.isEmpty, "\(place)")
                for (name, secret) in secrets { #expect(!text.contains(secret), "\(name) is in the \(place)") }
                // Six digits may be part of any number: only where they stand alone are they the code.
                let digits = text.split { !$0.isLetter && !$0.isNumber }
                #expect(!digits.contains { $0 == code }, "the one-time code is in the \(place)")
            }
            print(
                "secrecy: \(secrets.count + 1) secrets, \(texts.count) places, \(texts.values.map(\.count).reduce(0, +)) bytes"
            )
        }

        /// The one-time code of a secret at this moment, computed by a program that nobody here wrote.
        private func code(of seed: String, in scratch: ScratchFolder) async throws -> String {
            let program = """
                import base64, hmac, os, struct, time
                key = base64.b32decode(os.environ["SEED"])
                mac = hmac.new(key, struct.pack(">Q", int(time.time()) // 30), "sha1").digest()
                part = struct.unpack(">I", mac[mac[-1] & 15:][:4])[0] & 0x7FFFFFFF
                print(f"{part % 1000000:06}", end="")
                """
            let python = try RunningProcess(Programs.python, ["-c", program], environment: ["SEED": seed], in: scratch)
            return try await python.successfulOutput(within: .seconds(20))
        }
    }
}
