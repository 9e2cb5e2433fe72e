// SPDX-License-Identifier: Apache-2.0

import EdgeLinks
import Metrics

/// The figures of links to other edges.
struct LinkMetrics: LinkRecorder {
    private let links: Meter
    private let failures: Counter
    private let relayed: Counter
    private let refused: Counter
    private let strangers: Counter
    private let guests: Meter

    /// Makes figures that begin with zero.
    init(_ registry: MetricRegistry) {
        self.links = Meter(label: "culvert_links", factory: registry)
        self.failures = Counter(label: "culvert_link_failures_total", factory: registry)
        self.relayed = Self.streams("relayed", registry)
        self.refused = Self.streams("refused", registry)
        self.strangers = Counter(label: "culvert_link_refusals_total", factory: registry)
        self.guests = Meter(label: "culvert_guests", factory: registry)
    }

    private static func streams(_ result: String, _ registry: MetricRegistry) -> Counter {
        Counter(label: "culvert_link_streams_total", dimensions: [("result", result)], factory: registry)
    }

    func linkOpened() { self.links.increment() }
    func linkClosed() { self.links.decrement() }
    func linkFailed() { self.failures.increment() }
    func streamRelayed() { self.relayed.increment() }
    func streamRefused() { self.refused.increment() }
    func linkRefused() { self.strangers.increment() }

    /// How many tunnels are here only because visitors came for them.
    func guestsCounted(_ count: Int) { self.guests.set(count) }

    static let descriptions = [
        MetricDescription("culvert_links", .gauge, "Links to other edges"),
        MetricDescription(
            "culvert_link_failures_total",
            .counter,
            "Edges that could not be reached when they were dialled"
        ),
        MetricDescription("culvert_link_streams_total", .counter, "Streams of other edges, by what became of them"),
        MetricDescription(
            "culvert_link_refusals_total",
            .counter,
            "Tokens at the listener for links that opened none"
        ),
        MetricDescription("culvert_guests", .gauge, "Tunnels that are known here only because visitors came for them"),
    ]
}
