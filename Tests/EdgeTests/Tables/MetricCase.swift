// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Program
import Protocol
import RedisServer
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

/// A metric, moved by what it is about.
struct MetricCase: Sendable, CustomTestStringConvertible {
    let name: String
    /// Makes an edge do what the metric is about, and sees it move.
    let show: @Sendable (EdgeUnderTest) async throws -> Void
    /// Settings that the case needs.
    let settings: [String]

    init(_ name: String, settings: [String] = [], _ show: @escaping @Sendable (EdgeUnderTest) async throws -> Void) {
        self.name = name
        self.settings = settings
        self.show = show
    }

    var testDescription: String { self.name }

    /// One case a metric.
    static var all: [MetricCase] {
        [
            MetricCase("culvert_build_info") { edge in
                let value = try await edge.metric("culvert_build_info", "version=\"\(ProgramVersion.current)\"")
                #expect(value == 1)
            },
            MetricCase("culvert_active_sessions") { edge in
                let connector = try await edge.connect(try await edge.makeTunnel())
                #expect(try await edge.metric("culvert_active_sessions") == 1)
                try await connector.drop()
                try await edge.until("it falls") { try await edge.metric("culvert_active_sessions") == 0 }
            },
            MetricCase("culvert_sessions_total") { edge in
                for count in 1...2 {
                    let connector = try await edge.connect(try await edge.makeTunnel())
                    #expect(try await edge.metric("culvert_sessions_total") == Double(count))
                    try await connector.drop()
                    try await edge.until("the session is over") {
                        try await edge.metric("culvert_active_sessions") == 0
                    }
                }
            },
            MetricCase("culvert_sessions_suspended") { edge in
                let tunnel = try await edge.makeTunnel()
                let connector = try await edge.connect(tunnel, isResumable: true)
                try await connector.drop()
                try await edge.until("it rises") { try await edge.metric("culvert_sessions_suspended") == 1 }
                #expect(try await edge.metric("culvert_active_sessions") == 0)
                _ = try await edge.connect(tunnel, resuming: connector)
                #expect(try await edge.metric("culvert_sessions_suspended") == 0)
                #expect(try await edge.metric("culvert_sessions_total") == 1)
                #expect(try await edge.get("/\(tunnel.tunnelID)/").body == "ok")
            },
            Self.resumption("culvert_sessions_resumed_total", "culvert_sessions_resumed_total"),
            Self.resumption("culvert_resume_seconds", "culvert_resume_seconds_count"),
            MetricCase("culvert_connectors_refused_total") { edge in
                _ = try await edge.upgrade(try await edge.makeTunnel().tunnelID, token: "not.a.token")
                #expect(try await edge.metric("culvert_connectors_refused_total") == 1)
            },
            MetricCase("culvert_connectors_put_off_total", settings: ["--limits-connects-per-second", "1"]) { edge in
                let tunnel = try await edge.makeTunnel()
                var answer = try await edge.upgrade(tunnel.tunnelID, token: tunnel.token)
                for _ in 0..<50 where answer.status != 503 {
                    answer = try await edge.upgrade(tunnel.tunnelID, token: tunnel.token)
                }
                #expect(try await edge.metric("culvert_connectors_put_off_total") == 1)
            },
            MetricCase("culvert_active_requests") { edge in
                let tunnel = try await edge.makeTunnel()
                let connector = try await edge.connect(tunnel, origin: .silent)
                async let answer = edge.get("/\(tunnel.tunnelID)/")
                try await edge.until("it rises") { try await edge.metric("culvert_active_requests") == 1 }
                try await edge.until("the request is at the origin") {
                    connector.opened.withLockedValue { !$0.isEmpty }
                }
                try await connector.answer("HTTP/1.1 204 No Content\r\n\r\n")
                #expect(try await answer.status == 204)
                try await edge.until("it falls") { try await edge.metric("culvert_active_requests") == 0 }
            },
            MetricCase("culvert_requests_total") { edge in
                _ = try await edge.get("/nobody/")
                try await edge.until("it rises") { try await edge.metric("culvert_requests_total", "4xx") == 1 }
            },
            MetricCase("culvert_errors_total") { edge in
                _ = try await edge.get("/nobody/")
                try await edge.until("it rises") {
                    try await edge.metric("culvert_errors_total", "tunnel_not_found") == 1
                }
                #expect(try await edge.metric("culvert_errors_total") == 1)
            },
            MetricCase("culvert_session_limits_total") { edge in
                let connector = try await edge.connect(try await edge.makeTunnel())
                try await connector.breakLimit()
                try await edge.until("it rises") { try await edge.metric("culvert_session_limits_total") >= 1 }
            },
            MetricCase("culvert_received_bytes_total") { edge in
                let tunnel = try await edge.makeTunnel()
                _ = try await edge.connect(tunnel)
                _ = try await edge.get("/\(tunnel.tunnelID)/", method: "POST", body: "twelve bytes")
                try await edge.until("it rises") { try await edge.metric("culvert_received_bytes_total") == 12 }
            },
            MetricCase("culvert_sent_bytes_total") { edge in
                let tunnel = try await edge.makeTunnel()
                _ = try await edge.connect(tunnel)
                let before = try await edge.metric("culvert_sent_bytes_total")
                #expect(try await edge.get("/\(tunnel.tunnelID)/").body == "ok")
                try await edge.until("it rises") { try await edge.metric("culvert_sent_bytes_total") == before + 2 }
            },
            Self.duration("culvert_request_seconds"), Self.duration("culvert_overhead_seconds"),
            Self.duration("culvert_origin_seconds"),
            MetricCase("culvert_streams") { edge in
                let tunnel = try await edge.makeTunnel()
                let connector = try await edge.connect(tunnel, origin: .silent)
                async let answer = edge.get("/\(tunnel.tunnelID)/")
                try await edge.until("it rises") { try await edge.metric("culvert_streams") == 1 }
                try await connector.drop()
                _ = try await answer
                try await edge.until("it falls") { try await edge.metric("culvert_streams") == 0 }
            },
            MetricCase("culvert_window_stalls_total") { edge in
                let tunnel = try await edge.makeTunnel()
                // Nobody at the origin takes the body, so that its credit ends.
                _ = try await edge.connect(tunnel, origin: .deaf)
                let visitor = try await RawVisitor.connect(to: edge.addresses.listen)
                let head = "POST /\(tunnel.tunnelID)/ HTTP/1.1\r\nHost: edge.example\r\nContent-Length: 1048576\r\n\r\n"
                try await visitor.send(head + String(repeating: "x", count: 512 << 10))
                try await edge.until("it rises") { try await edge.metric("culvert_window_stalls_total") >= 1 }
                try await visitor.close()
            },
            MetricCase("culvert_retries_total") { edge in
                let tunnel = try await edge.makeTunnel()
                _ = try await edge.connect(tunnel, origin: .rejects(.draining))
                _ = try await edge.connect(tunnel, bundle: 2, sessions: 2)
                // Whichever session is tried first, within two requests one is refused and sent to the other.
                for _ in 0..<2 { #expect(try await edge.get("/\(tunnel.tunnelID)/").status == 200) }
                #expect(try await edge.metric("culvert_retries_total") >= 1)
            },
            MetricCase("culvert_rate_limit_callers") { edge in
                _ = try await edge.call("GET", "tunnels/list")
                #expect(try await edge.metric("culvert_rate_limit_callers") == 1)
                _ = try await edge.call("GET", "tunnels/list", key: "cvk_wrong")
                #expect(try await edge.metric("culvert_rate_limit_callers") == 2)
            },
            MetricCase("culvert_event_loop_lag_seconds") { edge in
                try await edge.until("it is measured") {
                    try await edge.metric("culvert_event_loop_lag_seconds_count") >= 1
                }
            },
        ] + Self.connections + Self.links + Self.inbox + [
            MetricCase("culvert_registry_up", settings: ["--cluster-redis-url", "redis://127.0.0.1:1"]) { edge in
                #expect(try await edge.metric("culvert_registry_up") == 0)
                let server = try RedisServer()
                try await EdgeUnderTest.run(["--cluster-redis-url", "redis://127.0.0.1:\(server.port)"]) {
                    try await $0.connectsToRegistry()
                }
            },
            MetricCase("culvert_registry_seconds") { _ in
                let server = try RedisServer()
                try await EdgeUnderTest.run(["--cluster-redis-url", "redis://127.0.0.1:\(server.port)"]) { edge in
                    try await edge.connectsToRegistry()
                    _ = try await edge.makeTunnel()
                    #expect(try await edge.metric("culvert_registry_seconds_count", "create") == 1)
                }
            },
            MetricCase("culvert_registry_errors_total", settings: ["--cluster-redis-url", "redis://127.0.0.1:1"]) {
                let edge = $0
                _ = try await edge.get("/nobody/")
                try await edge.until("it rises") {
                    try await edge.metric("culvert_registry_errors_total", "find") == 1
                }
            },
            MetricCase("culvert_log_lines_dropped_total") { edge in
                let before = try await edge.metric("culvert_log_lines_dropped_total")
                // A disk that is full.
                QueuedLines.file { _ in false }.write("lost\n") { _ in "" }
                try await edge.until("it rises") {
                    try await edge.metric("culvert_log_lines_dropped_total") >= before + 1
                }
            },
            MetricCase("process_resident_memory_bytes") { edge in
                let value = try await edge.metric("process_resident_memory_bytes")
                #expect(value > 1_000_000)
            },
            MetricCase("process_cpu_seconds_total") { edge in
                let before = try await edge.metric("process_cpu_seconds_total")
                try await edge.until("it rises") { try await edge.metric("process_cpu_seconds_total") > before }
            },
            MetricCase("process_open_fds") { edge in
                var visitors: [RawVisitor] = []
                for _ in 0..<200 { visitors.append(try await RawVisitor.connect(to: edge.addresses.listen)) }
                // Both ends of each are in this process.
                let open = try await edge.metric("process_open_fds")
                #expect(open >= 400)
                for visitor in visitors { try await visitor.close() }
                try await edge.until("it falls") { try await edge.metric("process_open_fds") < open - 100 }
            },
            MetricCase("process_threads") { edge in
                let before = try await edge.metric("process_threads")
                let group = MultiThreadedEventLoopGroup(numberOfThreads: 32)
                #expect(try await edge.metric("process_threads") >= before + 16)
                try await group.shutdownGracefully()
            },
        ]
    }

    /// What is one more after each return of a connector.
    private static func resumption(_ name: String, _ series: String) -> MetricCase {
        MetricCase(name) { edge in
            let tunnel = try await edge.makeTunnel()
            let connector = try await edge.connect(tunnel, isResumable: true)
            try await connector.drop()
            _ = try await edge.connect(tunnel, resuming: connector)
            #expect(try await edge.metric(series) == 1)
        }
    }

    /// A histogram that has one more value after each request.
    private static func duration(_ name: String) -> MetricCase {
        MetricCase(name) { edge in
            let tunnel = try await edge.makeTunnel()
            _ = try await edge.connect(tunnel)
            let before = try await edge.metric("\(name)_count")
            #expect(try await edge.get("/\(tunnel.tunnelID)/").status == 200)
            try await edge.until("it rises") { try await edge.metric("\(name)_count") == before + 1 }
        }
    }
}
