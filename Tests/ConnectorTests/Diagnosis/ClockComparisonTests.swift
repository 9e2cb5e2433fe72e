// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
import Testing

@testable import Connector

@Suite("The clock beside that of the edge")
struct ClockComparisonTests {
    private static let edge = Date(timeIntervalSince1970: 1_800_000_000)

    private func step(ahead: Double, way: Double = 0.1) -> DiagnosisStep {
        // On average the edge is a second behind itself, and the answer is under way for half of the time.
        let asked = Self.edge.addingTimeInterval(ahead + 1 - way / 2)
        return ClockComparison.step(
            ClockComparison(edge: Self.edge, asked: asked, answered: asked.addingTimeInterval(way))
        )
    }

    @Test("What the way and the missing fraction may explain is no difference", arguments: [-0.5, 0, 0.5])
    func same(ahead: Double) {
        #expect(self.step(ahead: ahead).finding == "that of the edge says the same")
        // A way of a minute says nothing about a clock that is 20 s off.
        #expect(self.step(ahead: ahead * 40, way: 60).verdict == .passed)
        #expect(self.step(ahead: ahead * 40, way: 60).finding == "that of the edge says the same")
    }

    @Test(
        "A clock that is off is told, and fails where one-time codes are not accepted any more",
        arguments: [
            (10.0, DiagnosisStep.Verdict.passed, "this machine's is 10 s ahead of the edge's"),
            (-10, .passed, "this machine's is 10 s behind the edge's"),
            (40, .failed, "this machine's is 40 s ahead of the edge's"),
            (-200, .failed, "this machine's is 3 min behind the edge's"),
            (7300, .failed, "this machine's is 2 h ahead of the edge's"),
            (-1e9, .failed, "this machine's is 11574 days behind the edge's"),
        ]
    )
    func off(ahead: Double, verdict: DiagnosisStep.Verdict, finding: String) {
        let step = self.step(ahead: ahead)
        #expect(step.verdict == verdict)
        #expect(step.finding == finding)
        #expect((step.advice != nil) == (verdict == .failed))
        #expect(step.status == (verdict == .failed ? .configuration : .success))
    }

    @Test("An edge that does not say the time fails nothing")
    func unknown() {
        #expect(ClockComparison.step(nil).verdict == .skipped)
    }
}
