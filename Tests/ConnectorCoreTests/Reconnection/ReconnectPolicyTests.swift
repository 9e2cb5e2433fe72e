// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Protocol
import Testing

@testable import ConnectorCore

@Suite("What follows a failed attempt or an ended session")
struct ReconnectPolicyTests {
    static let problem = ProblemDetails(title: "Not found", status: 404, code: "tunnel_not_found")

    static func refused(_ status: Int, retryAfter: Duration? = nil, problem: ProblemDetails? = nil) -> EdgeFailure {
        .refused(status: status, retryAfter: retryAfter, problem: problem)
    }

    private func status(_ decision: ReconnectDecision) -> CommandStatus? {
        guard case .stop(let failure) = decision else { return nil }
        return failure.status
    }

    @Test("Refused credentials are final, whether or not a session was ever active", arguments: [401, 403])
    func credentials(status: Int) {
        for hasBeenActive in [false, true] {
            let policy = ReconnectPolicy(hasBeenActive: hasBeenActive)
            #expect(self.status(policy.decide(after: Self.refused(status))) == .refused)
        }
    }

    @Test("A missing tunnel is final only if an edge says so")
    func notFound() {
        let policy = ReconnectPolicy(hasBeenActive: true)
        #expect(self.status(policy.decide(after: Self.refused(404, problem: Self.problem))) == .refused)
        guard case .retry = policy.decide(after: Self.refused(404)) else {
            Issue.record("a proxy's 404 must be tried again")
            return
        }
    }

    @Test("Retry-After is honoured up to five minutes", arguments: [429, 503])
    func retryAfter(status: Int) {
        let policy = ReconnectPolicy()
        for (asked, waited) in [(nil, 0), (7, 7), (86_400, 300)] as [(Int?, Int)] {
            let failure = Self.refused(status, retryAfter: asked.map { .seconds($0) })
            #expect(
                policy.decide(after: failure) == .retry(minimum: .seconds(waited), reason: failure.description)
            )
        }
    }

    @Test(
        "A temporary failure is tried again without end",
        arguments: [
            .unresolved(host: "x"), .unreachable(address: "x", reason: "refused"), .timedOut(address: "x", step: "y"),
            .tls(address: "x", reason: "y"), refused(500), refused(502), refused(504), refused(409), refused(408),
        ] as [EdgeFailure]
    )
    func transient(failure: EdgeFailure) {
        #expect(
            ReconnectPolicy().decide(after: failure) == .retry(minimum: .zero, reason: failure.description)
        )
        #expect(self.status(ReconnectPolicy(retries: false).decide(after: failure)) == .unavailable)
    }

    @Test(
        "What is not an edge ends the first contact, and is tried again once an edge was there",
        arguments: [
            .notAnEdge(address: "x", reason: "y"), .untrusted(address: "x", reason: "y"), refused(200), refused(301),
            .otherScheme(address: "http://x", right: "https://x"), .tunnelAddress(address: "x", edge: nil),
            refused(404), refused(501),
            refused(401, problem: ProblemDetails(title: "Log in", status: 401, code: "session_ended")),
        ]
            as [EdgeFailure]
    )
    func notAnEdge(failure: EdgeFailure) {
        #expect(self.status(ReconnectPolicy().decide(after: failure)) == .unavailable)
        #expect(
            ReconnectPolicy(hasBeenActive: true).decide(after: failure)
                == .retry(minimum: .zero, reason: failure.description)
        )
    }

    @Test("An expired token is final, a replaced session yields, everything else reconnects")
    func ends() {
        let policy = ReconnectPolicy(hasBeenActive: true)
        #expect(self.status(policy.decide(afterEnd: .authExpired, reason: "")) == .refused)
        #expect(self.status(policy.decide(afterEnd: .unsupported, reason: "")) == .unavailable)
        #expect(policy.decide(afterEnd: .replaced, reason: "") == .yield)
        for code in [ErrorCode.noError, .shutdown, .keepaliveTimeout, .protocolError, .internalError, .idExhausted] {
            guard case .retry = policy.decide(afterEnd: code, reason: "x") else {
                Issue.record("\(code) must reconnect")
                continue
            }
        }
        let unforgiving = ReconnectPolicy(retries: false, hasBeenActive: true)
        #expect(self.status(unforgiving.decide(afterEnd: .shutdown, reason: "")) == .unavailable)
    }

    @Test("A command that opens one session fails as one that opens others, and says why")
    func failures() {
        let expired = ReconnectPolicy.failure(ending: .authExpired, reason: "")
        #expect(expired.status == .refused)
        #expect(expired.status.rawValue == 77)
        #expect(ReconnectPolicy().decide(afterEnd: .authExpired, reason: "") == .stop(expired))
        let other = ReconnectPolicy.failure(ending: .unsupported, reason: "")
        #expect(other.status == .unavailable)
        #expect(other.message.contains("speaks another version of the protocol"))
        #expect(ReconnectPolicy().decide(afterEnd: .unsupported, reason: "") == .stop(other))
        let lost = ReconnectPolicy.failure(ending: .sessionLost, reason: "")
        #expect(lost == CommandFailure(.unavailable, "The connection to the edge was lost: SESSION_LOST."))
    }

    @Test(
        "Why a session ended is said in words, with the code of the protocol behind them",
        arguments: [
            (.sessionLost, "", "The connection to the edge was lost: SESSION_LOST."),
            (.keepaliveTimeout, "", "Nothing came over the connection to the edge for too long: KEEPALIVE_TIMEOUT."),
            (.shutdown, "bye\u{1B}", "The edge has ended the session: SHUTDOWN (bye)."),
            (.protocolError, "x", "The session ended: PROTOCOL_ERROR (x)."),
        ] as [(ErrorCode, String, String)]
    )
    func endings(code: ErrorCode, reason: String, sentence: String) {
        #expect(
            ReconnectPolicy(hasBeenActive: true).decide(afterEnd: code, reason: reason)
                == .retry(minimum: .zero, reason: sentence)
        )
    }

    @Test("What a peer says reaches the terminal without control characters")
    func printable() {
        let problem = ProblemDetails(title: "x", status: 401, code: "y", detail: "a\u{1B}[2Jb\r\nc")
        #expect(problem.sentence == "a[2Jbc.")
    }
}
