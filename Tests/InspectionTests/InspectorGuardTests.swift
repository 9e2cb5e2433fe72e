// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import NIOCore
import Testing

@testable import Inspection

@Suite("Who may use the inspector")
struct InspectorGuardTests {
    private static func code(
        _ rules: InspectorGuard = InspectorGuard(),
        method: String = "GET",
        path: String = "/api/requests/http",
        host: String? = "localhost:4040",
        fields: [(String, String)] = [],
        token: String? = nil,
        isSameUser: Bool? = true
    ) -> String {
        let verdict = rules.judge(
            InspectorGuard.Request(
                method: method,
                path: path,
                host: host,
                fields: fields.map { (name: $0.0, value: $0.1) },
                queryToken: token,
                isSameUser: isSameUser
            )
        )
        switch verdict {
        case .allow: return "allow"
        case .signIn(let cookie): return cookie
        case .refuse(let problem): return problem.code
        }
    }

    @Test("Names of this machine are known under any port, all others are refused: a rebound name says nothing else")
    func hosts() {
        for host in [
            "localhost", "localhost:4040", "LOCALHOST:9000", "my-app.localhost:1", "127.0.0.1:4040", "127.1.2.3",
            "[::1]:4040",
        ] {
            #expect(Self.code(host: host) == "allow", "\(host)")
        }
        for host in [
            "evil.example", "localhost.evil.example:4040", "evil-localhost", "127.0.0.1.evil.example", "127.0.0.256",
            "127.0.0", "192.168.0.1", "[::2]", "a@localhost", "localhost/x", "", "128.0.0.1", "0.0.0.0",
        ] {
            #expect(Self.code(host: host) == "forbidden_host", "\(host)")
        }
        #expect(Self.code(host: nil) == "forbidden_host")
        #expect(Self.code(InspectorGuard(allowedHosts: ["Dev.Example"]), host: "dev.example:4040") == "allow")
        #expect(Self.code(InspectorGuard(allowedHosts: ["dev.example"]), host: "x.dev.example") == "forbidden_host")
    }

    @Test("What came through a tunnel or proxy is refused, unless a name for it was allowed")
    func forwarded() {
        for name in ["x-forwarded-for", "x-forwarded-proto", "forwarded", "via", "x-real-ip", "culvert-replay"] {
            #expect(Self.code(fields: [(name, "1")]) == "forwarded", "\(name)")
        }
        let rules = InspectorGuard(allowedHosts: ["dev.example"])
        #expect(Self.code(rules, host: "dev.example", fields: [("x-forwarded-for", "1")]) == "allow")
    }

    @Test("Other sites and other ports of localhost are refused, whatever the method, but for opening the page")
    func fetchMetadata() {
        for site in ["cross-site", "same-site", "nonsense"] {
            #expect(Self.code(fields: [("sec-fetch-site", site)]) == "forbidden_origin")
            #expect(Self.code(method: "DELETE", fields: [("sec-fetch-site", site)]) == "forbidden_origin")
            let navigation = [("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]
            #expect(Self.code(path: "/", fields: navigation) == "allow")
            #expect(Self.code(path: "/api/requests/har", fields: navigation) == "forbidden_origin")
            #expect(Self.code(method: "POST", path: "/", fields: navigation) == "forbidden_origin")
            let frame = [("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")]
            #expect(Self.code(path: "/", fields: frame) == "forbidden_origin")
        }
        for site in ["same-origin", "none"] { #expect(Self.code(fields: [("sec-fetch-site", site)]) == "allow") }
        for origin in ["http://localhost:3000", "http://evil.example", "null", "localhost:4040", "http://localhost"] {
            #expect(Self.code(fields: [("origin", origin)]) == "forbidden_origin", "\(origin)")
        }
        #expect(Self.code(fields: [("origin", "http://localhost:4040")]) == "allow")
    }

    @Test("What changes something needs JSON, which no form sends")
    func contentType() {
        for type in ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", "application/jsonx"] {
            #expect(Self.code(method: "POST", fields: [("content-type", type)]) == "unsupported_media_type")
        }
        #expect(Self.code(method: "DELETE") == "unsupported_media_type")
        #expect(Self.code(method: "DELETE", fields: [("content-type", "Application/JSON; charset=utf-8")]) == "allow")
    }

    @Test("Another user of the machine is refused")
    func otherUser() {
        #expect(Self.code(isSameUser: false) == "other_user")
        #expect(Self.code(isSameUser: nil) == "allow")
    }

    @Test("With a token, the link signs in once, by a cookie that knows the port; programs send the token")
    func token() {
        let rules = InspectorGuard(token: "0123", port: 4_041)
        #expect(Self.code(rules) == "token_required")
        #expect(Self.code(rules, path: "/", token: "0124") == "token_required")
        #expect(
            Self.code(rules, path: "/", token: "0123")
                == "culvert_inspector_4041=0123; Path=/; HttpOnly; SameSite=Strict"
        )
        #expect(Self.code(rules, token: "0123") == "allow")
        #expect(Self.code(rules, fields: [("authorization", "bearer 0123")]) == "allow")
        #expect(Self.code(rules, fields: [("authorization", "Bearer 012")]) == "token_required")
        #expect(Self.code(rules, fields: [("cookie", "a=b; culvert_inspector_4041=0123")]) == "allow")
        #expect(Self.code(rules, fields: [("cookie", "culvert_inspector_4040=0123")]) == "token_required")
        #expect(Self.code(rules, host: "evil.example", token: "0123") == "forbidden_host")
        #expect(
            Self.code(rules, fields: [("authorization", "Bearer 0123"), ("sec-fetch-site", "same-site")])
                == "forbidden_origin"
        )
    }

    @Test("The owner of a connection is found in the tables of Linux, if it stands")
    func socketOwner() throws {
        let client = try SocketAddress(ipAddress: "127.0.0.1", port: 43_210)
        let server = try SocketAddress(ipAddress: "127.0.0.1", port: 4_040)
        func table(_ state: String, local: String = "0100007F:A8CA", remote: String = "0100007F:0FC8") -> String {
            """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
               0: 0100007F:0FC8 0100007F:A8CA 01 00000000:00000000 00:00000000 00000000     0        0 77 1
               1: \(local) \(remote) \(state) 00000000:00000000 00:00000000 00000000  1234        0 78 1

            """
        }
        #expect(SocketOwner.userID(local: client, remote: server, tables: [table("01")]) == 1_234)
        // A socket that its program has closed has no owner, which looks like root.
        #expect(SocketOwner.userID(local: client, remote: server, tables: [table("05")]) == nil)
        #expect(SocketOwner.userID(local: server, remote: client, tables: ["", table("01")]) == 0)
        let mapped = table(
            "01",
            local: "0000000000000000FFFF00000100007F:A8CA",
            remote: "0000000000000000FFFF00000100007F:0FC8"
        )
        #expect(SocketOwner.userID(local: client, remote: server, tables: [mapped]) == 1_234)
        let six = try SocketAddress(ipAddress: "::1", port: 43_210)
        let sixServer = try SocketAddress(ipAddress: "::1", port: 4_040)
        let table6 = table(
            "01",
            local: "00000000000000000000000001000000:A8CA",
            remote: "00000000000000000000000001000000:0FC8"
        )
        #expect(SocketOwner.userID(local: six, remote: sixServer, tables: [table6]) == 1_234)
        #expect(SocketOwner.userID(local: six, remote: sixServer, tables: ["nonsense\nline\n"]) == nil)
    }
}
