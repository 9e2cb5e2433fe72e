// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Program
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

@Suite("Every metric")
struct MetricTableTests {
    /// Every metric that an edge shows, as it declares them.
    private var names: [String] {
        EdgeMetrics().prometheusText().split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }
            .compactMap { $0.split(separator: " ").dropFirst(2).first.map(String.init) }
    }

    @Test("Each metric has a case that moves it")
    func complete() {
        #expect(self.names.count > 20)
        #expect(Walk.faults(of: self.names, shownBy: MetricCase.all.map(\.name)) == [])
    }

    @Test("The walk names a metric without a case")
    func walk() {
        let faults = Walk.faults(of: self.names + ["culvert_new_total"], shownBy: MetricCase.all.map(\.name))
        #expect(faults == ["culvert_new_total has no case"])
    }

    @Test("A metric moves with what it is about", arguments: MetricCase.all)
    func moves(metric: MetricCase) async throws {
        try await EdgeUnderTest.run(metric.settings) { try await metric.show($0) }
    }
}
