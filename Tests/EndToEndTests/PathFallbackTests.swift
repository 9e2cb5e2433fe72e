// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    /// Requests whose path lacks the tunnel's id, as curl makes them up.
    @Suite("Requests without the prefix", .serialized)
    struct PathFallback {
        /// An edge, the sample origin behind `app` and `other`, and what a browser would have of them.
        private final class Fixture {
            let scratch: ScratchFolder
            let edge: EdgeProcess
            private let sample: SampleOrigin
            private let connector: RunningProcess

            init(policy: String = "", edgeArguments: [String] = []) async throws {
                self.scratch = try ScratchFolder()
                self.sample = try await SampleOrigin(in: self.scratch)
                self.edge = try await EdgeProcess(in: self.scratch, arguments: ["--dev"] + edgeArguments)
                let file = self.scratch.file("tunnels.yaml")
                let port = self.sample.port
                let policy = policy.isEmpty ? "" : ", policy: {\(policy)}"
                let text = """
                    edge: \(self.edge.url)
                    connections: 1
                    tunnels:
                      - {name: app, target: \(port)\(policy)}
                      - {name: other, target: \(port)}

                    """
                try Data(text.utf8).write(to: file)
                self.connector = try RunningProcess(
                    Programs.product("culvert"),
                    ["start", "--config", file.path],
                    environment: ["CULVERT_API_KEY": self.edge.apiKey],
                    in: self.scratch
                )
                let edge = self.edge
                let scratch = self.scratch
                for id in ["app", "other"] {
                    try await eventually("the tunnel \(id)") {
                        let answer = try await edge.call("GET", "\(id)/status", in: scratch)
                        return answer.body.contains(#""state":"online""#) ? () : nil
                    }
                }
            }

            var port: Int { self.edge.port }
            var origin: String { "http://127.0.0.1:\(self.edge.port)" }

            /// A request for a path at the edge; fields are given as curl takes them.
            func get(_ path: String, _ fields: [String], _ options: [String] = []) async throws -> Curl.Answer {
                let arguments = fields.flatMap { ["--header", $0] } + options
                return try await Curl.get(self.origin + path, arguments, in: self.scratch)
            }

            /// The cookie that the edge gives a browser which opens a tunnel's page.
            func cookie(of id: String, having others: String? = nil, options: [String] = []) async throws -> String {
                let fields = ["Sec-Fetch-Dest: document", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: none"]
                let kept = others.map { ["Cookie: \($0)"] } ?? []
                let answer = try await self.get("/\(id)/headers", fields + kept, options)
                let cookies = answer.fields.filter { $0.name.lowercased() == "set-cookie" }.map(\.value)
                let ours = try #require(cookies.first { $0.hasPrefix("culvert-tunnel=") }, "\(answer)")
                return String(ours.prefix { $0 != ";" })
            }
        }

        /// What the sample origin says of a request.
        private struct Seen: Decodable {
            var fields: [[String]]
        }

        @Test("A GET is led to the tunnel that its page or the cookie names, and no cache keeps that")
        func led() async throws {
            let fixture = try await Fixture()
            let cookie = try await fixture.cookie(of: "app")
            let same = "Sec-Fetch-Site: same-origin"
            let ways: [[String]] = [
                ["Referer: \(fixture.origin)/app/page", same],
                ["Referer: \(fixture.origin)/app/"],
                ["Referer: \(fixture.origin)/app/", "Cookie: \(try await fixture.cookie(of: "other"))", same],
                ["Cookie: \(cookie)", same],
                ["Cookie: \(cookie)", "Referer: \(fixture.origin)/items/3", same],
                ["Cookie: a=b; \(cookie); c=d"],
                ["Cookie: \(cookie)", "Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate"],
            ]
            for way in ways {
                // What a person types is no HEAD.
                for method in way.contains("Sec-Fetch-Site: none") ? [["--get"]] : [["--get"], ["--head"]] {
                    let answer = try await fixture.get("/api/items?a=%2F&b", way, method)
                    #expect(answer.status == 307, "\(way)")
                    #expect(answer["Location"] == "/app/api/items?a=%2F&b")
                    #expect(answer["Cache-Control"]?.contains("no-store") == true)
                    let vary = (answer["Vary"] ?? "").lowercased()
                    #expect(vary.contains("cookie") && vary.contains("referer"))
                }
            }
            // What a Referer or nothing decides differs from one visitor to the next: so does what can't be decided.
            let lost = try await fixture.get("/assets/app.js", [])
            #expect(lost.status == 404)
            #expect(lost["Culvert-Error"] == "tunnel_not_found")
            #expect(lost["Cache-Control"]?.contains("no-store") == true)
        }

        @Test("Another method goes to the tunnel at once, as if its path had the prefix, and the app sees no trace")
        func routed() async throws {
            let fixture = try await Fixture()
            let cookie = try await fixture.cookie(of: "app")
            let answer = try await fixture.get(
                "/headers",
                ["Referer: \(fixture.origin)/app/page", "Origin: \(fixture.origin)", "Cookie: \(cookie); own=1"],
                ["--data", "x"]
            )
            #expect(answer.status == 200)
            #expect(!answer.body.contains("culvert-tunnel"))
            let seen = try JSONDecoder().decode(Seen.self, from: Data(answer.body.utf8))
            let fields = Dictionary(seen.fields.map { ($0[0].lowercased(), $0[1]) }) { "\($0), \($1)" }
            #expect(fields["cookie"] == "own=1")
            let host = try #require(fields["host"])
            #expect(fields["origin"] == "http://\(host)")
            #expect(fields["referer"] == "http://\(host)/page")

            // With nothing but the edge's cookie there is none.
            let alone = try await fixture.get("/app/headers", ["Cookie: \(cookie)"])
            let fieldsAlone = try JSONDecoder().decode(Seen.self, from: Data(alone.body.utf8)).fields
            #expect(!fieldsAlone.contains { $0[0].lowercased() == "cookie" })
        }

        @Test("Nothing that no page of the edge's own asks for finds a tunnel")
        func refused() async throws {
            let fixture = try await Fixture()
            let cookie = "Cookie: \(try await fixture.cookie(of: "app"))"
            let own = "Referer: \(fixture.origin)/app/"
            let socket = [
                "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ]
            let requests: [[String]] = [
                [cookie, "Sec-Fetch-Site: cross-site"],
                [cookie, "Sec-Fetch-Site: same-site"],
                [cookie, own, "Sec-Fetch-Site: cross-site"],
                [cookie, "Sec-Fetch-Site: none", "Sec-Fetch-Mode: cors"],
                [cookie, "Sec-Fetch-Site: of-another-century"],
                [cookie, "Referer: https://stranger.example/app/"],
                [cookie, "Referer: http://127.0.0.1:\(fixture.port + 1)/app/"],
                [cookie, own, "Service-Worker: script", "Sec-Fetch-Site: same-origin"],
                ["Referer: \(fixture.origin)/nobody/"],
                ["Referer: \(fixture.origin)/api/tunnels/list"],
                ["Cookie: culvert-tunnel=app"],
                ["Cookie: culvert-tunnel="],
                socket + [cookie],
                socket + [cookie, "Origin: null"],
                socket + [cookie, "Origin: https://stranger.example"],
                socket + [own, "Origin: http://127.0.0.1:\(fixture.port + 1)"],
                [own, "Authorization: Bearer cvk_\(String(repeating: "0", count: 43))"],
            ]
            for request in requests {
                let answer = try await fixture.get("/assets/app.js", request)
                #expect([401, 404].contains(answer.status), "\(request)")
            }
            for origin in ["https://stranger.example", "null"] {
                let post = try await fixture.get("/upload/x", [cookie, "Origin: \(origin)"], ["--data", "x"])
                #expect(post.status == 404, "a POST from \(origin)")
            }
        }

        @Test("The control API's own routes stay its own, and other paths below /api/ are the app's")
        func controlAPI() async throws {
            let fixture = try await Fixture()
            let fields = ["Referer: \(fixture.origin)/app/", "Cookie: \(try await fixture.cookie(of: "app"))"]
            for path in ["/api/tunnels/list", "/api/tunnels/app/status", "/api/tunnels/create", "/api/tunnels/nothing"]
            {
                let answer = try await fixture.get(path, fields)
                #expect(answer.status != 307, "\(path)")
                #expect(answer["Culvert-Error"] != nil, "\(path)")
            }
            #expect(try await fixture.get("/api/openapi.json", fields).status == 200)
            #expect(try await fixture.get("/api/tunnel/connect/app", fields).status != 307)
            for path in ["/api/contents", "/api/items", "/api/tunnelsx"] {
                let answer = try await fixture.get(path, fields)
                #expect(answer.status == 307, "\(path)")
                #expect(answer["Location"] == "/app\(path)")
            }
        }

        @Test("The cookie is worth nothing changed, at another edge, or after its tunnel")
        func cookie() async throws {
            let fixture = try await Fixture()
            let other = try await Fixture()
            let cookie = try await fixture.cookie(of: "app")
            #expect(try await fixture.get("/assets/app.js", ["Cookie: \(cookie)"]).status == 307)
            let value = cookie.dropFirst("culvert-tunnel=".count)
            var changed = [
                cookie + "0", String(cookie.dropLast()), "culvert-tunnel=other" + value.dropFirst("app".count),
            ]
            for index in value.indices {
                var copy = Substring(value)
                copy.replaceSubrange(index...index, with: value[index] == "0" ? "1" : "0")
                changed.append("culvert-tunnel=\(copy)")
            }
            for changed in changed {
                #expect(try await fixture.get("/assets/app.js", ["Cookie: \(changed)"]).status == 404, "\(changed)")
            }
            #expect(try await other.get("/assets/app.js", ["Cookie: \(cookie)"]).status == 404)
            // Nor is it a key of the control API.
            #expect(try await fixture.get("/api/tunnels/list", ["Cookie: \(cookie)"]).status == 401)
            _ = try await fixture.edge.call("DELETE", "app", in: fixture.scratch)
            #expect(try await fixture.get("/assets/app.js", ["Cookie: \(cookie)"]).status == 404)
        }

        @Test("The tunnel's password and its list of addresses hold without the prefix as with it")
        func access() async throws {
            let guarded = try await Fixture(policy: "basic-auth: [{username: ann, password: correct}]")
            let own = ["Referer: \(guarded.origin)/app/"]
            let password = ["--user", "ann:correct"]
            #expect(try await guarded.get("/upload", own, ["--data", "x"]).status == 401)
            #expect(try await guarded.get("/upload", own, ["--data", "x", "--user", "ann:wrong"]).status == 401)
            #expect(try await guarded.get("/upload", own, ["--data", "x"] + password).status == 200)
            #expect(try await guarded.get("/headers", own, ["--location"]).status == 401)
            #expect(try await guarded.get("/headers", own, ["--location"] + password).status == 200)
            let socket = [
                "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Origin: \(guarded.origin)",
            ]
            let cookie = try await guarded.cookie(of: "app", options: password)
            #expect(try await guarded.get("/echo", socket + ["Cookie: \(cookie)"]).status == 401)

            let denied = try await Fixture(policy: "ip-deny: [127.0.0.1]")
            let referer = ["Referer: \(denied.origin)/app/"]
            #expect(try await denied.get("/upload", referer, ["--data", "x"]).status == 403)
            #expect(try await denied.get("/headers", referer, ["--location"]).status == 403)
        }

        @Test("No browser keeps where a path led before a tunnel was opened")
        func forgotten() async throws {
            let fixture = try await Fixture()
            let lost = try await fixture.get("/items?a=%2F", [])
            #expect(lost.status == 307)
            #expect(lost["Location"] == "/items/?a=%2F")
            #expect(lost["Cache-Control"]?.contains("no-store") == true)
            #expect(try await fixture.get("/app?a=%2F", []).status == 308)
        }

        @Test("A tunnel or an edge that wants none of it has none of it")
        func off() async throws {
            let tunnel = try await Fixture(policy: "path-fallback: off")
            #expect(try await tunnel.get("/assets/app.js", ["Referer: \(tunnel.origin)/app/"]).status == 404)
            #expect(try await tunnel.get("/assets/app.js", ["Referer: \(tunnel.origin)/other/"]).status == 307)
            let edge = try await Fixture(edgeArguments: ["--public-path-fallback", "off"])
            #expect(try await edge.get("/assets/app.js", ["Referer: \(edge.origin)/app/"]).status == 404)
            let page = try await edge.get("/app/headers", ["Sec-Fetch-Dest: document", "Sec-Fetch-Mode: navigate"])
            #expect(page["Set-Cookie"] == nil)
        }
    }
}
