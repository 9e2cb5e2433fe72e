// SPDX-License-Identifier: Apache-2.0

import Metrics
import Testing

@testable import Edge

@Suite("The backend of swift-metrics")
struct MetricRegistryTests {
    private func text(_ registry: MetricRegistry, labels: String = "") -> String {
        var text = PrometheusText(labels: labels)
        registry.write(to: &text)
        return text.description
    }

    @Test("Whatever records through swift-metrics is shown, under a name that Prometheus takes")
    func kinds() {
        let registry = MetricRegistry([MetricDescription("a_total", .counter, "Known")])
        Meter(label: "queue.depth", factory: registry).set(2.5)
        Gauge(label: "2nd", factory: registry).record(7)
        Counter(label: "a_total", factory: registry).increment(by: 3)
        FloatingPointCounter(label: "b_total", factory: registry).increment(by: 2.0)
        Metrics.Timer(label: "c_seconds", factory: registry).recordMilliseconds(20)
        Recorder(label: "d", factory: registry).record(0.2)
        let lines = self.text(registry).split(separator: "\n")
        #expect(lines.first == "# HELP a_total Known")
        for line in [
            "# TYPE a_total counter", "a_total 3", "# TYPE queue_depth gauge", "queue_depth 2.5", "# TYPE _2nd gauge",
            "_2nd 7", "b_total 2", "# TYPE c_seconds histogram", #"c_seconds_bucket{le="0.01"} 0"#,
            #"c_seconds_bucket{le="0.025"} 1"#, "c_seconds_sum 0.02", "c_seconds_count 1", "# TYPE d histogram",
        ] {
            #expect(lines.contains { $0 == line }, "\(line)")
        }
    }

    @Test("The same name with the same labels is the same series, and labels can't forge another")
    func series() {
        let registry = MetricRegistry()
        for _ in 0..<2 { Counter(label: "a", dimensions: [("b", "c")], factory: registry).increment() }
        Counter(label: "a", dimensions: [("b", "\"} 9\n\\")], factory: registry).increment()
        let samples = self.text(registry, labels: #"e="f""#).split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(samples == [#"a{b="c",e="f"} 2"#, #"a{b="\"} 9\n\\",e="f"} 1"#])
    }

    @Test("A name means one kind of metric: another one counts, but is not shown")
    func kind() {
        let registry = MetricRegistry()
        Counter(label: "a", factory: registry).increment()
        Meter(label: "a", factory: registry).set(9)
        Meter(label: "a", dimensions: [("b", "c")], factory: registry).set(9)
        #expect(self.text(registry) == "# HELP a Recorded by a library\n# TYPE a counter\na 1\n")
    }

    @Test("Ten thousand names and ten thousand labels are kept up to the bound")
    func bound() {
        let registry = MetricRegistry()
        for number in 0..<10_000 {
            Counter(label: "tunnels", dimensions: [("id", "\(number)")], factory: registry).increment()
            Metrics.Timer(label: "timer_\(number)", factory: registry).recordSeconds(1)
        }
        let lines = self.text(registry).split(separator: "\n")
        let kept =
            lines.count { $0.hasPrefix("tunnels{") } + lines.count { $0.hasPrefix("timer_") && $0.contains("_count ") }
        #expect(kept == MetricRegistry.maxSeries)
        #expect(lines.count { $0.hasPrefix("# TYPE") } <= MetricRegistry.maxSeries)
    }

    @Test("The edge's own metrics leave most of the room to others")
    func room() {
        let series = EdgeMetrics().prometheusText().split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(series.count < MetricRegistry.maxSeries / 2)
    }
}
