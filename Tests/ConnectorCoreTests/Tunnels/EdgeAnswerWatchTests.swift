// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ConnectorCore

@Suite("What the edge answers itself")
struct EdgeAnswerWatchTests {
    @Test("It is counted from the first answer on, also when the edge begins anew")
    func counts() {
        var counts = EdgeAnswerWatch.Counts()
        #expect(counts.take(7, of: "a") == 0)
        #expect(counts.take(9, of: "a") == 2)
        #expect(counts.take(3, of: "b") == 0)
        // The edge was restarted.
        #expect(counts.take(1, of: "a") == 0)
        #expect(counts.take(4, of: "a") == 3)
        #expect(counts.take(.max, of: "b") == UInt64.max - 3)
    }

    @Test("A tunnel that is served again begins anew")
    func keep() {
        var counts = EdgeAnswerWatch.Counts()
        #expect(counts.take(7, of: "a") == 0)
        counts.keep(["b"])
        #expect(counts.take(9, of: "a") == 0)
    }
}
