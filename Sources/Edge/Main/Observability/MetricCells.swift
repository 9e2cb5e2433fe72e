// SPDX-License-Identifier: Apache-2.0

import Metrics
import Synchronization

/// What one series of a metric holds: the counterpart of a `Counter`, a `Meter` or a `Timer` of swift-metrics.
protocol MetricCell: AnyObject, Sendable {
    /// The value as samples show it.
    var value: MetricValue { get }
}

/// The value of a series.
enum MetricValue: Sendable {
    case number(Double)
    case histogram(LatencyHistogram)
}

/// A number that only grows.
final class CounterCell: MetricCell, CounterHandler {
    private let count = Atomic<Int64>(0)

    var value: MetricValue { .number(Double(self.count.load(ordering: .relaxed))) }

    func increment(by amount: Int64) { self.count.wrappingAdd(max(0, amount), ordering: .relaxed) }

    func reset() { self.count.store(0, ordering: .relaxed) }
}

/// A number that goes up and down.
final class GaugeCell: MetricCell, MeterHandler, RecorderHandler {
    private let number = Mutex(0.0)

    var value: MetricValue { .number(self.number.withLock { $0 }) }

    func set(_ value: Int64) { self.set(Double(value)) }

    func set(_ value: Double) { self.number.withLock { $0 = value } }

    func increment(by amount: Double) { self.number.withLock { $0 += amount } }

    func decrement(by amount: Double) { self.number.withLock { $0 -= amount } }

    func record(_ value: Int64) { self.set(Double(value)) }

    func record(_ value: Double) { self.set(value) }
}

/// How often something took how long.
final class HistogramCell: MetricCell, TimerHandler, RecorderHandler {
    private let histogram = Mutex(LatencyHistogram())

    var value: MetricValue { .histogram(self.histogram.withLock { $0 }) }

    func recordNanoseconds(_ duration: Int64) { self.record(Double(duration) / 1e9) }

    func record(_ value: Int64) { self.record(Double(value)) }

    func record(_ value: Double) { self.histogram.withLock { $0.record(seconds: value) } }
}
