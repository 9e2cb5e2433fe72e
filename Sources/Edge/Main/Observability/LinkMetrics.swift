// SPDX-License-Identifier: Apache-2.0

import EdgeLinks
import EdgeTunnels
import Metrics
import Protocol

/// The figures of links to other edges.
struct LinkMetrics: LinkRecorder {
    private let ready: Meter
    private let silent: Meter
    private let ending: Meter
    private let outgoing: Meter
    private let incoming: Meter
    private let rejects: [ErrorCode: Counter]
    private let otherRejects: Counter
    private let failures: Counter
    private let relayed: Counter
    private let refused: Counter
    private let strangers: Counter
    private let guests: Meter

    /// What REJECT says (docs/protocol.md §B.11).
    private static let rejectCodes: [ErrorCode] = [
        .connectRefused, .connectTimeout, .hostUnreachable, .dnsFailure, .localTLSError, .targetUnknown, .overloaded,
        .policyDenied, .unsupportedKind, .unsupportedMetadata, .draining,
    ]

    /// Makes figures that begin with zero.
    init(_ registry: MetricRegistry) {
        func links(_ state: String) -> Meter {
            Meter(label: "culvert_links", dimensions: [("state", state)], factory: registry)
        }
        func active(_ direction: String) -> Meter {
            Meter(label: "culvert_active_link_streams", dimensions: [("direction", direction)], factory: registry)
        }
        func rejects(_ code: ErrorCode) -> Counter {
            let dimensions = [("code", code.description)]
            return Counter(label: "culvert_link_rejects_total", dimensions: dimensions, factory: registry)
        }
        func streams(_ result: String) -> Counter {
            Counter(label: "culvert_link_streams_total", dimensions: [("result", result)], factory: registry)
        }
        (self.ready, self.silent, self.ending) = (links("ready"), links("silent"), links("ending"))
        (self.outgoing, self.incoming) = (active("out"), active("in"))
        self.rejects = Dictionary(uniqueKeysWithValues: Self.rejectCodes.map { ($0, rejects($0)) })
        self.otherRejects = rejects(.internalError)
        self.failures = Counter(label: "culvert_link_failures_total", factory: registry)
        (self.relayed, self.refused) = (streams("relayed"), streams("refused"))
        self.strangers = Counter(label: "culvert_link_refusals_total", factory: registry)
        self.guests = Meter(label: "culvert_guests", factory: registry)
    }

    private func meter(_ state: LinkReach.State) -> Meter {
        switch state {
        case .ready: self.ready
        case .silent: self.silent
        case .over: self.ending
        }
    }

    func linkChanged(from old: LinkReach.State?, to new: LinkReach.State?) {
        guard old != new else { return }
        if let old { self.meter(old).decrement() }
        if let new { self.meter(new).increment() }
    }

    func linkStreamsChanged(from old: LinkFigures, to new: LinkFigures) {
        self.outgoing.increment(by: Double(new.outgoing - old.outgoing))
        self.incoming.increment(by: Double(new.incoming - old.incoming))
    }

    // A code that is none of these is to be treated as INTERNAL_ERROR, so that another edge makes no series.
    func streamRejected(_ code: ErrorCode) { (self.rejects[code] ?? self.otherRejects).increment() }

    func linkFailed() { self.failures.increment() }
    func streamRelayed() { self.relayed.increment() }
    func streamRefused() { self.refused.increment() }
    func linkRefused() { self.strangers.increment() }

    /// How many tunnels are here only because visitors came for them.
    func guestsCounted(_ count: Int) { self.guests.set(count) }

    static let descriptions = [
        MetricDescription("culvert_links", .gauge, "Links to other edges, by how they do"),
        MetricDescription(
            "culvert_active_link_streams",
            .gauge,
            "Streams over links: out to connectors of other edges, in to those of this one"
        ),
        MetricDescription(
            "culvert_link_rejects_total",
            .counter,
            "Streams to connectors of other edges that were refused there, by code"
        ),
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
