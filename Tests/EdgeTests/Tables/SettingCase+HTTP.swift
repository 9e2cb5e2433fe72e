// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import NIOCore
import Program
import Protocol
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

extension SettingCase {
    /// The connections and requests of visitors.
    static var http: [SettingCase] {
        [
            SettingCase("http.head-timeout") {
                try await EdgeUnderTest.run(["--http-head-timeout", "1s"]) { edge in
                    let visitor = try await RawVisitor.connect(to: edge.addresses.listen)
                    try await visitor.send("GET / HTTP/1.1\r\nHost:")
                    #expect(try await visitor.answer(within: .seconds(8))["Culvert-Error"] == "request_timeout")
                }
            },
            SettingCase("http.keep-alive-timeout") {
                try await EdgeUnderTest.run(["--http-keep-alive-timeout", "1s"]) { edge in
                    let visitor = try await RawVisitor.connect(to: edge.addresses.listen)
                    try await visitor.send("GET /nobody/ HTTP/1.1\r\nHost: edge.example\r\n\r\n")
                    #expect(try await visitor.answer()["Connection"] != "close")
                    try await visitor.end(within: .seconds(20))
                }
            },
            SettingCase("http.stall-timeout") {
                try await EdgeUnderTest.run(["--http-stall-timeout", "1s"]) { edge in
                    let visitor = try await RawVisitor.connect(to: edge.addresses.listen)
                    let head = "POST /api/tunnels/create HTTP/1.1\r\nHost: edge.example\r\nContent-Length: 10\r\n\r\n"
                    try await visitor.send(head + "{")
                    #expect(try await visitor.answer(within: .seconds(20))["Culvert-Error"] == "request_timeout")
                }
            },
            SettingCase("http.max-head-size") {
                let fields = [("Host", "edge.example"), ("X-Long", String(repeating: "x", count: 2000))]
                try await EdgeUnderTest.run(["--http-max-head-size", "1KiB"]) { edge in
                    let answer = try await edge.get("/nobody/", fields: fields)
                    #expect(answer["Culvert-Error"] == "header_too_large")
                }
                try await EdgeUnderTest.run { edge in
                    let answer = try await edge.get("/nobody/", fields: fields)
                    #expect(answer["Culvert-Error"] == "tunnel_not_found")
                }
            },
            SettingCase("http.max-fields") {
                let fields = [("Host", "edge.example")] + (1...20).map { ("X-\($0)", "x") }
                try await EdgeUnderTest.run(["--http-max-fields", "8"]) { edge in
                    let answer = try await edge.get("/nobody/", fields: fields)
                    #expect(answer["Culvert-Error"] == "header_too_large")
                }
                try await EdgeUnderTest.run { edge in
                    let answer = try await edge.get("/nobody/", fields: fields)
                    #expect(answer["Culvert-Error"] == "tunnel_not_found")
                }
            },
            SettingCase("http.max-connections") {
                try await EdgeUnderTest.run(["--http-max-connections", "1"]) { edge in
                    let first = try await RawVisitor.connect(to: edge.addresses.listen)
                    try await first.send("GET /nobody/ HTTP/1.1\r\nHost: edge.example\r\n\r\n")
                    #expect(try await first.answer().status == 404)
                    #expect(try await edge.get("/nobody/")["Culvert-Error"] == "too_many_connections")
                }
            },
            SettingCase("http.max-connections-per-address") {
                for (most, code) in [("1", "too_many_connections"), ("2", "tunnel_not_found")] {
                    try await EdgeUnderTest.run(["--http-max-connections-per-address", most]) { edge in
                        let first = try await RawVisitor.connect(to: edge.addresses.listen)
                        try await first.send("GET /nobody/ HTTP/1.1\r\nHost: edge.example\r\n\r\n")
                        #expect(try await first.answer().status == 404)
                        #expect(try await edge.get("/nobody/")["Culvert-Error"] == code)
                        // The API is asked on the places that are kept for it.
                        #expect(try await edge.call("GET", "tunnels/list").status == 200)
                    }
                }
            },
            SettingCase("http.max-unfinished-size") {
                let half = "GET / HTTP/1.1\r\nX: " + String(repeating: "x", count: 60_000)
                try await EdgeUnderTest.run(["--http-max-unfinished-size", "1MiB", "--event-loops", "1"]) { edge in
                    var visitors: [RawVisitor] = []
                    for _ in 0..<40 {
                        visitors.append(try await RawVisitor.connect(to: edge.addresses.listen))
                        try await visitors.last?.send(half)
                    }
                    #expect(
                        try await visitors[0].answer(within: .seconds(5))["Culvert-Error"] == "too_many_connections"
                    )
                }
            },
            SettingCase("errors.status-map") {
                for (map, status) in [("rfc", 502), ("cdn", 503)] {
                    try await EdgeUnderTest.run(["--errors-status-map", map]) { edge in
                        let tunnel = try await edge.makeTunnel()
                        _ = try await edge.connect(tunnel, origin: .rejects(.connectRefused))
                        let answer = try await edge.get("/\(tunnel.tunnelID)/")
                        #expect(answer.status == status)
                        #expect(answer["Culvert-Error"] == "origin_refused")
                    }
                }
            },
            SettingCase("proxies.trusted") {
                let claim = [("Host", "edge.example"), ("X-Forwarded-For", "192.0.2.7")]
                for (arguments, code) in [
                    (["--proxies-trusted", "127.0.0.1"], "tunnel_offline"), ([], "access_denied"),
                ] {
                    try await EdgeUnderTest.run(arguments) { edge in
                        let tunnel = try await edge.makeTunnel(#"{"policy":{"ip_allow":["192.0.2.7/32"]}}"#)
                        #expect(try await edge.get("/\(tunnel.tunnelID)/", fields: claim)["Culvert-Error"] == code)
                    }
                }
            },
            SettingCase("proxies.client-ip-header") {
                let claim = [("Host", "edge.example"), ("X-Real-Visitor", "192.0.2.7")]
                let trusted = ["--proxies-trusted", "127.0.0.1"]
                for (arguments, code) in [
                    (trusted + ["--proxies-client-ip-header", "X-Real-Visitor"], "tunnel_offline"),
                    (trusted, "access_denied"),
                    (["--proxies-client-ip-header", "X-Real-Visitor"], "access_denied"),
                ] {
                    try await EdgeUnderTest.run(arguments) { edge in
                        let tunnel = try await edge.makeTunnel(#"{"policy":{"ip_allow":["192.0.2.7/32"]}}"#)
                        #expect(try await edge.get("/\(tunnel.tunnelID)/", fields: claim)["Culvert-Error"] == code)
                    }
                }
            },
        ]
    }
}
