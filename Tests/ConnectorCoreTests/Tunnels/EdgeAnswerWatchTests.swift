// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Testing

@testable import ConnectorCore

@Suite("What the edge answers itself")
struct EdgeAnswerWatchTests {
    @Test("It is counted from the first answer on, also when the edge begins anew")
    func counts() {
        var counts = EdgeAnswerWatch.Counts()
        func take(_ byCode: [String: UInt64], of id: String) -> [String: UInt64] {
            counts.take(EdgeAnswers(byCode), of: id).byCode
        }
        #expect(take(["rate_limited": 7], of: "a") == [:])
        #expect(take(["rate_limited": 9, "login_required": 1], of: "a") == ["rate_limited": 2, "login_required": 1])
        #expect(take(["": 3], of: "b") == [:])
        // The edge was restarted, and has answered again since.
        #expect(take(["login_required": 1], of: "a") == ["login_required": 1])
        #expect(take(["login_required": 4], of: "a") == ["login_required": 4])
        #expect(take(["": .max], of: "b") == ["": UInt64.max - 3])
    }

    @Test("The kinds are told in words, the most frequent first, and no more than three")
    func words() {
        #expect(EdgeAnswers().words == "")
        #expect(EdgeAnswers(TunnelCounters(errors: 3)).words == "")
        #expect(EdgeAnswers(TunnelCounters(errors: 3)).count == 3)
        let answers = EdgeAnswers(["login_required": 2, "rate_limited": 12, "tunnel_offline": 1, "access_denied": 2])
        #expect(answers.words == "12 rate limited, 2 access denied, 2 login required, others")
        #expect(answers.count == 17)
        #expect((answers + EdgeAnswers(["rate_limited": .max])).count == 16)
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
        _ = counts.take(EdgeAnswers(["rate_limited": 7]), of: "a")
        counts.keep(["b"])
        #expect(counts.take(EdgeAnswers(["rate_limited": 9]), of: "a").count == 0)
    }
}
