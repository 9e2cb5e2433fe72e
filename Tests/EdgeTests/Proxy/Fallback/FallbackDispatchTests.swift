// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import NIOCore
import Testing

@testable import EdgeProxy
@testable import EdgeTunnels

@Suite("What browsers ask for below no prefix, through the proxy")
struct FallbackDispatchTests {
    private static let page = "http://\(ProxyWorld.host)/\(ProxyWorld.tunnelID)/"
    private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"

    /// What a browser gets, and the head that the origin was sent.
    private struct Answer {
        var head: [String]
        var origin: [String]

        var status: String { self.head.first ?? "" }
        func fields(_ name: String) -> [String] {
            self.head.filter { $0.lowercased().hasPrefix(name.lowercased() + ":") }
                .map { String($0.dropFirst(name.count + 2)) }
        }
    }

    private func ask(
        _ request: String,
        policy: TunnelPolicy = TunnelPolicy { $0.host = .rewrite(ProxyWorld.origin) },
        settings: ProxySettings = ProxySettings(),
        answer: String = Self.ok + "\r\nok"
    ) throws -> Answer {
        let world = try ProxyWorld(policy: policy, settings: settings)
        var asked = ""
        try world.addConnector { stream in AnsweringOrigin.serve(stream, with: answer) { asked = $0 } }
        let visitor = try world.visit()
        visitor.send(Data((request.replacing("\n", with: "\r\n") + "\r\nHost: \(ProxyWorld.host)\r\n\r\n").utf8))
        world.settle()
        func lines(_ text: String) -> [String] {
            (text.components(separatedBy: "\r\n\r\n").first ?? "").components(separatedBy: "\r\n")
        }
        return Answer(head: lines(String(decoding: visitor.received, as: UTF8.self)), origin: lines(asked))
    }

    /// The cookie that a browser has after it opened the tunnel's page.
    private func openedCookie(_ policy: TunnelPolicy = TunnelPolicy()) throws -> String {
        let answer = try self.ask("GET /my-tunnel/ HTTP/1.1\nSec-Fetch-Dest: document", policy: policy)
        let cookie = try #require(answer.fields("Set-Cookie").first { $0.hasPrefix("culvert-tunnel=") })
        return String(cookie.prefix { $0 != ";" })
    }

    @Test("A page of a tunnel notes that it is open; nothing else does")
    func opening() throws {
        _ = try self.openedCookie()
        for head in [
            "GET /my-tunnel/a.js HTTP/1.1\nSec-Fetch-Dest: script", "GET /my-tunnel/ HTTP/1.1",
            "POST /my-tunnel/ HTTP/1.1\nSec-Fetch-Dest: document\nContent-Length: 0",
            "GET /my-tunnel/ HTTP/1.1\nSec-Fetch-Dest: iframe\nAccept: text/html",
        ] {
            #expect(try self.ask(head).fields("Set-Cookie").isEmpty, "\(head)")
        }
        let settings = ProxySettings(hasPathFallback: false)
        let page = "GET /my-tunnel/ HTTP/1.1\nSec-Fetch-Dest: document"
        #expect(try self.ask(page, settings: settings).fields("Set-Cookie").isEmpty)
        #expect(try self.ask(page, policy: TunnelPolicy { $0.pathFallback = false }).fields("Set-Cookie").isEmpty)
    }

    @Test("What a page loads is led to the tunnel, this once and for nobody else")
    func redirect() throws {
        let head = "GET /assets/app.js?v=1 HTTP/1.1\nReferer: \(Self.page)\nSec-Fetch-Site: same-origin"
        let answer = try self.ask(head)
        #expect(answer.status == "HTTP/1.1 307 Temporary Redirect")
        #expect(answer.fields("Location") == ["/my-tunnel/assets/app.js?v=1"])
        #expect(answer.fields("Cache-Control") == ["no-store"])
        #expect(answer.fields("Vary").first?.contains("Referer") == true)
        #expect(answer.origin == [""])
        // A path whose first segment could be a tunnel's, with and without what follows it.
        for path in ["/login", "/api/contents?x=1", "/", "/my-tunnels/x"] {
            let head = "GET \(path) HTTP/1.1\nReferer: \(Self.page)\nSec-Fetch-Site: same-origin"
            #expect(try self.ask(head).fields("Location") == ["/my-tunnel\(path)"], "\(path)")
        }
    }

    @Test("A form and a handshake reach the origin as if they had the prefix, with the app's cookies alone")
    func routed() throws {
        let cookie = try self.openedCookie()
        let handshake = try self.ask(
            "GET /ws HTTP/1.1\nConnection: Upgrade\nUpgrade: websocket\nOrigin: http://\(ProxyWorld.host)\n"
                + "Cookie: a=1; \(cookie); culvert.my-tunnel.sid=2; culvert.other-app.sid=3"
        )
        #expect(handshake.origin.first == "GET /ws HTTP/1.1")
        #expect(handshake.origin.contains("Cookie: a=1; sid=2"))
        #expect(handshake.origin.contains("Origin: http://localhost:3000"))
        #expect(handshake.origin.contains("X-Forwarded-Prefix: /my-tunnel"))
        let form = try self.ask(
            "POST /login HTTP/1.1\nReferer: \(Self.page)\nContent-Length: 0\nSec-Fetch-Site: same-origin",
            answer: Self.ok + "Location: /home\r\nSet-Cookie: sid=1; Path=/; Secure\r\n\r\nok"
        )
        #expect(form.origin.first == "POST /login HTTP/1.1")
        #expect(form.origin.contains("Referer: http://localhost:3000/"))
        #expect(form.fields("Location") == ["/my-tunnel/home"])
        #expect(
            form.fields("Set-Cookie") == [
                "sid=1; Path=/my-tunnel/; Secure", "culvert.my-tunnel.sid=1; Path=/; HttpOnly; Secure",
            ]
        )
        let keep = try self.ask(
            "POST /login HTTP/1.1\nReferer: \(Self.page)\nContent-Length: 0",
            policy: TunnelPolicy { $0.pathMode = .keep }
        )
        #expect(keep.origin.first == "POST /my-tunnel/login HTTP/1.1")
    }

    @Test("A request with the prefix shows the app no cookie of the edge's, and none that is for another path")
    func prefixed() throws {
        let cookie = try self.openedCookie()
        let head = "GET /my-tunnel/x HTTP/1.1\nCookie: \(cookie); culvert.my-tunnel.sid=2"
        #expect(try !self.ask(head).origin.contains { $0.hasPrefix("Cookie") })
        #expect(try self.ask("GET /my-tunnel/x HTTP/1.1\nCookie:  a=1;b").origin.contains("Cookie: a=1;b"))
    }

    @Test("Credentials of the control API are shown to no app")
    func credentials() throws {
        let bearer = "Authorization: bearer  cvk_abc\nReferer: \(Self.page)"
        #expect(try self.ask("GET /x/y HTTP/1.1\n\(bearer)").status.hasPrefix("HTTP/1.1 404"))
        let world = try ProxyWorld()
        let rest = "Host: \(ProxyWorld.host)\r\nReferer: \(Self.page)\r\n\r\n"
        let withKey = try world.responder(to: "GET /api/contents HTTP/1.1\r\nAuthorization: bearer  cvk_abc\r\n\(rest)")
        #expect(withKey is ControlCall)
        #expect(try !(world.responder(to: "GET /api/contents HTTP/1.1\r\n\(rest)") is ControlCall))
        for path in ["/api/tunnels/list", "/api/openapi.json"] {
            #expect(try world.responder(to: "POST \(path) HTTP/1.1\r\n\(rest)") is ControlCall, "\(path)")
        }
    }

    @Test("A cookie in the answer to a request without the prefix stays within the tunnel")
    func cookiePaths() throws {
        let post = "POST /api2/login?x=/y HTTP/1.1\nReferer: \(Self.page)\nContent-Length: 0"
        for (cookie, first) in [
            ("sid=1", "sid=1; Path=/my-tunnel/api2"), ("sid=1; Path=x", "sid=1; Path=x; Path=/my-tunnel/api2"),
            ("sid=1; Path=/", "sid=1; Path=/my-tunnel/"),
        ] {
            let answer = try self.ask(post, answer: Self.ok + "Set-Cookie: \(cookie)\r\n\r\nok")
            #expect(answer.fields("Set-Cookie").first == first)
        }
    }

    @Test("A browser is asked for a password below the prefix alone, so that it shows it to no other tunnel")
    func password() throws {
        let policy = TunnelPolicy {
            $0.basicAuth = [PasswordHash.hashed(BasicCredential(username: "u", password: "long-password"))]
        }
        let head = "POST /submit?a HTTP/1.1\nReferer: \(Self.page)\nContent-Length: 0"
        #expect(try self.ask(head, policy: policy).status.hasPrefix("HTTP/1.1 401"))
        let post = try self.ask("\(head)\nSec-Fetch-Site: same-origin", policy: policy)
        #expect(post.status == "HTTP/1.1 307 Temporary Redirect")
        #expect(post.fields("Location") == ["/my-tunnel/submit?a"])
        #expect(post.fields("WWW-Authenticate").isEmpty)
    }

    @Test("The rules of the tunnel hold for what is led back")
    func rules() throws {
        let denied = TunnelPolicy { $0.ipDeny = ["127.0.0.1"] }
        let post = "POST /login HTTP/1.1\nReferer: \(Self.page)\nContent-Length: 0"
        #expect(try self.ask(post, policy: denied).status.hasPrefix("HTTP/1.1 403"))
        #expect(try self.ask(post, policy: TunnelPolicy { $0.pathFallback = false }).status.hasPrefix("HTTP/1.1 404"))
    }

    @Test("A webhook to /<id> is taken as one to /<id>/; a browser is led to the slash")
    func withoutSlash() throws {
        let hook = try self.ask("POST /my-tunnel?a=/b HTTP/1.1\nContent-Length: 0")
        #expect(hook.origin.first == "POST /?a=/b HTTP/1.1")
        let socket = try self.ask("GET /my-tunnel HTTP/1.1\nConnection: Upgrade\nUpgrade: websocket")
        #expect(socket.origin.first == "GET / HTTP/1.1")
        for method in ["GET", "HEAD"] {
            let page = try self.ask("\(method) /my-tunnel?a=/b HTTP/1.1")
            #expect(page.status == "HTTP/1.1 308 Permanent Redirect")
            #expect(page.fields("Location") == ["/my-tunnel/?a=/b"])
        }
        let keep = TunnelPolicy { $0.pathMode = .keep }
        #expect(
            try self.ask("POST /my-tunnel HTTP/1.1\nContent-Length: 0", policy: keep).origin.first
                == "POST /my-tunnel HTTP/1.1"
        )
    }

    @Test("A tunnel at /: opening it leads there, and what follows is its own")
    func root() throws {
        let policy = TunnelPolicy {
            $0.pathMode = .root
            $0.host = .rewrite(ProxyWorld.origin)
        }
        let opened = try self.ask("GET /my-tunnel/items/3?x HTTP/1.1\nSec-Fetch-Dest: document", policy: policy)
        #expect(opened.status == "HTTP/1.1 307 Temporary Redirect")
        #expect(opened.fields("Location") == ["/items/3?x"])
        let cookie = String(try #require(opened.fields("Set-Cookie").first).prefix { $0 != ";" })
        let page = try self.ask(
            "GET /items/3 HTTP/1.1\nSec-Fetch-Site: same-origin\nSec-Fetch-Mode: navigate\nCookie: \(cookie); culvert.my-tunnel.s=1",
            policy: policy,
            answer: Self.ok
                + "Cache-Control: public, max-age=9\r\nSet-Cookie: s=2; HttpOnly\r\nSet-Cookie: t=3\r\n\r\nok"
        )
        #expect(page.origin.first == "GET /items/3 HTTP/1.1")
        #expect(page.origin.contains("Cookie: s=1"))
        #expect(!page.origin.contains { $0.hasPrefix("X-Forwarded-Prefix") })
        #expect(page.fields("Cache-Control") == ["private, no-cache, max-age=9"])
        #expect(page.fields("Vary") == ["Cookie"])
        #expect(page.fields("Set-Cookie") == ["culvert.my-tunnel.s=2; Path=/; HttpOnly", "t=3"])
        // A program that has no pages, and a path that would name another host.
        #expect(try self.ask("GET /my-tunnel/x HTTP/1.1", policy: policy).origin.first == "GET /x HTTP/1.1")
        let hostile = try self.ask("GET /my-tunnel//evil.test/ HTTP/1.1\nSec-Fetch-Dest: document", policy: policy)
        #expect(hostile.origin.first == "GET //evil.test/ HTTP/1.1")
    }

    @Test("A page opened from nobody knows where offers the tunnel and leads nowhere")
    func asked() throws {
        let cookie = try self.openedCookie()
        let answer = try self.ask("GET /a\"b/<c> HTTP/1.1\nAccept: text/html\nCookie: \(cookie)")
        #expect(answer.status == "HTTP/1.1 409 Conflict")
        #expect(answer.fields("Culvert-Error") == ["tunnel_ambiguous"])
        #expect(answer.fields("Location").isEmpty)
    }
}
