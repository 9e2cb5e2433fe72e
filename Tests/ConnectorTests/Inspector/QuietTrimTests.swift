// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Connector

@Suite("Giving memory back when the traffic rests")
struct QuietTrimTests {
    @Test("It is done once after bytes have passed, and not while they pass, nor where nothing did")
    func moments() {
        let nothing = QuietTrim.Look(used: 0, total: 0)
        let busy = (1...5).map { QuietTrim.Look(used: $0 << 20, total: UInt64($0)) }
        // What is dropped without a request counts, too: somebody has cleared the list.
        let cleared = QuietTrim.Look(used: 0, total: 5)
        var trim = QuietTrim()
        let due = ([nothing, nothing] + busy + [busy[4], busy[4], cleared, cleared, cleared]).map { trim.isDue($0) }
        #expect(trim.isQuiet)
        #expect(due == Array(repeating: false, count: 7) + [true, false, false, true, false])
    }
}
