// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Testing

@testable import ConnectorCore

@Suite("What an edge says of an inbox, to who looks at the inspector")
struct TunnelInboxesTests {
    private static func refused(_ status: Int, _ code: String?) -> EdgeFailure {
        let problem = code.map { ProblemDetails(title: "T", status: status, code: $0, detail: "Said by the edge") }
        return .refused(status: status, retryAfter: nil, problem: problem)
    }

    @Test(
        "A status about the edge's key is none about the inspector; the others are passed on with their codes",
        arguments: [
            (Self.refused(404, "message_not_found"), 404, "message_not_found"),
            (Self.refused(409, "inbox_not_served"), 409, "inbox_not_served"),
            (Self.refused(429, "rate_limited"), 429, "rate_limited"),
            (Self.refused(503, "inbox_unavailable"), 503, "inbox_unavailable"),
            (Self.refused(500, "internal_error"), 502, "internal_error"),
            (Self.refused(401, "invalid_credentials"), 502, "invalid_credentials"),
            (Self.refused(403, "other"), 502, "other"),
            (Self.refused(401, "otp_required"), 409, "otp_required"),
            (Self.refused(401, "otp_invalid"), 409, "otp_required"),
            (Self.refused(404, nil), 502, "edge_refused"),
            (EdgeFailure.unreachable(address: "e", reason: "x"), 502, "edge_unreachable"),
            (EdgeFailure.timedOut(address: "e", step: "x"), 502, "edge_unreachable"),
            (EdgeFailure.notAnEdge(address: "e", reason: "x"), 502, "edge_unreachable"),
        ]
    )
    func statuses(failure: EdgeFailure, status: Int, code: String) {
        let problem = TunnelInboxes.problem(failure)
        #expect(problem.status == status && problem.code == code)
        #expect(problem.detail?.hasSuffix(".") == true)
        #expect(problem.detail?.contains("add --otp") == false)
    }
}
