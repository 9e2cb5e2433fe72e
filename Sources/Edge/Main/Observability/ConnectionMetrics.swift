// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTCP
import Metrics

/// The figures of connections to ports of tunnels, and of those that came with an access token.
struct ConnectionMetrics: Sendable {
    private let active: [TunnelKind: Meter]
    private let total: [TunnelKind: Counter]
    private let errors: [ConnectionFault: Counter]
    private let received: Counter
    private let sent: Counter

    private static let kinds = TunnelKind.allCases

    /// Makes figures that are all zero; series that begin with their first event show Prometheus no increase.
    init(_ registry: MetricRegistry) {
        self.active = Dictionary(
            uniqueKeysWithValues: Self.kinds.map { kind in
                let dimensions = [("kind", kind.rawValue)]
                return (kind, Meter(label: "culvert_active_connections", dimensions: dimensions, factory: registry))
            }
        )
        self.total = Dictionary(
            uniqueKeysWithValues: Self.kinds.map { kind in
                let dimensions = [("kind", kind.rawValue)]
                return (kind, Counter(label: "culvert_connections_total", dimensions: dimensions, factory: registry))
            }
        )
        self.errors = Dictionary(
            uniqueKeysWithValues: ConnectionFault.allCases.map { fault in
                let dimensions = [("code", fault.rawValue)]
                return (
                    fault,
                    Counter(label: "culvert_connection_errors_total", dimensions: dimensions, factory: registry)
                )
            }
        )
        self.received = Counter(label: "culvert_connection_received_bytes_total", factory: registry)
        self.sent = Counter(label: "culvert_connection_sent_bytes_total", factory: registry)
    }

    /// A connection has begun.
    func started(_ kind: TunnelKind) {
        self.active[kind]?.increment()
        self.total[kind]?.increment()
    }

    /// A connection is over.
    func finished(_ entry: ConnectionEntry) {
        self.active[entry.kind]?.decrement()
        self.received.increment(by: entry.bytesReceived)
        self.sent.increment(by: entry.bytesSent)
        if let fault = entry.fault { self.errors[fault]?.increment() }
    }

    /// What docs/metrics.md explains, in its order.
    static let descriptions = [
        MetricDescription(
            "culvert_active_connections",
            .gauge,
            "Connections of visitors to tunnels of TCP and TLS, and of those with access tokens, by kind"
        ),
        MetricDescription("culvert_connections_total", .counter, "Such connections so far, by kind"),
        MetricDescription(
            "culvert_connection_errors_total",
            .counter,
            "Such connections that did not end in order, by code"
        ),
        MetricDescription(
            "culvert_connection_received_bytes_total",
            .counter,
            "Bytes from visitors of such connections that are over"
        ),
        MetricDescription(
            "culvert_connection_sent_bytes_total",
            .counter,
            "Bytes to visitors of such connections that are over"
        ),
    ]
}
