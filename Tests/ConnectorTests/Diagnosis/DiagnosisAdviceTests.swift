// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import Protocol
import Testing

@testable import Connector

@Suite("Advice of a diagnosis")
struct DiagnosisAdviceTests {
    private static func refused(_ code: String) -> EdgeFailure {
        .refused(
            status: 401,
            retryAfter: nil,
            problem: ProblemDetails(title: "x", status: 401, code: code, detail: "y")
        )
    }

    @Test(
        "It follows from what was found, and not from the step alone",
        arguments: [
            (.unreachable(address: "x", reason: "connection refused"), .port(80), "Nothing listens at port 80 there"),
            (.unreachable(address: "x", reason: "it did not answer in time"), .port(80), "Does a firewall"),
            (
                .untrusted(address: "x", reason: "not trusted; --ca-file names an authority"), .tls,
                "culvert login --ca-file"
            ),
            (.tls(address: "x", reason: "the edge tells, and there is no TLS at it"), .publicURL, "public.url"),
            (.tls(address: "x", reason: "handshake"), .tls, "in its log"),
            (.unresolved(host: "x"), .publicURL, "DNS record for all names below"),
            (.notAnEdge(address: "x", reason: "y"), .tunnel, "WebSocket upgrades"),
            (refused("invalid_credentials"), .key, "culvert-edge credentials new"),
            (refused("otp_required"), .publicURL, "Add --otp"),
        ] as [(EdgeFailure, DiagnosisAdvice.Step, String)]
    )
    func follows(failure: EdgeFailure, step: DiagnosisAdvice.Step, words: String) throws {
        #expect(try #require(DiagnosisAdvice.about(failure, in: step)).contains(words))
    }

    @Test("A public URL with https:// where nothing speaks TLS is the edge's to mend, and no other URL is proposed")
    func publicURL() {
        let failure = Diagnosis.asVisitor(.otherScheme(address: "https://e.example", right: "http://e.example"))
        #expect(!"\(failure)".contains("http://"))
        #expect(DiagnosisAdvice.about(failure, in: .publicURL)?.contains("public.url") == true)
        let other = EdgeFailure.otherScheme(address: "http://e.example", right: "https://e.example")
        #expect("\(Diagnosis.asVisitor(other))" == "\(other)")
    }

    @Test(
        "There is none where the finding says what to do",
        arguments: [
            (.otherScheme(address: "http://x", right: "https://x"), .api),
            (.untrusted(address: "x", reason: "its certificate is for another name"), .tls),
            (refused("too_many_tunnels"), .publicURL), (refused("invalid_token"), .tunnel),
        ] as [(EdgeFailure, DiagnosisAdvice.Step)]
    )
    func silent(failure: EdgeFailure, step: DiagnosisAdvice.Step) {
        #expect(DiagnosisAdvice.about(failure, in: step) == nil)
    }

    @Test("Of a local server that listens it is not said that it should be started")
    func origin() {
        let refused = OriginFailure(code: .connectRefused, reason: "nothing listens on localhost:3000")
        #expect(DiagnosisAdvice.about(refused)?.contains("Start the local server") == true)
        let other = OriginFailure(
            code: .localTLSError,
            reason: "localhost:3000 speaks TLS: write https:// in front of it"
        )
        #expect(DiagnosisAdvice.about(other) == nil)
    }
}
