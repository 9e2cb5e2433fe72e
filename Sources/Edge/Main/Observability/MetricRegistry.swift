// SPDX-License-Identifier: Apache-2.0

import Metrics
import Synchronization

/// What is said of a metric before it has a value.
struct MetricDescription: Sendable {
    var name: String
    var kind: PrometheusText.Kind
    var help: String

    init(_ name: String, _ kind: PrometheusText.Kind, _ help: String) {
        self.name = name
        self.kind = kind
        self.help = help
    }
}

/// The edge's backend of swift-metrics: keeps what is counted and measured, and writes it as Prometheus reads it.
///
/// It holds a bounded number of series. Whatever is asked for beyond them counts, but is not kept: memory and the
/// answer to Prometheus stay bounded, whoever names metrics.
final class MetricRegistry: MetricsFactory {
    /// Series that are kept, a histogram being one.
    static let maxSeries = 512

    private struct Family {
        var description: MetricDescription
        var series: [(labels: String, cell: any MetricCell)] = []
    }

    private struct State {
        var families: [Family] = []
        var indices: [String: Int] = [:]
        /// By name and labels.
        var cells: [String: any MetricCell] = [:]
    }

    private let state = Mutex(State())

    /// Makes a registry without series.
    ///
    /// - Parameter descriptions: The metrics that it knows; they are written first, in this order.
    init(_ descriptions: [MetricDescription] = []) {
        self.state.withLock { state in
            for description in descriptions {
                state.indices[description.name] = state.families.count
                state.families.append(Family(description: description))
            }
        }
    }

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        self.cell(label, dimensions, .counter) { CounterCell() }
    }

    func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        self.cell(label, dimensions, .gauge) { GaugeCell() }
    }

    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        if aggregate { return self.cell(label, dimensions, .histogram) { HistogramCell() } }
        return self.cell(label, dimensions, .gauge) { GaugeCell() }
    }

    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        self.cell(label, dimensions, .histogram) { HistogramCell() }
    }

    // A series that was shown once goes on being shown, as Prometheus expects it of counters.
    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyMeter(_ handler: any MeterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}

    /// The series with that name and these labels: the one that is there, or a new one.
    private func cell<Cell: MetricCell>(
        _ label: String,
        _ dimensions: [(String, String)],
        _ kind: PrometheusText.Kind,
        make: () -> Cell
    ) -> Cell {
        let name = PrometheusText.name(label)
        let labels = PrometheusText.labels(dimensions)
        return self.state.withLock { state in
            let key = "\(name){\(labels)}"
            if let cell = state.cells[key] as? Cell { return cell }
            let known = state.indices[name]
            // Somebody else's metric of another kind can't be shown under the same name.
            let isOfKind = known.map { state.families[$0].description.kind == kind } ?? true
            guard isOfKind, state.cells.count < Self.maxSeries else { return make() }
            let index = known ?? state.families.count
            if known == nil {
                state.indices[name] = index
                state.families.append(Family(description: MetricDescription(name, kind, "Recorded by a library")))
            }
            let cell = make()
            state.cells[key] = cell
            state.families[index].series.append((labels, cell))
            return cell
        }
    }

    /// Writes all metrics.
    func write(to text: inout PrometheusText) {
        for family in self.state.withLock({ $0.families }) {
            text.add(family.description, family.series.map { ($0.labels, $0.cell.value) })
        }
    }
}
