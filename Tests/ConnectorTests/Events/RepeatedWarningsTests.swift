// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Connector

@Suite("Warnings that attempts repeat")
struct RepeatedWarningsTests {
    @Test("The first is written at once, the same again at distances that double, with how often it was said")
    func distances() {
        var warnings = RepeatedWarnings()
        let start = ContinuousClock.now
        var written: [(second: Int, unsaid: Int)] = []
        // Seven a second, as of two connections that have just lost their edge.
        for attempt in 0..<7 * 60 {
            let now = start + .milliseconds(attempt * 1000 / 7)
            if let unsaid = warnings.take("No edge answers.", at: now) { written.append((attempt / 7, unsaid)) }
        }
        #expect(written.map(\.second) == [0, 2, 6, 14, 30])
        #expect(written.map(\.unsaid).reduce(0, +) + written.count <= 7 * 60)
        #expect(written[1].unsaid == 13)
    }

    @Test("Another reason is written at once, and so is the same one after an edge was reached")
    func news() {
        var warnings = RepeatedWarnings()
        let now = ContinuousClock.now
        #expect(warnings.take("a", at: now) == 0)
        #expect(warnings.take("a", at: now) == nil)
        #expect(warnings.take("b", at: now) == 0)
        warnings.reset()
        #expect(warnings.take("a", at: now) == 0)
    }

    @Test("What never says the same takes no more room than its bound, and is written")
    func manySentences() {
        var warnings = RepeatedWarnings()
        let now = ContinuousClock.now
        for number in 0..<1_000 { #expect(warnings.take("\(number)", at: now) == 0) }
    }
}
