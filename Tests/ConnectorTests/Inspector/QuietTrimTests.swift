// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Connector

@Suite("Giving memory back when the traffic rests")
struct QuietTrimTests {
    @Test("It is done once after bytes have passed, and not while they pass, nor where nothing did")
    func moments() {
        var trim = QuietTrim()
        let nothing = QuietTrim.Look(used: 0, total: 0)
        #expect(!trim.isDue(nothing))
        #expect(!trim.isDue(nothing))
        let busy = (1...5).map { QuietTrim.Look(used: $0 << 20, total: UInt64($0)) }
        for look in busy { #expect(!trim.isDue(look)) }
        #expect(trim.isDue(busy[4]))
        #expect(!trim.isDue(busy[4]))
        // What is dropped without a request counts, too: somebody has cleared the list.
        #expect(!trim.isDue(QuietTrim.Look(used: 0, total: 5)))
        #expect(trim.isDue(QuietTrim.Look(used: 0, total: 5)))
    }
}
