// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import NIOConcurrencyHelpers
import Program
import Protocol
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

extension CodeCase {
    /// What visitors meet.
    static var visitors: [CodeCase] {
        [
            Self.edge(.visitor, "tunnel_not_found", 404) { try await $0.get("/nobody/") },
            CodeCase(.visitor, "tls_required", 400) {
                var met: Met?
                try await SettingCase.withCertificates { folder in
                    let files = ["tls.crt", "tls.key"].map { folder.appending(path: $0).path }
                    let settings = ["--tls-certificate", files[0], "--tls-key", files[1]]
                    try await EdgeUnderTest.run(settings) { met = Met(try await $0.get("/nobody/")) }
                }
                return try #require(met)
            },
            Self.edge(.visitor, "tunnel_ambiguous", 409) { edge in
                var cookie = ""
                for name in ["one-app", "two-app"] {
                    let tunnel = try await edge.makeTunnel(#"{"name":"\#(name)"}"#)
                    let connector = try await edge.connect(tunnel)
                    let fields = [("Host", "edge.example"), ("Sec-Fetch-Dest", "document"), ("Cookie", cookie)]
                    let page = try await edge.get("/\(name)/", fields: fields)
                    cookie = String((page["Set-Cookie"] ?? "").prefix { $0 != ";" })
                    try await connector.drop()
                }
                return try await edge.get("/assets/app.js", fields: [("Host", "edge.example"), ("Cookie", cookie)])
            },
            Self.edge(.visitor, "tunnel_offline", 503) { edge in
                try await edge.get("/\(try await edge.makeTunnel().tunnelID)/")
            },
            Self.behind(.rejects(.connectRefused), "origin_refused", 502),
            Self.behind(.rejects(.dnsFailure), "origin_unresolved", 502),
            Self.behind(.rejects(.localTLSError), "origin_tls_failed", 502),
            Self.behind(.rejects(.connectTimeout), "origin_connect_timeout", 504),
            Self.behind(.hangsUp, "origin_closed", 502),
            Self.behind(.answers("220 this is a mail server\r\n"), "origin_invalid_response", 502),
            Self.behind(.silent, "origin_timeout", 504, settings: ["--tunnel-request-timeout", "1s"]),
            Self.edge(.visitor, "session_lost", 502) { edge in
                let tunnel = try await edge.makeTunnel()
                let connector = try await edge.connect(tunnel, origin: .silent)
                // Not repeated, since the origin may have acted on it.
                async let answer = edge.get("/\(tunnel.tunnelID)/", method: "POST", body: "order")
                try await edge.until("the request is at the origin") {
                    connector.opened.withLockedValue { !$0.isEmpty }
                }
                try await connector.drop()
                return try await answer
            },
            Self.behind(.rejects(.overloaded), "too_many_streams", 503),
            Self.edge(.visitor, "too_many_connections", 503, settings: ["--http-max-connections", "1"]) { edge in
                let first = try await RawVisitor.connect(to: edge.addresses.listen)
                try await first.send("GET /nobody/ HTTP/1.1\r\nHost: edge.example\r\n\r\n")
                _ = try await first.answer()
                return try await edge.get("/nobody/")
            },
            Self.edge(.visitor, "too_many_from_visitor", 429) { edge in
                let tunnel = try await edge.makeTunnel(#"{"policy":{"max_requests_per_visitor":1}}"#)
                _ = try await edge.connect(tunnel, origin: .silent)
                // One of the two is refused: the second, or the first once it has been idle for a second.
                return try await withThrowingTaskGroup { visitors in
                    for _ in 0..<2 {
                        visitors.addTask {
                            let visitor = try await RawVisitor.connect(to: edge.addresses.listen)
                            try await visitor.send("GET /\(tunnel.tunnelID)/ HTTP/1.1\r\nHost: edge.example\r\n\r\n")
                            return try await visitor.answer()
                        }
                    }
                    defer { visitors.cancelAll() }
                    return try #require(try await visitors.next())
                }
            },
            Self.edge(.visitor, "rate_limited", 429) { edge in
                let tunnel = try await edge.makeTunnel(#"{"policy":{"requests_per_second":1}}"#)
                var answer = try await edge.get("/\(tunnel.tunnelID)/")
                for _ in 0..<50 where answer.status != 429 { answer = try await edge.get("/\(tunnel.tunnelID)/") }
                #expect(answer["Retry-After"] == "1")
                return answer
            },
            Self.edge(.visitor, "access_denied", 403) { edge in
                let tunnel = try await edge.makeTunnel(#"{"policy":{"ip_deny":["127.0.0.0/8"]}}"#)
                let answer = try await edge.get("/\(tunnel.tunnelID)/")
                #expect(answer.problem?.detail?.hasPrefix("It is 127.0.0.1.") == true)
                return answer
            },
            Self.edge(.visitor, "login_required", 401) { edge in
                let policy = #"{"policy":{"basic_auth":[{"username":"ann","password":"a-long-password"}]}}"#
                let answer = try await edge.get("/\(try await edge.makeTunnel(policy).tunnelID)/")
                #expect(answer["WWW-Authenticate"]?.hasPrefix("Basic realm=") == true)
                return answer
            },
            Self.edge(.visitor, "loop_detected", 508) { edge in
                let tunnel = try await edge.makeTunnel()
                // What comes back from a connector whose target is the edge has lost what named the tunnel.
                let id = tunnel.tunnelID
                for (path, sender, status) in [
                    ("/", id, 508), ("/assets/app.js", id, 508), ("/about", id, 508), ("/", "nobody", 404),
                ] {
                    let fields = [("Host", "h"), ("Culvert-Hops", "1"), ("X-Forwarded-Prefix", "/\(sender)")]
                    #expect(try await edge.get(path, fields: fields).status == status, "\(path) of \(sender)")
                }
                return try await edge.get("/\(id)/", fields: [("Host", "h"), ("Culvert-Hops", "5")])
            },
            Self.edge(
                .visitor,
                "registry_unavailable",
                503,
                settings: ["--cluster-redis-url", "redis://127.0.0.1:1"]
            ) { edge in
                let answer = try await edge.get("/nobody/")
                #expect(answer["Retry-After"] == "1")
                return answer
            },
            Self.edge(.visitor, "bad_request", 400) { try await $0.get("/nobody/", fields: []) },
            Self.edge(.visitor, "header_too_large", 431, settings: ["--http-max-head-size", "1KiB"]) { edge in
                try await edge.get("/nobody/", fields: [("Host", "h"), ("X", String(repeating: "x", count: 2000))])
            },
            Self.edge(.visitor, "request_timeout", 408, settings: ["--http-head-timeout", "1s"]) { edge in
                let visitor = try await RawVisitor.connect(to: edge.addresses.listen)
                try await visitor.send("GET / HTTP/1.1\r\n")
                return try await visitor.answer()
            },
            Self.edge(.visitor, "version_not_supported", 505) { edge in
                let visitor = try await RawVisitor.connect(to: edge.addresses.listen)
                try await visitor.send("GET / HTTP/3.0\r\nHost: h\r\n\r\n")
                return try await visitor.answer()
            },
        ]
    }

    /// A request for a tunnel whose connector has such an origin.
    private static func behind(
        _ origin: ScriptedConnector.Origin,
        _ code: String,
        _ status: Int,
        settings: [String] = []
    ) -> CodeCase {
        Self.edge(.visitor, code, status, settings: settings) { edge in
            let tunnel = try await edge.makeTunnel()
            _ = try await edge.connect(tunnel, origin: origin)
            return try await edge.get("/\(tunnel.tunnelID)/")
        }
    }
}
