// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

extension MetricCase {
    /// The figures of connections to tunnels of TCP.
    static var connections: [MetricCase] {
        [
            Self.connection("culvert_active_connections") { edge, visitor in
                #expect(try await edge.metric("culvert_active_connections", "tcp") == 1)
                try await visitor.close()
                try await edge.until("it falls") { try await edge.metric("culvert_active_connections") == 0 }
            },
            Self.connection("culvert_connections_total") { edge, _ in
                let value = try await edge.metric("culvert_connections_total", "tcp")
                #expect(value == 1)
            },
            MetricCase("culvert_connection_errors_total") { _ in
                try await EdgeUnderTest.run(tcpPort: { ["--tcp-ports", "\($0)"] }) { edge, port in
                    let tunnel = try await edge.makeTunnel(#"{"kind":"tcp","policy":{"ip_deny":["0.0.0.0/0"]}}"#)
                    _ = try await edge.connect(tunnel, origin: .says("hello"))
                    // The reset may come before the system has told that the connection stands.
                    _ = try? await edge.visit(port)
                    try await edge.until("it rises") {
                        try await edge.metric("culvert_connection_errors_total", "access_denied") == 1
                    }
                    #expect(try await edge.metric("culvert_connection_errors_total") == 1)
                }
            },
            Self.connection("culvert_connection_received_bytes_total") { edge, visitor in
                try await visitor.send("six by")
                try await edge.until("they arrive") { try await edge.metric("culvert_streams") == 1 }
                try await visitor.close()
                try await edge.until("it rises") {
                    try await edge.metric("culvert_connection_received_bytes_total") == 6
                }
            },
            Self.connection("culvert_connection_sent_bytes_total") { edge, visitor in
                #expect(try await visitor.text(until: "hello") == "hello")
                try await visitor.close()
                try await edge.until("it rises") { try await edge.metric("culvert_connection_sent_bytes_total") == 5 }
            },
        ]
    }

    /// A case with a visitor at the port of a tunnel whose origin says hello.
    private static func connection(
        _ name: String,
        _ show: @escaping @Sendable (EdgeUnderTest, RawVisitor) async throws -> Void
    ) -> MetricCase {
        MetricCase(name) { _ in
            try await EdgeUnderTest.run(tcpPort: { ["--tcp-ports", "\($0)"] }) { edge, port in
                let tunnel = try await edge.makeTunnel(#"{"kind":"tcp"}"#)
                _ = try await edge.connect(tunnel, origin: .says("hello"))
                let visitor = try await edge.visit(port)
                try await edge.until("it has begun") { try await edge.metric("culvert_connections_total") == 1 }
                try await show(edge, visitor)
            }
        }
    }
}
