// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import HTTP1
import NIOCore
import Testing

@testable import EdgeProxy

@Suite("Whom to believe about a visitor")
struct VisitorTrustTests {
    private func visitor(_ fields: String, trust: VisitorTrust) throws -> Visitor {
        var parser = HeadParser()
        let lines = fields.isEmpty ? "" : fields.replacing("\n", with: "\r\n") + "\r\n"
        var buffer = ByteBuffer(string: "GET / HTTP/1.1\r\nHost: edge\r\n\(lines)\r\n")
        let head = try #require(try parser.request(&buffer))
        return trust.visitor(head.section, peer: IPAddress("10.0.0.1"))
    }

    private func behindProxy(clientIPHeader: String? = nil) throws -> VisitorTrust {
        VisitorTrust(
            trustedProxies: [try #require(AddressRange("10.0.0.0/8"))],
            clientIPHeader: clientIPHeader,
            isTLS: false,
            isPublicTLS: true
        )
    }

    @Test(
        "An address is read as proxies write it",
        arguments: [
            ("203.0.113.9", "203.0.113.9"), (" 203.0.113.9:4711", "203.0.113.9"), ("[2001:DB8::1]:80", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"), ("2001:db8::1", "2001:db8::1"), ("\"[2001:db8::1]:80\"", "2001:db8::1"),
            ("unknown", nil), ("_hidden", nil), ("203.0.113.9:", nil), ("203.0.113.9:x", nil), ("[203.0.113.9]", nil),
            ("[2001:db8::1", nil), ("[2001:db8::1]x", nil), ("\"", nil), ("203.0.113.9:123456", nil),
        ] as [(String, String?)]
    )
    func address(text: String, address: String?) {
        #expect(VisitorTrust.address(text)?.description == address)
    }

    @Test(
        "A chain names its last address that no trusted proxy has; one that can't be read names nobody",
        arguments: [
            ("", "10.0.0.1"), ("X-Forwarded-For: 203.0.113.9:80", "203.0.113.9"),
            ("X-Forwarded-For: 1.1.1.1, 203.0.113.9 , 10.9.9.9", "203.0.113.9"),
            ("X-Forwarded-For: 1.1.1.1\nX-Forwarded-For: [2001:db8::1]:5, 10.9.9.9:7", "2001:db8::1"),
            ("X-Forwarded-For: 10.2.2.2, 10.3.3.3", "10.2.2.2"), ("X-Forwarded-For: ,", nil), ("X-Forwarded-For:", nil),
            ("X-Forwarded-For: unknown", nil), ("X-Forwarded-For: 1.1.1.1, _x, 10.9.9.9", nil),
            ("X-Forwarded-For: 1.1.1.1 2.2.2.2", nil), ("Forwarded: for=203.0.113.9", nil),
            ("X-Real-IP: 203.0.113.9", nil),
            ("X_Forwarded_For: 203.0.113.9", "10.0.0.1"),
            ("X-Forwarded-For: 203.0.113.9\nX_Forwarded_For: 6.6.6.6", "203.0.113.9"),
        ] as [(String, String?)]
    )
    func chain(fields: String, address: String?) throws {
        #expect(try self.visitor(fields, trust: self.behindProxy()).address?.description == address)
    }

    @Test(
        "What proxies have cut off the path is put together, and nothing of it is believed if a part is no path",
        arguments: [
            ("/a", "/a"), ("/a/b/", "/a/b"), ("/", ""), ("", ""), ("/a, /b", "/a/b"),
            ("/a\nX-Forwarded-Prefix: /b//", "/a/b"),
            ("/%41-._~!$&'()*+=:@z", "/%41-._~!$&'()*+=:@z"), ("a", ""), ("//evil.test", ""), ("/a//b", ""),
            ("/a/../b", ""),
            ("/.", ""), ("/a?b", ""), ("/a#b", ""), ("/a\\b", ""), ("/a\"b", ""), ("/a;b", ""),
            ("http://evil.test", ""),
            ("/a, evil", ""), ("/\u{e9}", ""), ("/" + String(repeating: "a", count: 2_000), ""),
        ]
    )
    func prefix(_ value: String, _ prefix: String) throws {
        #expect(try self.visitor("X-Forwarded-Prefix: \(value)", trust: self.behindProxy()).prefix == prefix)
        let nobody = VisitorTrust(trustedProxies: [], clientIPHeader: nil, isTLS: false)
        #expect(try self.visitor("X-Forwarded-Prefix: \(value)", trust: nobody).prefix.isEmpty)
    }

    @Test("The field that names the client may hold a port, and names nobody when it can't be read")
    func clientField() throws {
        let trust = try self.behindProxy(clientIPHeader: "X-Azure-ClientIP")
        let visitor = { (value: String) in
            try self.visitor("X-Forwarded-For: 1.1.1.1\nx-azure-clientip: \(value)", trust: trust).address?.description
        }
        #expect(try visitor("203.0.113.9:80") == "203.0.113.9")
        #expect(try visitor("nobody") == nil)
    }

    @Test(
        "The scheme is the proxy's word, in any case, alone or first in a list; that of a WebSocket is its handshake's",
        arguments: [
            ("https", "https"), ("HTTPS", "https"), ("https,http", "https"), ("wss", "https"), ("WSS , http", "https"),
            ("http", "http"), ("ws", "http"), ("Ws", "http"), ("ftp", "http"), ("", "http"),
        ]
    )
    func scheme(said: String, scheme: String) throws {
        #expect(try self.visitor("X-Forwarded-Proto: \(said)", trust: self.behindProxy()).scheme == scheme)
    }

    @Test("Where no proxy is trusted, the public URL says the scheme, and nobody else does")
    func publicScheme() throws {
        for (isTLS, isPublicTLS, scheme) in [
            (false, true, "https"), (false, false, "http"), (true, false, "https"),
        ] {
            let trust = VisitorTrust(trustedProxies: [], clientIPHeader: nil, isTLS: isTLS, isPublicTLS: isPublicTLS)
            #expect(try self.visitor("X-Forwarded-Proto: gopher", trust: trust).scheme == scheme)
            #expect(try self.visitor("X-Forwarded-Proto: http", trust: trust).scheme == scheme)
        }
    }
}
