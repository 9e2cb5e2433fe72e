// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ConnectorCore

@Suite("The address of an edge")
struct EdgeAddressTests {
    @Test(
        "Every spelling names one base URL",
        arguments: [
            ("https://edge.example.com", "https://edge.example.com"),
            ("https://edge.example.com/", "https://edge.example.com"),
            ("https://edge.example.com:443", "https://edge.example.com"),
            ("wss://edge.example.com/base/", "https://edge.example.com/base"),
            ("ws://10.0.0.1:8989", "http://10.0.0.1:8989"),
            ("http://[::1]:8989", "http://[::1]:8989"),
            ("edge.example.com", "https://edge.example.com"),
            ("localhost:8989", "http://localhost:8989"),
            ("127.0.0.1:8989", "http://127.0.0.1:8989"),
            ("127.evil.example", "https://127.evil.example"),
        ]
    )
    func spellings(text: String, url: String) throws {
        #expect(try EdgeAddress(parsing: text).description == url)
    }

    @Test("A key or a token in the place of the edge is refused, and not repeated")
    func secrets() {
        for secret in ["cvk_7wevod66qlzuyja4tsx4rhby75xczog3", "eyJ" + String(repeating: "a.b", count: 40)] {
            let error = #expect(throws: EdgeAddressError.self) { try EdgeAddress(parsing: secret) }
            #expect(error?.description.contains("is not the address of an edge: it is a") == true)
            #expect(error?.description.contains(secret.dropFirst(4)) == false)
        }
    }

    @Test("A port alone is no address, and what to write is told", arguments: ["1", "18443", "65535"])
    func port(text: String) {
        let error = #expect(throws: EdgeAddressError.self) { try EdgeAddress(parsing: text) }
        #expect(
            error?.description
                == "“\(text)” is not the address of an edge: it is a port; write http://localhost:\(text)."
        )
    }

    @Test("The WebSocket lives below the base path")
    func connectPath() throws {
        let address = try EdgeAddress(parsing: "https://edge.example.com/base")
        #expect(address.connectPath(tunnelID: "my-app") == "/base/api/tunnel/connect/my-app")
        #expect(address.url("/api/tunnels/list") == "https://edge.example.com/base/api/tunnels/list")
    }

    @Test(
        "What looks like a tunnel of an edge is below its path or its name",
        arguments: [
            ("https://e.example", "https://e.example/my-app", true), ("https://e.example", "https://a.e.example", true),
            ("http://127.0.0.1:8989", "http://a.localhost:8989", true),
            ("https://e.example/base", "https://e.example/base/a", true),
            ("https://e.example", "https://e.example", false), ("https://e.example", "http://e.example:443/a", false),
            ("https://e.example/base", "https://e.example/other", false),
            ("https://e.example", "https://te.example", false),
            ("http://127.0.0.1:8989", "http://localhost:8989", false),
            ("https://a.e.example", "https://e.example", false),
        ]
    )
    func tunnels(edge: String, address: String, isTunnel: Bool) throws {
        let authorities = EdgeAuthorities(edge: try EdgeAddress(parsing: edge), file: "ca.pem")
        #expect(try EdgeAddress(parsing: address).looksLikeTunnel(of: EdgeAddress(parsing: edge)) == isTunnel)
        #expect((authorities.file(for: try EdgeAddress(parsing: address)) != nil) == (isTunnel || edge == address))
    }

    @Test(
        "What can't be an edge is refused",
        arguments: ["", "ftp://x", "https://", "https://a?b", "https://u:p@a", "https://a:0", "a b", "https://a/\u{7}"]
    )
    func refusals(text: String) {
        #expect(throws: EdgeAddressError.self) { try EdgeAddress(parsing: text) }
    }
}
