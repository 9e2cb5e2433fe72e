// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Connector

@Suite("Giving memory back when the traffic rests")
struct QuietTrimTests {
    @Test(
        "It is done some times after bytes have passed, ever more seldom, and not while they pass, nor where nothing did"
    )
    func moments() {
        let nothing = QuietTrim.Look(used: 0, total: 0)
        let busy = (1...5).map { QuietTrim.Look(used: $0 << 20, total: UInt64($0)) }
        // What is dropped without a request counts, too: somebody has cleared the list.
        let cleared = QuietTrim.Look(used: 0, total: 5)
        var trim = QuietTrim()
        let quiet = Array(repeating: busy[4], count: 20)
        let due = ([nothing, nothing] + busy + quiet + [cleared, cleared]).map { trim.isDue($0) }
        #expect(trim.isQuiet)
        #expect(due.indices.filter { due[$0] } == [7, 8, 10, 14, 28])
    }
}
