// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeInbox
import Metrics

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The figures of webhook inboxes.
final class InboxMetrics: Sendable {
    private let messages: [InboxMessageState: Meter]
    private let bytes: Meter
    private let oldest: Meter
    private let storedMessages: Counter
    private let refusals: [InboxRefusal: Counter]
    private let deliveries: [String: Counter]

    /// What deliveries end with.
    private static let results = ["delivered", "refused", "failed", "unreachable"]

    /// Makes figures that are all zero.
    init(_ registry: MetricRegistry) {
        self.messages = Dictionary(
            uniqueKeysWithValues: InboxMessageState.allCases.map { state in
                let dimensions = [("state", state.rawValue)]
                return (state, Meter(label: "culvert_inbox_messages", dimensions: dimensions, factory: registry))
            }
        )
        self.bytes = Meter(label: "culvert_inbox_bytes", factory: registry)
        self.oldest = Meter(label: "culvert_inbox_oldest_waiting_seconds", factory: registry)
        self.storedMessages = Counter(label: "culvert_inbox_stored_total", factory: registry)
        self.refusals = Dictionary(
            uniqueKeysWithValues: InboxRefusal.allCases.map { reason in
                let dimensions = [("reason", reason.rawValue)]
                return (
                    reason, Counter(label: "culvert_inbox_refused_total", dimensions: dimensions, factory: registry)
                )
            }
        )
        self.deliveries = Dictionary(
            uniqueKeysWithValues: Self.results.map { result in
                let dimensions = [("result", result)]
                return (
                    result, Counter(label: "culvert_inbox_deliveries_total", dimensions: dimensions, factory: registry)
                )
            }
        )
    }

    /// A message was kept.
    func stored() { self.storedMessages.increment() }

    /// A request was not kept.
    func refused(_ reason: InboxRefusal) { self.refusals[reason]?.increment() }

    /// A message was handed over, or not.
    func concluded(_ outcome: DeliveryOutcome) {
        let result =
            switch outcome {
            case .answered(let status, _): (200...299).contains(status) ? "delivered" : "refused"
            case .failed: "failed"
            case .unreachable: "unreachable"
            }
        self.deliveries[result]?.increment()
    }

    /// Shows what is kept.
    func show(_ figures: [TunnelID: InboxFigures], now: Date) {
        self.messages[.waiting]?.set(figures.values.reduce(0) { $0 + $1.waiting })
        self.messages[.delivered]?.set(figures.values.reduce(0) { $0 + $1.delivered })
        self.messages[.dead]?.set(figures.values.reduce(0) { $0 + $1.dead })
        self.bytes.set(figures.values.reduce(0) { $0 + $1.bytes })
        let oldest = figures.values.compactMap(\.oldestWaiting).min()
        self.oldest.set(oldest.map { max(0, now.timeIntervalSince($0)) } ?? 0)
    }

    static let descriptions = [
        MetricDescription("culvert_inbox_messages", .gauge, "Messages that inboxes keep, by state"),
        MetricDescription("culvert_inbox_bytes", .gauge, "Bytes of these messages' heads and bodies"),
        MetricDescription("culvert_inbox_oldest_waiting_seconds", .gauge, "How long the oldest message has waited"),
        MetricDescription("culvert_inbox_stored_total", .counter, "Messages that were kept"),
        MetricDescription("culvert_inbox_refused_total", .counter, "Requests that were not kept, by reason"),
        MetricDescription(
            "culvert_inbox_deliveries_total",
            .counter,
            "Messages handed over to apps, by what came of it"
        ),
    ]
}
