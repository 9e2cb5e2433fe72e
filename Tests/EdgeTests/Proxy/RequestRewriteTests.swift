// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import HTTP1
import NIOCore
import Testing

@testable import EdgeProxy
@testable import EdgeTunnels

@Suite("The head that the origin sees")
struct RequestRewriteTests {
    private let requestID = RequestID()

    private func rewritten(
        _ request: String,
        policy: TunnelPolicy = TunnelPolicy { $0.host = .rewrite("localhost:3000") },
        entry: TunnelEntry = .prefix(7),
        proxy: String? = nil,
        address: String? = "192.0.2.9",
        dropsAuthorization: Bool = false,
        clientIPHeader: String? = nil
    ) throws -> [String] {
        var parser = HeadParser()
        var buffer = ByteBuffer(string: request.replacing("\n", with: "\r\n") + "\r\n\r\n")
        let head = try #require(try parser.request(&buffer))
        let rewrite = RequestRewrite(
            entry: entry,
            policy: policy,
            tunnelID: try #require(TunnelID("my-app")),
            visitor: Visitor(
                address: address.flatMap { IPAddress($0) },
                scheme: "http",
                host: head.section.first(.host) ?? "",
                proxy: proxy.flatMap { IPAddress($0) }
            ),
            requestID: self.requestID,
            dropsAuthorization: dropsAuthorization,
            clientIPHeader: clientIPHeader
        )
        let text = String(buffer: rewrite.head(head))
        #expect(text.hasSuffix("\r\n\r\n"))
        return text.dropLast(2).split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
    }

    private func forwarding() -> [String] {
        [
            "X-Forwarded-For: 192.0.2.9", "X-Forwarded-Proto: http", "X-Forwarded-Host: edge",
            "X-Forwarded-Prefix: /my-app", "X-Real-IP: 192.0.2.9",
            "Forwarded: for=192.0.2.9;host=\"edge\";proto=http", "X-Request-Id: \(self.requestID)",
            "Via: 1.1 culvert", "Culvert-Hops: 1",
        ]
    }

    @Test("Fields pass in their order and spelling, Host becomes the origin's, and the forwarding fields are ours")
    func plain() throws {
        let lines = try self.rewritten("GET /my-app/a?b HTTP/1.1\nACCEPT: */*\nhost: edge\nx-Odd:  a  b \nCookie: c=d")
        #expect(
            lines == ["GET /a?b HTTP/1.1", "ACCEPT: */*", "host: localhost:3000", "x-Odd: a  b", "Cookie: c=d"]
                + self.forwarding()
        )
    }

    @Test(
        "The target keeps every byte behind the prefix",
        arguments: ["/", "//", "/%2F/%2e%2e;p", "/?", "/a?b=c&d=%20#e", "/../x", "/é"]
    )
    func targets(_ target: String) throws {
        let request = "GET /my-app\(target) HTTP/1.1\nHost: edge"
        #expect(try self.rewritten(request).first == "GET \(target) HTTP/1.1")
        let keep = TunnelPolicy { $0.pathMode = .keep }
        let kept = try self.rewritten(request, policy: keep)
        #expect(kept.first == "GET /my-app\(target) HTTP/1.1")
        #expect(!kept.contains { $0.hasPrefix("X-Forwarded-Prefix") })
    }

    @Test(
        "Fields in which some proxy names the client are dropped, in any spelling, unless a trusted proxy wrote them",
        arguments: KnownField.clientAddressNames
    )
    func clientAddresses(name: String) throws {
        for spelling in [name, name.uppercased(), name.replacing("-", with: "_")] {
            let request = "GET /my-app/ HTTP/1.1\nHost: edge\n\(spelling): 6.6.6.6"
            #expect(try !self.rewritten(request).contains("\(spelling): 6.6.6.6"))
            let passes = try self.rewritten(request, proxy: "10.0.0.1").contains("\(spelling): 6.6.6.6")
            #expect(passes == !spelling.contains("_"))
        }
    }

    @Test("Host is the visitor's, the local target's or a literal, by policy; an HTTP/1.0 request without one gets it")
    func host() throws {
        let request = "GET /my-app/ HTTP/1.1\nHost: edge:8"
        for (policy, value) in [(HostPolicy.preserve, "edge:8"), (.local, "localhost"), (.rewrite("a.test"), "a.test")]
        {
            #expect(try self.rewritten(request, policy: TunnelPolicy { $0.host = policy }).contains("Host: \(value)"))
        }
        let old = try self.rewritten("GET /my-app/ HTTP/1.0")
        #expect(old.first == "GET / HTTP/1.1")
        #expect(old.contains("Host: localhost:3000"))
    }

    @Test("What concerns the visitor's connection alone is not passed on")
    func hopByHop() throws {
        let lines = try self.rewritten(
            """
            GET /my-app/ HTTP/1.1
            Host: edge
            Connection: close, X-Mine
            Keep-Alive: timeout=5
            Proxy-Connection: keep-alive
            Proxy-Authorization: Basic eA==
            TE: gzip
            Upgrade: h2c
            X-Mine: 1
            x-mine: 2
            """
        )
        #expect(lines == ["GET / HTTP/1.1", "Host: localhost:3000"] + self.forwarding())
    }

    @Test(
        "Connection cannot cut out what the meaning of the request depends on",
        arguments: [
            "Content-Length: 5", "Authorization: x", "Cookie: a=b", "Content-Type: text/plain", "Expect: 100-continue",
        ]
    )
    func namedByConnection(_ line: String) throws {
        let name = line.prefix { $0 != ":" }
        let lines = try self.rewritten("POST /my-app/ HTTP/1.1\nHost: edge\nConnection: \(name), host\n\(line)")
        #expect(lines.contains(line))
        #expect(lines.contains("Host: localhost:3000"))
    }

    @Test(
        "A stranger's claims about how the request came are dropped, in every spelling",
        arguments: [
            "X-Forwarded-For", "x-forwarded-for", "X_Forwarded_For", "X-Forwarded_For", "X-Forwarded-Host",
            "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "Forwarded",
            "X-Real-IP", "X_Real_IP", "X-Request-Id", "X-Forwarded-Ssl", "X_Forwarded_Scheme", "CF-Connecting-IP",
            "True-Client-IP", "Proxy-Client-IP", "EO-Connecting-IP", "X-Forward-For", "X-Forwarded-", "X_True_IP",
        ]
    )
    func strangersClaims(_ name: String) throws {
        let lines = try self.rewritten("GET /my-app/ HTTP/1.1\nHost: edge\n\(name): claimed")
        #expect(lines == ["GET / HTTP/1.1", "Host: localhost:3000"] + self.forwarding())
    }

    @Test("A trusted proxy's chain is kept with its own address behind it; its request id and other claims pass")
    func trustedClaims() throws {
        let lines = try self.rewritten(
            """
            GET /my-app/ HTTP/1.1
            Host: edge
            X-Forwarded-For: 203.0.113.1
            X-Forwarded-For: 198.51.100.2
            X-Request-Id: theirs
            X-Forwarded-Ssl: on
            X-Forwarded-Port: 443
            X-Forwarded-Server: proxy
            CF-Connecting-IP: 203.0.113.1
            """,
            proxy: "10.0.0.1"
        )
        for line in [
            "X-Forwarded-For: 203.0.113.1, 198.51.100.2, 10.0.0.1", "X-Request-Id: theirs", "X-Forwarded-Ssl: on",
            "X-Forwarded-Port: 443", "X-Forwarded-Server: proxy", "CF-Connecting-IP: 203.0.113.1",
        ] {
            #expect(lines.contains(line), "\(line)")
        }
    }

    @Test("The field in which proxies name the visitor passes from them alone, whatever it is called")
    func clientIPHeader() throws {
        for name in ["X-Client-Address", "x_client-address"] {
            let request = "GET /my-app/ HTTP/1.1\nHost: edge\n\(name): 6.6.6.6\nX-Client-Addres: 1"
            let strangers = try self.rewritten(request, clientIPHeader: "x-client-address")
            #expect(strangers.dropFirst(2).first == "X-Client-Addres: 1")
            let trusted = try self.rewritten(request, proxy: "10.0.0.1", clientIPHeader: "x-client-address")
            #expect(trusted.contains("\(name): 6.6.6.6") == !name.contains("_"))
        }
    }

    @Test("Nobody waits for a 100 in HTTP/1.0, and the origin is not made to think so")
    func oldExpectation() throws {
        let lines = try self.rewritten("POST /my-app/ HTTP/1.0\nHost: edge\nExpect: 100-continue\nA: 1")
        #expect(lines.dropFirst(2).first == "A: 1")
    }

    @Test("A trusted proxy that sends no chain begins one")
    func trustedWithoutChain() throws {
        let request = "GET /my-app/ HTTP/1.1\nHost: edge"
        let named = try self.rewritten(request, proxy: "10.0.0.1")
        #expect(named.contains("X-Forwarded-For: 192.0.2.9, 10.0.0.1"))
        let itself = try self.rewritten(request, proxy: "192.0.2.9")
        #expect(itself.contains("X-Forwarded-For: 192.0.2.9"))
    }

    @Test("An address of IPv6 is written as RFC 7239 wants it")
    func ipv6() throws {
        let lines = try self.rewritten("GET /my-app/ HTTP/1.1\nHost: edge", address: "2001:db8::1")
        #expect(lines.contains("X-Forwarded-For: 2001:db8::1"))
        #expect(lines.contains("Forwarded: for=\"[2001:db8::1]\";host=\"edge\";proto=http"))
    }

    @Test("A chunked body, trailers and an upgrade are asked for anew")
    func connection() throws {
        let chunked = try self.rewritten(
            "POST /my-app/ HTTP/1.1\nHost: edge\nTransfer-Encoding: Chunked\nTE: trailers\nConnection: TE\nTrailer: X"
        )
        #expect(
            chunked.prefix(6) == [
                "POST / HTTP/1.1", "Host: localhost:3000", "Transfer-Encoding: chunked", "TE: trailers",
                "Connection: TE",
                "Trailer: X",
            ]
        )
        let unnamed = try self.rewritten("GET /my-app/ HTTP/1.1\nHost: edge\nTE: gzip, trailers\nA: 1")
        #expect(unnamed.dropFirst(2).prefix(3) == ["TE: trailers", "A: 1", "Connection: TE"])
        let upgrade = try self.rewritten(
            "GET /my-app/ HTTP/1.1\nHost: edge\nConnection: keep-alive, Upgrade\nUpgrade: anything/2\nSec-WebSocket-Key: k"
        )
        #expect(
            upgrade.dropFirst(2).prefix(3) == ["Connection: Upgrade", "Upgrade: anything/2", "Sec-WebSocket-Key: k"]
        )
        let exact = try self.rewritten("GET /my-app/ HTTP/1.1\nHost: edge\nconnection: upgrade\nUpgrade: a")
        #expect(exact.dropFirst(2).prefix(2) == ["connection: upgrade", "Upgrade: a"])
    }

    @Test(
        "A policy may allow WebSocket alone; another protocol is not asked for",
        arguments: [
            ("websocket", true), ("WebSocket", true), ("h2c", false), ("websocket, h2c", false),
            ("websocket/13", false),
        ]
    )
    func upgradePolicy(_ protocols: String, _ isAllowed: Bool) throws {
        let lines = try self.rewritten(
            "GET /my-app/ HTTP/1.1\nHost: edge\nConnection: Upgrade\nUpgrade: \(protocols)",
            policy: TunnelPolicy { $0.upgrades = .websocket }
        )
        #expect(lines.contains("Upgrade: \(protocols)") == isAllowed)
        #expect(lines.contains("Connection: Upgrade") == isAllowed)
    }

    @Test(
        "What would carry requests unseen is never asked for, in any spelling or list, nor its settings",
        arguments: [
            "h2c", "H2C", "h2c-14", "h2", "HTTP/2.0", "http/3", "TLS/1.0", "tls/1.2, http/1.1", "SPDY/3.1",
            "h2c, websocket", "websocket, h2c", "websocket,,h2c",
        ]
    )
    func hiddenRequests(_ protocols: String) throws {
        for named in ["Upgrade", "Upgrade, HTTP2-Settings", "http2-settings, upgrade"] {
            let lines = try self.rewritten(
                "GET /my-app/ HTTP/1.1\nHost: edge\nConnection: \(named)\nUpgrade: \(protocols)\nHTTP2-Settings: AAMA\nA: b"
            )
            #expect(lines == ["GET / HTTP/1.1", "Host: localhost:3000", "A: b"] + self.forwarding())
        }
    }

    @Test("Via comes behind those of others, and says how the visitor came")
    func via() throws {
        let chain = try self.rewritten("GET /my-app/ HTTP/1.1\nHost: edge\nvia: 1.0 fred, 1.1 p.example\nVia: 1.1 next")
        #expect(
            chain.filter { $0.lowercased().hasPrefix("via") } == [
                "via: 1.0 fred, 1.1 p.example", "Via: 1.1 next", "Via: 1.1 culvert",
            ]
        )
        #expect(try self.rewritten("GET /my-app/ HTTP/1.0").contains("Via: 1.0 culvert"))
    }

    @Test(
        "Each pass through an edge is counted, from what an edge has written",
        arguments: [
            ("Culvert-Hops: 1", 2), ("culvert-hops: 4", 5), ("Culvert-Hops: 1\nCulvert-Hops: 3", 4),
            ("Culvert-Hops: -7", 1), ("Culvert-Hops: many", 1), ("Culvert-Hops: ", 1),
            ("Culvert-Hops: 99999999999999999999", 1), ("Connection: Culvert-Hops\nCulvert-Hops: 2", 3),
        ]
    )
    func hops(_ fields: String, _ count: Int) throws {
        let lines = try self.rewritten("GET /my-app/ HTTP/1.1\nHost: edge\n\(fields)")
        #expect(lines.filter { $0.lowercased().hasPrefix("culvert-hops") } == ["Culvert-Hops: \(count)"])
    }

    @Test(
        "An OPTIONS or TRACE that may go further is told how far; for others the field passes",
        arguments: [
            ("OPTIONS", "7", "6"), ("TRACE", "1", "0"), ("TRACE", "010", "9"), ("GET", "7", "7"),
            ("OPTIONS", "+7", "+7"),
            ("OPTIONS", "far", "far"), ("OPTIONS", "99999999999", "99999999999"), ("options", "7", "7"),
        ]
    )
    func maxForwards(_ method: String, _ value: String, _ passed: String) throws {
        let lines = try self.rewritten("\(method) /my-app/ HTTP/1.1\nHost: edge\nmax-forwards: \(value)")
        #expect(lines.contains("max-forwards: \(passed)"))
    }

    @Test("The origin is told of what proxies in front have cut off, before what the edge cuts off")
    func outerPrefix() throws {
        for (pathMode, entry, prefix) in [
            (PathMode.strip, TunnelEntry.prefix(7), "/outer/my-app"), (.keep, .prefix(7), "/outer"),
            (.strip, .host, "/outer"),
            (.root, .root, "/outer"), (.strip, .fallback, "/outer/my-app"),
        ] {
            var parser = HeadParser()
            var buffer = ByteBuffer(string: "GET /my-app/ HTTP/1.1\r\nHost: edge\r\n\r\n")
            let head = try #require(try parser.request(&buffer))
            let rewrite = RequestRewrite(
                entry: entry,
                policy: TunnelPolicy { $0.pathMode = pathMode },
                tunnelID: try #require(TunnelID("my-app")),
                visitor: Visitor(address: nil, scheme: "http", host: "edge", prefix: "/outer"),
                requestID: self.requestID
            )
            #expect(String(buffer: rewrite.head(head)).contains("\r\nX-Forwarded-Prefix: \(prefix)\r\n"))
        }
    }

    @Test("Fields with underscores pass as they came, but for those that look like forwarding fields")
    func underscores() throws {
        let lines = try self.rewritten(
            "GET /my-app/ HTTP/1.1\nHost: edge\nX_Api_Key: k\n_a: 1\nX_Real_IP: 6.6.6.6\nb_: 2"
        )
        #expect(lines.dropFirst(2).prefix(3) == ["X_Api_Key: k", "_a: 1", "b_: 2"])
        // A proxy that is trusted passes on what a visitor wrote with underscores: it is another field to it.
        let behindProxy = try self.rewritten(
            """
            GET /my-app/ HTTP/1.1
            Host: edge
            X-Forwarded-For: 203.0.113.1
            X_Forwarded_For: 6.6.6.6
            X_Request_Id: 6.6.6.6
            CF_Connecting_IP: 6.6.6.6
            X-Forwarded_Ssl: 6.6.6.6
            """,
            proxy: "10.0.0.1"
        )
        #expect(behindProxy.contains("X-Forwarded-For: 203.0.113.1, 10.0.0.1"))
        #expect(!behindProxy.contains { $0.contains("6.6.6.6") })
        #expect(!lines.contains { $0.contains("6.6.6.6") })
    }

    @Test("Credentials that were for the edge stay there")
    func authorization() throws {
        let request = "GET /my-app/ HTTP/1.1\nHost: edge\nAuthorization: Basic eA=="
        #expect(try self.rewritten(request).contains("Authorization: Basic eA=="))
        #expect(try !self.rewritten(request, dropsAuthorization: true).contains { $0.hasPrefix("Authorization") })
    }
}
