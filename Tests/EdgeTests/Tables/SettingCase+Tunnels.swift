// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Mux
import NIOConcurrencyHelpers
import NIOCore
import Program
import Protocol
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

extension SettingCase {
    /// Tunnels, their connectors and tokens.
    static var tunnels: [SettingCase] {
        [
            SettingCase("tunnel.request-timeout") {
                try await EdgeUnderTest.run(["--tunnel-request-timeout", "1s"]) { edge in
                    let tunnel = try await edge.makeTunnel()
                    _ = try await edge.connect(tunnel, origin: .silent)
                    #expect(try await edge.get("/\(tunnel.tunnelID)/")["Culvert-Error"] == "origin_timeout")
                }
            },
            SettingCase("tunnel.connect-timeout") {
                try await EdgeUnderTest.run(["--tunnel-connect-timeout", "7s"]) { edge in
                    let tunnel = try await edge.makeTunnel()
                    let connector = try await edge.connect(tunnel)
                    #expect(try await edge.get("/\(tunnel.tunnelID)/").status == 200)
                    // The connector is told, and has 5 s more to say what it waited for.
                    #expect(connector.opened.withLockedValue { $0.map(\.deadlineMilliseconds) } == [12_000])
                }
            },
            SettingCase("origin.reuse") {
                for (reuse, streams) in [("safe", 1), ("never", 2)] {
                    try await EdgeUnderTest.run(["--origin-reuse", reuse]) { edge in
                        let tunnel = try await edge.makeTunnel()
                        let connector = try await edge.connect(tunnel)
                        for _ in 0..<2 { #expect(try await edge.get("/\(tunnel.tunnelID)/").status == 200) }
                        #expect(connector.opened.withLockedValue { $0.count } == streams)
                    }
                }
            },
            SettingCase("tunnel.heartbeat-interval") {
                try await EdgeUnderTest.run(["--tunnel-heartbeat-interval", "4s"]) { edge in
                    let connector = try await edge.connect(try await edge.makeTunnel())
                    // Protocol B.9.1: each side pings after a third of its idle time-out.
                    #expect(try await connector.edgeSettings()?.idleTimeoutMilliseconds == 12_000)
                }
            },
            SettingCase("tunnel.reconnect-hold") {
                try await EdgeUnderTest.run(["--tunnel-reconnect-hold", "1m"]) { edge in
                    let tunnel = try await edge.makeTunnel()
                    async let waiting = edge.get("/\(tunnel.tunnelID)/")
                    try await edge.until("the request waits") { try await edge.metric("culvert_active_requests") == 1 }
                    _ = try await edge.connect(tunnel)
                    #expect(try await waiting.status == 200)
                }
                try await EdgeUnderTest.run(["--tunnel-reconnect-hold", "0s"]) { edge in
                    let tunnel = try await edge.makeTunnel()
                    #expect(try await edge.get("/\(tunnel.tunnelID)/")["Culvert-Error"] == "tunnel_offline")
                }
            },
            SettingCase("tunnel.resume") {
                try await EdgeUnderTest.run(["--tunnel-resume", "45s"]) { edge in
                    let connector = try await edge.connect(try await edge.makeTunnel(), isResumable: true)
                    #expect(try await connector.edgeSettings()?.resumeMilliseconds == 45_000)
                }
                try await EdgeUnderTest.run(["--tunnel-resume", "0s"]) { edge in
                    let connector = try await edge.connect(try await edge.makeTunnel(), isResumable: true)
                    #expect(try await connector.edgeSettings()?.resumeKey == nil)
                    try await connector.drop()
                    try await edge.until("the session is over") {
                        try await edge.metric("culvert_active_sessions") == 0
                    }
                    #expect(try await edge.metric("culvert_sessions_suspended") == 0)
                }
            },
            SettingCase("tunnel.unknown-hold") {
                var made: CreateTunnelResponse?
                try await EdgeUnderTest.run { made = try await $0.makeTunnel() }
                let tunnel = try #require(made)
                // Between the connector's token and its session the tunnel is one that waits for its connector. Both edges
                // derive the same signing key from the API key.
                try await EdgeUnderTest.run(["--tunnel-unknown-hold", "1m", "--tunnel-reconnect-hold", "1m"]) { next in
                    async let waiting = next.get("/\(tunnel.tunnelID)/")
                    try await next.until("the request waits") { try await next.metric("culvert_active_requests") == 1 }
                    _ = try await next.connect(tunnel)
                    #expect(try await waiting.status == 200)
                }
                try await EdgeUnderTest.run(["--tunnel-unknown-hold", "0s"]) { next in
                    let answer = try await next.get("/\(tunnel.tunnelID)/")
                    #expect(answer["Culvert-Error"] == "tunnel_not_found")
                }
            },
            SettingCase("tunnel.idle-expiry") {
                try await EdgeUnderTest.run(["--tunnel-idle-expiry", "1s"]) { edge in
                    let tunnel = try await edge.makeTunnel()
                    try await edge.until("the tunnel is forgotten") {
                        try await edge.call("GET", "tunnels/\(tunnel.tunnelID)/status").status == 404
                    }
                }
            },
            SettingCase("tunnel.name-lease") {
                for (lease, status) in [("1h", 409), ("0s", 201)] {
                    try await Self.inFolder { folder in
                        let file = try Self.writeKeys(["cvk_alice": "alice", "cvk_bob": "bob"], in: folder)
                        let arguments = ["--auth-api-keys-file", file, "--tunnel-idle-expiry", "1s"]
                        try await EdgeUnderTest.run(arguments + ["--tunnel-name-lease", lease]) { edge in
                            let mine = #"{"name":"my-app"}"#
                            _ = try await edge.makeTunnel(mine, key: "cvk_alice")
                            try await edge.until("the tunnel is forgotten") {
                                try await edge.call("GET", "tunnels/my-app/status").status == 404
                            }
                            let other = try await edge.call("POST", "tunnels/create", body: mine, key: "cvk_bob")
                            #expect(other.status == status)
                        }
                    }
                }
            },
            SettingCase("tunnel.token-lifetime") {
                try await EdgeUnderTest.run(["--tunnel-token-lifetime", "1h"]) { edge in
                    let ends = try await edge.makeTunnel().expiresAt.timeIntervalSinceNow
                    #expect((3500...3700).contains(ends))
                }
            },
            SettingCase("tunnel.token-overlap") {
                for (overlap, code) in [("1h", nil), ("0s", "invalid_token")] {
                    try await EdgeUnderTest.run(["--tunnel-token-overlap", overlap]) { edge in
                        let tunnel = try await edge.makeTunnel()
                        let new = try await edge.call("POST", "tunnels/\(tunnel.tunnelID)/token")
                        #expect(new.status == 201)
                        let old = try await edge.upgrade(tunnel.tunnelID, token: tunnel.token)
                        #expect(old["Culvert-Error"] == code)
                    }
                }
            },
            SettingCase("tunnel.max-connections") {
                try await EdgeUnderTest.run(["--tunnel-max-connections", "1"]) { edge in
                    let tunnel = try await edge.makeTunnel()
                    let first = try await edge.connect(tunnel)
                    let second = try await edge.connect(tunnel, bundle: 2)
                    try await edge.until("the second is sent away") { second.isClosed }
                    #expect(!first.isClosed)
                }
            },
            SettingCase("tunnel.reserved-names") {
                try await EdgeUnderTest.run(["--tunnel-reserved-names", "billing,www"]) { edge in
                    let answer = try await edge.call("POST", "tunnels/create", body: #"{"name":"billing"}"#)
                    #expect(answer["Culvert-Error"] == "name_reserved")
                    #expect(try await edge.makeTunnel(#"{"name":"my-app"}"#).name == "my-app")
                }
            },
        ]
    }
}
