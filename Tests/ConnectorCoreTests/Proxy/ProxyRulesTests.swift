// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ConnectorCore

@Suite("Which proxy an edge is reached through")
struct ProxyRulesTests {
    private func proxy(_ edge: String, _ environment: [String: String]) throws -> String? {
        try ProxyRules(environment: environment).proxy(for: try EdgeAddress(parsing: edge))?.description
    }

    @Test(
        "The variable of the edge's scheme counts, lower case first, then the one for everything",
        arguments: [
            ("https://e.example", ["HTTPS_PROXY": "http://p:3128"], "http://p:3128"),
            ("wss://e.example", ["HTTPS_PROXY": "p:3128"], "http://p:3128"),
            (
                "https://e.example", ["HTTPS_PROXY": "http://upper:1", "https_proxy": "http://lower:2"],
                "http://lower:2"
            ),
            ("https://e.example", ["HTTP_PROXY": "http://p:3128"], nil),
            ("http://e.example", ["HTTPS_PROXY": "http://p:3128"], nil),
            ("http://e.example", ["HTTP_PROXY": "http://p"], "http://p:80"),
            ("http://e.example", ["http_proxy": "http://p:8080/"], "http://p:8080"),
            ("http://e.example", ["ALL_PROXY": "http://p:1"], "http://p:1"),
            ("https://e.example", ["all_proxy": "http://p:1", "https_proxy": ""], "http://p:1"),
            ("https://e.example", ["all_proxy": "http://p:1", "HTTPS_PROXY": "http://q:2"], "http://q:2"),
            ("https://e.example", ["https_proxy": "http://[2001:db8::1]:3128"], "http://[2001:db8::1]:3128"),
            ("https://e.example", [:], nil),
        ] as [(String, [String: String], String?)]
    )
    func variables(edge: String, environment: [String: String], proxy: String?) throws {
        #expect(try self.proxy(edge, environment) == proxy)
    }

    @Test("What a visitor of a web server can set as HTTP_PROXY is not believed")
    func cgi() throws {
        let environment = ["HTTP_PROXY": "http://evil:1", "REQUEST_METHOD": "GET"]
        #expect(try self.proxy("http://e.example", environment) == nil)
        #expect(
            try self.proxy("http://e.example", environment.merging(["http_proxy": "http://p:1"]) { $1 }) == "http://p:1"
        )
    }

    @Test(
        "This machine is never reached through a proxy",
        arguments: ["localhost:8989", "127.0.0.1:1", "http://[::1]:1"]
    )
    func loopback(edge: String) throws {
        #expect(try self.proxy(edge, ["ALL_PROXY": "http://p:1"]) == nil)
    }

    @Test(
        "NO_PROXY: names with all below them, addresses, networks, ports",
        arguments: [
            ("*", "https://e.example", true),
            ("e.example", "https://e.example", true),
            ("E.Example.", "https://e.example", true),
            ("example", "https://e.example", true),
            (".example", "https://e.example", true),
            ("*.example", "https://e.example", true),
            ("xample", "https://e.example", false),
            ("a.e.example", "https://e.example", false),
            ("other, e.example", "https://e.example", true),
            ("other e.example", "https://e.example", true),
            ("e.example:443", "https://e.example", true),
            ("e.example:8443", "https://e.example", false),
            ("e.example:8443", "https://e.example:8443", true),
            ("192.0.2.7", "http://192.0.2.7", true),
            ("192.0.2.7", "http://192.0.2.8", false),
            ("192.0.2.0/24", "http://192.0.2.8", true),
            ("192.0.2.0/29", "http://192.0.2.8", false),
            ("192.0.2.0/99", "http://192.0.2.8", false),
            ("0.0.0.0/0", "http://192.0.2.8", true),
            ("0.0.0.0/0", "http://[2001:db8::1]", false),
            ("2001:db8::/32", "http://[2001:db8:1::1]", true),
            ("2001:db8::1", "http://[2001:db8::1]:81", true),
            ("[2001:db8::1]:80", "http://[2001:db8::1]", true),
            ("[2001:db8::1]:81", "http://[2001:db8::1]", false),
            ("2", "http://192.0.2.2", false),
            (", ,", "https://e.example", false),
        ] as [(String, String, Bool)]
    )
    func exceptions(list: String, edge: String, isDirect: Bool) throws {
        let environment = ["ALL_PROXY": "http://p:1", "NO_PROXY": list]
        #expect((try self.proxy(edge, environment) == nil) == isDirect)
    }

    @Test(
        "A value that can't be used is named by its variable, and its password is not told",
        arguments: [
            "https://user:secret@p:1", "socks5://user:secret@p:1", "http://user:secret@p:port", "http://",
            "http://:secret@p:1", "http://us%er:secret@p", "http://user:sec%0Aret@p",
        ]
    )
    func unusable(value: String) throws {
        #expect {
            try self.proxy("https://e.example", ["HTTPS_PROXY": value])
        } throws: { error in
            guard let failure = error as? CommandFailure else { return false }
            return failure.status == .configuration && failure.message.contains("HTTPS_PROXY")
                && !failure.message.contains("sec")
        }
        // Where the proxy is not needed it need not be right.
        #expect(try self.proxy("https://e.example", ["HTTPS_PROXY": value, "no_proxy": "*"]) == nil)
    }

    @Test("Name and password are decoded, sent as Basic, and never described")
    func credentials() throws {
        let proxy = try ProxyAddress(parsing: "http://us%20er:p%40ss/word@p:3128")
        #expect(proxy == ProxyAddress(host: "p", port: 3128, credentials: .init(user: "us er", password: "p@ss/word")))
        #expect(proxy.credentials?.fieldValue == "Basic dXMgZXI6cEBzcy93b3Jk")
        for text in ["\(proxy)", String(reflecting: proxy), "\(proxy.credentials as Any)"] {
            #expect(!text.contains("ss/word") && !text.contains("us er"))
        }
        #expect(try ProxyAddress(parsing: "user@p").credentials?.password == "")
    }
}
