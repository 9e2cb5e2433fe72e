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
        "Fields in which some proxy names the client are dropped, in any spelling, unless a trusted proxy sent them",
        arguments: KnownField.clientAddressNames
    )
    func clientAddresses(name: String) throws {
        for spelling in [name, name.uppercased(), name.replacing("-", with: "_")] {
            let request = "GET /my-app/ HTTP/1.1\nHost: edge\n\(spelling): 6.6.6.6"
            #expect(try !self.rewritten(request).contains("\(spelling): 6.6.6.6"))
            #expect(try self.rewritten(request, proxy: "10.0.0.1").contains("\(spelling): 6.6.6.6"))
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
            "True-Client-IP",
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
            #expect(trusted.contains("\(name): 6.6.6.6"))
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

    @Test("Credentials that were for the edge stay there")
    func authorization() throws {
        let request = "GET /my-app/ HTTP/1.1\nHost: edge\nAuthorization: Basic eA=="
        #expect(try self.rewritten(request).contains("Authorization: Basic eA=="))
        #expect(try !self.rewritten(request, dropsAuthorization: true).contains { $0.hasPrefix("Authorization") })
    }
}
