// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Testing

@testable import EdgeProxy
@testable import EdgeTunnels

@Suite("Routes")
struct PublicRouterTests {
    private func id(_ text: String) throws -> TunnelID { try #require(TunnelID(text)) }

    private func route(_ target: String, host: String = "edge", method: String = "GET") -> Route {
        PublicRouter(wildcardDomain: "Tunnels.example").route(method: method, target: target, host: host)
    }

    @Test("The first segment of the raw path names the tunnel")
    func tunnels() throws {
        for target in ["/my-app/", "/my-app//x", "/my-app/../x", "/my-app/%2e%2e/api", "/my-app/?a", "/my-app/#f"] {
            #expect(try self.route(target) == .tunnel(self.id("my-app"), prefixLength: 7), "\(target)")
        }
    }

    @Test("A tunnel's name without a slash behind it is sent on", arguments: ["/my-app", "/my-app?a=/b"])
    func missingSlash(_ target: String) throws {
        #expect(try self.route(target) == .missingSlash(self.id("my-app")))
    }

    @Test(
        "What is no tunnel id reaches no tunnel",
        arguments: [
            "/", "//my-app/", "//", "/./my-app/", "/../my-app/", "/%6dy-app/", "/My-App/", "/my_app/", "/my-app;x/",
            "/my-app%2F/", "/ab/", "/\\my-app/", "/?my-app/", "/%00/", "/my-app\u{E9}/", "/%61pi/tunnels/list",
            "/" + String(repeating: "a", count: 64) + "/",
        ]
    )
    func noTunnel(_ target: String) {
        #expect(self.route(target) == .none)
    }

    @Test("The control API has its own paths; what else is below /api/ may be an app's")
    func controlPlane() {
        let own = [
            "/api", "/api/", "/api?x", "/api/tunnels", "/api/tunnels/list?x", "/api/openapi.json", "/api/dashboard/x",
        ]
        for target in own { #expect(self.route(target) == .controlPlane, "\(target)") }
        for target in ["/api/../my-app/", "/api/contents", "/api/tunnels.json", "/api/openapi.json/x", "/api//tunnels"]
        {
            #expect(self.route(target) == .foreignCall, "\(target)")
        }
        #expect(self.route("/api/tunnel/connect/my-app?x=y") == .connect(tunnelID: "my-app"))
        #expect(self.route("/api/tunnel/access/my-app?x=y") == .access(tunnelID: "my-app"))
        #expect(self.route("/API/tunnels/list") == .none)
    }

    @Test("A host below the wildcard domain names the tunnel, whatever the path")
    func hosts() throws {
        for host in ["my-app.tunnels.example", "MY-APP.Tunnels.Example:8443", "my-app.tunnels.example.:80"] {
            for target in ["/", "/other-app/x", "/api/tunnels/list", "//x"] {
                #expect(try self.route(target, host: host) == .tunnel(self.id("my-app"), prefixLength: 0))
            }
        }
        // Below a tunnel's host nothing is served by path either.
        #expect(self.route("/other-app/", host: "a.b.tunnels.example") == .none)
        for host in ["tunnels.example", "a.b.tunnels.example", "my-apptunnels.example", "my-app.tunnels.example.evil"] {
            #expect(self.route("/", host: host) == .none, "\(host)")
        }
    }

    @Test("A host of the control API's own has it alone, and nothing but it")
    func apiHost() throws {
        let router = PublicRouter(wildcardDomain: "tunnels.example", apiHost: "API.tunnels.example")
        func route(_ target: String, _ host: String) -> Route {
            router.route(method: "GET", target: target, host: host)
        }
        for target in ["/api/tunnels/list", "/api/contents", "/my-app/", "/"] {
            #expect(route(target, "api.Tunnels.example:8443") == .controlPlane, "\(target)")
            #expect(try route(target, "my-app.tunnels.example") == .tunnel(self.id("my-app"), prefixLength: 0))
        }
        #expect(route("/api/tunnel/connect/my-app", "api.tunnels.example") == .connect(tunnelID: "my-app"))
        for target in ["/api/tunnels/list", "/api/tunnel/connect/my-app", "/api/x"] {
            #expect(route(target, "edge") == .none, "\(target)")
        }
        #expect(try route("/my-app/", "edge") == .tunnel(self.id("my-app"), prefixLength: 7))
    }

    @Test("The edge's own public host may lie below the domain of tunnels' hosts")
    func publicHost() throws {
        for host in ["me.tunnels.example", "edge.tunnels.example"] {
            let router = PublicRouter(wildcardDomain: "tunnels.example", publicHost: host)
            let route = router.route(method: "GET", target: "/my-app/", host: host + ":8443")
            #expect(try route == .tunnel(self.id("my-app"), prefixLength: 7), "\(host)")
            #expect(router.route(method: "GET", target: "/api/tunnels", host: host) == .controlPlane)
        }
    }

    @Test("Where tunnels have hosts alone, no path names one")
    func withoutPathMode() throws {
        let router = PublicRouter(wildcardDomain: "tunnels.example", hasPathMode: false)
        #expect(router.route(method: "GET", target: "/my-app/", host: "edge") == .none)
        #expect(router.route(method: "GET", target: "/my-app", host: "edge") == .none)
        #expect(router.route(method: "GET", target: "/api/tunnels", host: "edge") == .controlPlane)
        let own = router.route(method: "GET", target: "/my-app/", host: "my-app.tunnels.example")
        #expect(try own == .tunnel(self.id("my-app"), prefixLength: 0))
    }

    @Test("A path that is rather an app's than a mistyped tunnel's is explained")
    func lostPaths() throws {
        let router = PublicRouter(wildcardDomain: "tunnels.example")
        for target in ["/assets/app.js", "/favicon.ico", "/static/a/b?c"] {
            let hint = try #require(router.lostPathHint(target))
            #expect(hint.contains("absolute paths") && hint.contains("<id>.tunnels.example"))
        }
        for target in ["/", "/my-app", "/my-app/", "/my-app?x=/y"] {
            #expect(router.lostPathHint(target) == nil, "\(target)")
        }
    }

    @Test("The asterisk form of OPTIONS reaches a tunnel that has a host of its own, and no other")
    func asterisk() throws {
        let own = self.route("*", host: "my-app.tunnels.example", method: "OPTIONS")
        #expect(try own == .tunnel(self.id("my-app"), prefixLength: 0))
        guard case .refused = self.route("*", method: "OPTIONS") else {
            Issue.record("it was not refused")
            return
        }
    }

    @Test("Targets that are no path are refused, with a host of a tunnel's too")
    func forms() {
        for target in ["http://edge/my-app/", "*", "edge:443", "my-app/", "?x", "HTTP://my-app.tunnels.example/"] {
            for host in ["edge", "my-app.tunnels.example"] {
                guard case .refused = self.route(target, host: host) else {
                    Issue.record("\(target) was not refused")
                    continue
                }
            }
        }
        #expect(self.route("/my-app/", method: "CONNECT") == .refused("CONNECT is for proxies, which this is not."))
    }
}
