// SPDX-License-Identifier: Apache-2.0

import ControlAPI
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

    @Test("A policy that was replaced is told, with who may visit now and who might before")
    func admissions() {
        let everybody = VisitorAdmission(TunnelPolicy())
        var policy = TunnelPolicy()
        policy.ipAllow = ["192.0.2.0/24"]
        let some = VisitorAdmission(policy)
        var admissions = EdgeAnswerWatch.Admissions()
        #expect(admissions.take(some, of: "a") == nil)
        #expect(admissions.take(some, of: "a") == nil)
        #expect(admissions.take(everybody, of: "b") == nil)
        #expect(admissions.take(everybody, of: "a") == some)
        #expect(admissions.take(everybody, of: "a") == nil)
        admissions.keep(["b"])
        #expect(admissions.take(some, of: "a") == nil)
        #expect(
            EdgeAnswerWatch.sentence(of: "a", now: everybody, before: some)
                == "Who may visit a has changed at the edge: everybody; before: from 192.0.2.0/24. Each command with this "
                + "name replaces the policy: give all of them the same options."
        )
    }

    @Test("A tunnel that is served again begins anew")
    func keep() {
        var counts = EdgeAnswerWatch.Counts()
        #expect(counts.take(7, of: "a") == 0)
        counts.keep(["b"])
        #expect(counts.take(9, of: "a") == 0)
    }
}
