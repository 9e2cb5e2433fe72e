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
    /// What applies to tunnels of TCP.
    static var tcp: [SettingCase] {
        [
            SettingCase("tcp.ports") {
                try await EdgeUnderTest.run(tcpPort: { port in ["--tcp-ports", "\(port)"] }) { edge, port in
                    let tunnel = try await edge.makeTunnel(#"{"kind":"tcp"}"#)
                    #expect(tunnel.url == "tcp://127.0.0.1:\(port)")
                    _ = try await edge.connect(tunnel, origin: .says("hello"))
                    #expect(try await edge.visit(port).text(until: "hello") == "hello")
                }
                let none = try await EdgeUnderTest.refusal(of: #"{"kind":"tcp"}"#)
                #expect(none["Culvert-Error"] == "kind_not_served")
            },
            SettingCase("tcp.listen") {
                try await EdgeUnderTest.run(tcpPort: { ["--tcp-ports", "\($0)", "--tcp-listen", "::1"] }) {
                    edge,
                    port in
                    let tunnel = try await edge.makeTunnel(#"{"kind":"tcp"}"#)
                    _ = try await edge.connect(tunnel, origin: .says("hello"))
                    #expect(try await edge.visit(port, host: "::1").text(until: "hello") == "hello")
                }
                let problems = EdgeUnderTest.read(["--tcp-listen", "somewhere"]).problems
                #expect(problems.contains { $0.contains("is not an IP address") })
            },
            SettingCase("tcp.host") {
                try await EdgeUnderTest.run(
                    tcpPort: { ["--tcp-ports", "\($0)", "--tcp-host", "tcp.example"] }
                ) { edge, port in
                    let tunnel = try await edge.makeTunnel(#"{"kind":"tcp"}"#)
                    #expect(tunnel.url == "tcp://tcp.example:\(port)")
                }
            },
            Self.refusingVisitor("tcp.max-connections"),
            Self.refusingVisitor("tcp.max-connections-per-address"),
            SettingCase("tcp.idle-timeout") {
                try await EdgeUnderTest.run(
                    tcpPort: { ["--tcp-ports", "\($0)", "--tcp-idle-timeout", "1s"] }
                ) { edge, port in
                    let tunnel = try await edge.makeTunnel(#"{"kind":"tcp"}"#)
                    _ = try await edge.connect(tunnel, origin: .says("hello"))
                    let visitor = try await edge.visit(port)
                    #expect(try await visitor.text(until: "hello") == "hello")
                    try await edge.until("it is ended") {
                        try await edge.metric("culvert_connection_errors_total", "idle_timeout") == 1
                    }
                    try await edge.until("the visitor sees it") { visitor.isClosed }
                }
            },
            SettingCase("tcp.proxy-protocol") {
                let trusted = ["--proxies-trusted", "127.0.0.1", "--tcp-proxy-protocol", "true"]
                try await EdgeUnderTest.run(tcpPort: { ["--tcp-ports", "\($0)"] + trusted }) { edge, port in
                    let tunnel = try await edge.makeTunnel(
                        #"{"kind":"tcp","policy":{"ip_allow":["192.0.2.7/32"]}}"#
                    )
                    _ = try await edge.connect(tunnel, origin: .says("hello"))
                    let visitor = try await edge.visit(port)
                    try await visitor.send("PROXY TCP4 192.0.2.7 198.51.100.1 51000 22\r\n")
                    #expect(try await visitor.text(until: "hello") == "hello")
                    let other = try await edge.visit(port)
                    try await other.send("PROXY TCP4 192.0.2.8 198.51.100.1 51000 22\r\n")
                    try await edge.until("the other one is refused") {
                        try await edge.metric("culvert_connection_errors_total", "access_denied") == 1
                    }
                    let stranger = try await edge.visit(port)
                    try await stranger.send("no header at all")
                    try await edge.until("who sends no header is refused") {
                        try await edge.metric("culvert_connection_errors_total", "proxy_header") == 1
                    }
                    try await edge.until("it is closed") { stranger.isClosed }
                }
                let lonely = EdgeUnderTest.read(["--tcp-proxy-protocol", "true"]).problems
                #expect(lonely.contains { $0.contains("names nobody") })
            },
            SettingCase("http.proxy-protocol") {
                for (trusted, status) in [("127.0.0.1", 404), ("192.0.2.1", 400)] {
                    let settings = ["--http-proxy-protocol", "true", "--proxies-trusted", trusted]
                    try await EdgeUnderTest.run(settings) { edge in
                        let visitor = try await RawVisitor.connect(to: edge.addresses.listen)
                        try await visitor.send(
                            "PROXY TCP4 192.0.2.7 198.51.100.1 51000 80\r\nGET /nobody/ HTTP/1.1\r\nHost: e\r\n\r\n"
                        )
                        #expect(try await visitor.answer().status == status)
                    }
                }
            },
            SettingCase("tls-passthrough.listen") {
                let settings = ["--tls-passthrough-listen", "127.0.0.1:0", "--public-wildcard-domain", "tunnels.test"]
                try await EdgeUnderTest.run(settings) { edge in
                    let tunnel = try await edge.makeTunnel(#"{"kind":"tls","name":"site"}"#)
                    let port = try #require(tunnel.url.split(separator: ":").last.flatMap { Int($0) })
                    #expect(tunnel.url == "tls://site.tunnels.test:\(port)")
                    let visitor = try await edge.visit(port)
                    try await visitor.send("no TLS at all\r\n")
                    try await edge.until("it is refused") {
                        try await edge.metric("culvert_connection_errors_total", "no_server_name") == 1
                    }
                    try await edge.until("it is closed") { visitor.isClosed }
                }
                let none = try await EdgeUnderTest.refusal(of: #"{"kind":"tls"}"#)
                #expect(none["Culvert-Error"] == "kind_not_served")
                let lonely = EdgeUnderTest.read(
                    ["--tls-passthrough-listen", "127.0.0.1:0", "--dev", "false"],
                    without: ["CULVERT_DEV"]
                ).problems
                #expect(lonely.contains { $0.contains("public.wildcard-domain, which is not set") })
            },
        ]
    }

    /// A bound of 1 that refuses the second visitor.
    private static func refusingVisitor(_ key: String) -> SettingCase {
        SettingCase(key) {
            let flag = "--" + key.replacing(".", with: "-")
            try await EdgeUnderTest.run(tcpPort: { ["--tcp-ports", "\($0)", flag, "1"] }) { edge, port in
                let tunnel = try await edge.makeTunnel(#"{"kind":"tcp"}"#)
                _ = try await edge.connect(tunnel, origin: .says("hello"))
                let first = try await edge.visit(port)
                #expect(try await first.text(until: "hello") == "hello")
                // The reset may come before the system has told that the connection stands.
                let second = try? await edge.visit(port)
                try await edge.until("it is refused") {
                    try await edge.metric("culvert_connection_errors_total", "too_many_connections") == 1
                }
                try await edge.until("the second one is closed") { second?.isClosed ?? true }
                #expect(!first.isClosed)
            }
        }
    }
}
