// SPDX-License-Identifier: Apache-2.0

import HTTP1
import NIOCore
import Testing

@testable import EdgeProxy

@Suite("The head that the visitor sees")
struct ResponseRewriteTests {
    private static let path = Self.path()
    private static let host = Self.host()

    private static func path(
        scheme: String = "https",
        host: String = "edge.test",
        originHost: String = "localhost:3000"
    ) -> ResponseURLs {
        ResponseURLs(prefix: "/my-app", isPathMode: true, scheme: scheme, host: host, originHost: originHost)
    }

    private static func host(wildcardDomain: String? = nil) -> ResponseURLs {
        ResponseURLs(
            prefix: "",
            isPathMode: false,
            scheme: "https",
            host: "my-app.edge.test",
            originHost: "localhost:3000",
            wildcardDomain: wildcardDomain
        )
    }

    private func rewritten(
        _ bytes: [UInt8],
        urls: ResponseURLs = Self.path,
        framing: ResponseRewrite.Framing = .asReceived,
        connection: ResponseRewrite.Connection = .kept
    ) throws -> [UInt8] {
        var parser = HeadParser()
        var buffer = ByteBuffer(bytes: bytes)
        let head = try #require(try parser.response(&buffer))
        let output = ResponseRewrite(urls: urls).head(head, framing: framing, connection: connection)
        return Array(output.readableBytesView)
    }

    private func rewritten(_ lines: [String], urls: ResponseURLs = Self.path) throws -> [String] {
        let text = (["HTTP/1.1 200 OK"] + lines + ["", ""]).joined(separator: "\r\n")
        let output = String(decoding: try self.rewritten(Array(text.utf8), urls: urls), as: UTF8.self)
        return output.dropLast(2).split(separator: "\r\n", omittingEmptySubsequences: false).dropFirst().map(
            String.init
        )
    }

    @Test(
        "Behind proxies that cut off a prefix, references and cookies get that too, and each part once",
        arguments: [
            ("Location: /a", "/outer/my-app/a", "/outer/a"),
            ("Location: /my-app/a", "/outer/my-app/a", "/outer/my-app/a"),
            ("Location: /outer/my-app/a", "/outer/my-app/a", "/outer/my-app/a"),
            ("Location: /outer", "/outer/my-app/outer", "/outer"),
            ("Location: /outermost", "/outer/my-app/outermost", "/outer/outermost"),
            ("Location: a", "a", "a"),
            ("Location: https://edge.test/x", "https://edge.test/outer/my-app/x", "https://edge.test/outer/x"),
            ("Location: http://localhost:3000", "https://edge.test/outer/my-app/", "https://edge.test/outer/"),
            ("Set-Cookie: a=b; Path=/", "a=b; Path=/outer/my-app/", "a=b; Path=/outer/"),
            ("Link: </s.css>; rel=preload", "</outer/my-app/s.css>; rel=preload", "</outer/s.css>; rel=preload"),
        ]
    )
    func outerPrefix(_ line: String, _ stripped: String, _ kept: String) throws {
        let name = line.prefix { $0 != ":" }
        for (prefix, expected) in [("/my-app", stripped), ("", kept)] {
            let urls = ResponseURLs(
                prefix: prefix,
                isPathMode: true,
                scheme: "https",
                host: "edge.test",
                originHost: "localhost:3000",
                outerPrefix: "/outer"
            )
            #expect(try self.rewritten([line], urls: urls) == ["\(name): \(expected)"])
        }
    }

    @Test("Without a host that the visitor asked for, a reference stays a path and names no other host")
    func withoutHost() throws {
        let urls = ResponseURLs(prefix: "", isPathMode: false, scheme: "http", host: "", originHost: "localhost:3000")
        for (location, expected) in [
            ("http://localhost:3000/a", "/a"), ("http://localhost:3000", "/"),
            ("http://localhost:3000//evil.test/", "/.//evil.test/"),
        ] {
            #expect(try self.rewritten(["Location: \(location)"], urls: urls) == ["Location: \(expected)"])
        }
    }

    @Test("Fields pass in their order, spelling and number")
    func plain() throws {
        let lines = ["server: x", "X-B: 1", "x-a: 2", "X-B: 3", "Date: now", "Content-Length: 5", "Vary: a,b"]
        #expect(try self.rewritten(lines) == lines)
    }

    @Test("Status and reason pass; what the visitor is told of framing and connection is ours")
    func startLine() throws {
        let bytes = Array("HTTP/1.0 299 Very well\r\nConnection: x\r\nX: y\r\n\r\n".utf8)
        let output = try self.rewritten(bytes, framing: .chunked, connection: .close)
        #expect(
            String(decoding: output, as: UTF8.self)
                == "HTTP/1.1 299 Very well\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
    }

    @Test(
        "What concerns the origin's connection alone, or would forge our errors, is not passed on",
        arguments: [
            "Connection: close", "Keep-Alive: timeout=5", "Proxy-Authenticate: Basic", "Proxy-Connection: close",
            "Culvert-Error: origin_refused", "CULVERT-ERROR: x", "Culvert-Request-Id: forged",
        ]
    )
    func dropped(_ line: String) throws {
        #expect(try self.rewritten([line, "X: y"]) == ["X: y"])
    }

    @Test("What one tunnel may not say for the others is dropped in path mode only")
    func sharedOrigin() throws {
        let lines = [
            "Service-Worker-Allowed: /", "Clear-Site-Data: \"*\"", "Alt-Svc: h3=\":443\"",
            "Strict-Transport-Security: max-age=1",
        ]
        #expect(try self.rewritten(lines) == [])
        #expect(try self.rewritten(lines, urls: Self.host) == lines)
    }

    @Test(
        "Connection cannot cut out what frames the message",
        arguments: ["Content-Length: 5", "Transfer-Encoding: chunked", "Content-Type: text/plain"]
    )
    func namedByConnection(_ line: String) throws {
        let name = line.prefix { $0 != ":" }
        #expect(try self.rewritten(["Connection: \(name), X", "X: y", line]) == [line])
    }

    @Test("Bytes that are not UTF-8 stay as they are in a field that is changed around them")
    func obsText() throws {
        let start = Array("HTTP/1.1 200 O".utf8) + [0xE9] + Array("\r\nSet-Cookie: a=".utf8)
        let bytes = start + [0x80, 0xE9, 0xFF] + Array("; Path=/\r\n\r\n".utf8)
        let expected = start + [0x80, 0xE9, 0xFF] + Array("; Path=/my-app/\r\n\r\n".utf8)
        #expect(try self.rewritten(bytes) == expected)
    }

    @Test("What a trusted proxy calls our host cannot end a field")
    func foreignHost() throws {
        // U+010D and U+010A would become CR and LF if they were cut to a byte.
        let urls = Self.path(host: "a\u{10D}\u{10A}b")
        let output = try self.rewritten(["Location: http://localhost:3000/x"], urls: urls)
        #expect(output == ["Location: https://a\u{10D}\u{10A}b/my-app/x"])
    }

    // MARK: References

    @Test(
        "References that would lead astray get the tunnel's prefix, and get it once",
        arguments: [
            ("/", "/my-app/"), ("/a?b#c", "/my-app/a?b#c"), ("/my-app/a", "/my-app/a"), ("/my-app", "/my-app"),
            ("/my-app?x", "/my-app?x"), ("/my-apps/a", "/my-app/my-apps/a"), ("a/b", "a/b"), ("../a", "../a"),
            ("?a", "?a"), ("#a", "#a"), ("", ""), ("//other.test/a", "//other.test/a"),
            ("https://other.test/a", "https://other.test/a"), ("mailto:a@b", "mailto:a@b"),
            ("http://localhost:3000/a", "https://edge.test/my-app/a"),
            ("HTTP://LocalHost:3000", "https://edge.test/my-app/"),
            ("http://localhost:3000?a", "https://edge.test/my-app/?a"),
            ("https://edge.test/a", "https://edge.test/my-app/a"),
            ("https://edge.test/my-app/a", "https://edge.test/my-app/a"),
            ("//localhost:3000/a", "//edge.test/my-app/a"), ("//edge.test/a", "//edge.test/my-app/a"),
            ("http://edge.test/a", "http://edge.test/my-app/a"),
            ("https://EDGE.test:443/a", "https://EDGE.test:443/my-app/a"),
            ("http://edge.test:443/a", "http://edge.test:443/a"), ("https:///a", "https:///a"),
            ("http://127.0.0.1:3000/a", "https://edge.test/my-app/a"), ("//[::1]:3000/a", "//edge.test/my-app/a"),
            ("http://localhost:3001/a", "http://localhost:3001/a"),
            ("http://127.0.0.1/a", "https://edge.test/my-app/a"),
            ("http://localhost/a", "https://edge.test/my-app/a"), ("https://[::1]:443/a", "https://edge.test/my-app/a"),
            ("//localhost/a", "//edge.test/my-app/a"), ("http://localhost.test/a", "http://localhost.test/a"),
            ("http://localhost:/a", "http://localhost:/a"), ("http://u@localhost/a", "http://u@localhost/a"),
            ("http://127.0.0.1:3000@evil/a", "http://127.0.0.1:3000@evil/a"),
            ("http://localhost:3000.evil/a", "http://localhost:3000.evil/a"),
            ("http://localhost:3000@evil/a", "http://localhost:3000@evil/a"),
        ]
    )
    func references(_ reference: String, _ expected: String) throws {
        for name in ["Location", "Content-Location", "location"] {
            #expect(try self.rewritten(["\(name): \(reference)"]) == ["\(name): \(expected)"])
        }
        #expect(try self.rewritten(["Link: <\(reference)>; rel=\"/x\""]) == ["Link: <\(expected)>; rel=\"/x\""])
        if !reference.isEmpty {
            #expect(try self.rewritten(["Refresh: 5; URL=\(reference)"]) == ["Refresh: 5; URL=\(expected)"])
        }
    }

    @Test("Every link of a list is changed, and what is no list passes")
    func links() throws {
        let line = "Link: </a.css>; rel=preload, <b.js>; rel=x,</c>"
        #expect(try self.rewritten([line]) == ["Link: </my-app/a.css>; rel=preload, <b.js>; rel=x,</my-app/c>"])
        #expect(try self.rewritten(["Link: </a", "Refresh: 5"]) == ["Link: </a", "Refresh: 5"])
        let quoted = "Link: </a>; title=\"</b>, \\\"</c>\"; rel=x, </d>"
        let expected = "Link: </my-app/a>; title=\"</b>, \\\"</c>\"; rel=x, </my-app/d>"
        #expect(try self.rewritten([quoted]) == [expected])
    }

    @Test("Links without an end pass, however many begin, without taking the event loop's time")
    func endlessLinks() throws {
        let line = "Link: </a>, " + String(repeating: "<", count: 50_000)
        #expect(try self.rewritten([line]) == [line.replacing("</a>", with: "</my-app/a>")])
    }

    @Test(
        "Refresh is read as browsers read it, and only its reference is changed",
        arguments: [
            ("0;url='/a'", "0;url='/my-app/a'"), ("1.5 ; Url = \"/a\" x", "1.5 ; Url = \"/my-app/a\" x"),
            ("5; /a", "5; /my-app/a"), ("5, url=/a", "5, url=/my-app/a"), ("5 /a", "5 /my-app/a"),
            ("5;  url=  b", "5;  url=  b"), ("5", "5"), ("5;", "5;"), ("/a", "/a"), ("5;url='/a", "5;url='/my-app/a"),
        ]
    )
    func refresh(_ value: String, _ expected: String) throws {
        #expect(try self.rewritten(["Refresh: \(value)"]) == ["Refresh: \(expected)"])
    }

    @Test("A port that the scheme implies makes no difference to who is named")
    func impliedPorts() throws {
        let lines = ["Location: http://localhost/a", "Location: https://localhost/a"]
        let plain = Self.path(scheme: "http", originHost: "localhost:80")
        let expected = ["Location: http://edge.test/my-app/a", "Location: https://localhost/a"]
        #expect(try self.rewritten(lines, urls: plain) == expected)
        let encrypted = Self.path(originHost: "localhost:80")
        #expect(
            try self.rewritten(lines, urls: encrypted)
                == Array(repeating: "Location: https://edge.test/my-app/a", count: 2)
        )
        #expect(try self.rewritten(lines, urls: Self.path(originHost: "app.test:3000")) == lines)
    }

    @Test("What frames a message is dropped where there must be none")
    func bodiless() throws {
        for (status, line, isKept) in [
            (103, "Content-Length: 0", false), (103, "Transfer-Encoding: chunked", false),
            (204, "Content-Length: 5", false), (204, "Content-Length: 0", true),
            (204, "Transfer-Encoding: chunked", false), (304, "Content-Length: 5", true),
            (205, "Content-Length: 0", true),
        ] {
            let output = try self.rewritten(Array("HTTP/1.1 \(status) X\r\n\(line)\r\n\r\n".utf8))
            #expect(String(decoding: output, as: UTF8.self).contains(line) == isKept, "\(status) \(line)")
        }
    }

    @Test("Upgrade passes where it says what follows or what would be taken, in the place and spelling of the origin")
    func upgrade() throws {
        let fields = "upgrade: a\r\nX: y\r\nconnection: upgrade\r\nZ: 1\r\n\r\n"
        let plain = try self.rewritten(Array("HTTP/1.1 200 OK\r\n\(fields)".utf8))
        #expect(String(decoding: plain, as: UTF8.self) == "HTTP/1.1 200 OK\r\nX: y\r\nZ: 1\r\n\r\n")
        let switched = Array("HTTP/1.1 101 Switching Protocols\r\n\(fields)".utf8)
        #expect(try self.rewritten(switched) == switched)
        let required = try self.rewritten(
            Array("HTTP/1.1 426 Upgrade Required\r\n\(fields)".utf8),
            connection: .close
        )
        #expect(String(decoding: required, as: UTF8.self).contains("X: y\r\nconnection: Upgrade, close\r\nZ: 1\r\n"))
    }

    @Test("With a host of its own a tunnel's paths pass as they are")
    func hostMode() throws {
        #expect(try self.rewritten(["Location: /a"], urls: Self.host) == ["Location: /a"])
        let absolute = try self.rewritten(["Location: http://localhost:3000/a"], urls: Self.host)
        #expect(absolute == ["Location: https://my-app.edge.test/a"])
        let whole = try self.rewritten(["Location: http://localhost:3000"], urls: Self.host)
        #expect(whole == ["Location: https://my-app.edge.test"])
        let lines = ["Location: http://my-app.edge.test/a", "Set-Cookie: a=b;path=/", "Refresh: 5;url= /a"]
        #expect(try self.rewritten(lines, urls: Self.host) == lines)
    }

    // MARK: Cookies

    @Test(
        "Cookies stay within the tunnel",
        arguments: [
            ("a=b", "a=b"), ("a=b; Path=/", "a=b; Path=/my-app/"),
            ("a=b;path=/x; Secure", "a=b;path=/my-app/x; Secure"),
            ("a=b; PATH = /x ;Secure", "a=b; PATH = /my-app/x ;Secure"),
            ("a=b; Path=/my-app/x", "a=b; Path=/my-app/x"), ("a=b; Path=x", "a=b; Path=x"),
            ("a=b; Domain=edge.test; HttpOnly", "a=b; HttpOnly"), ("a=b; domain=.localhost", "a=b"),
            ("a=b ;Domain=edge.test", "a=b "), ("a=b; path = /x ; DOMAIN = edge.test", "a=b; path = /my-app/x "),
            ("__Host-a=b; Path=/; Secure", "__Host-a=b; Path=/; Secure"),
            ("__host-a=b; Domain=localhost", "__host-a=b; Domain=localhost"), ("a=/; b=c", "a=/; b=c"), ("", ""),
            ("a=b; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "a=b; Expires=Wed, 21 Oct 2026 07:28:00 GMT"),
        ]
    )
    func cookies(_ cookie: String, _ expected: String) throws {
        #expect(try self.rewritten(["Set-Cookie: \(cookie)"]) == ["Set-Cookie: \(expected)"])
    }

    @Test("With a host of its own a tunnel's cookies lose domains that all tunnels share, and nothing else")
    func sharedDomains() throws {
        let urls = Self.host(wildcardDomain: "edge.test")
        for (domain, isDropped) in [
            ("edge.test", true), (".EDGE.test", true), ("test", true), ("my-app.edge.test", false), ("dge.test", false),
            ("", false), ("edge.test.", true), (".EDGE.test..", true), ("my-app.edge.test.", false),
        ] {
            let output = try self.rewritten(["Set-Cookie: a=b;path=/; Domain=\(domain);Secure"], urls: urls)
            let middle = isDropped ? "" : " Domain=\(domain);"
            #expect(output == ["Set-Cookie: a=b;path=/;\(middle)Secure"], "\(domain)")
        }
    }

    @Test("With a host of its own a tunnel's cookies lose the origin's own domain")
    func hostModeCookies() throws {
        let lines = ["Set-Cookie: a=b; Path=/; Domain=localhost", "Set-Cookie: a=b; Domain=other.test"]
        let expected = ["Set-Cookie: a=b; Path=/", "Set-Cookie: a=b; Domain=other.test"]
        #expect(try self.rewritten(lines, urls: Self.host) == expected)
    }
}
