// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Testing

@testable import Edge
@testable import EdgeTunnels

@Suite("Who may visit a tunnel")
struct VisitorGateTests {
    private func decisions(
        _ policy: TunnelPolicy,
        _ visits: [(address: String, authorization: String?)],
        at times: [Double] = []
    ) throws -> [VisitorDecision] {
        var gate = VisitorGate(policy)
        let hashing = HashingBudget()
        return try visits.enumerated().map { index, visit in
            let address: IPAddress = try #require(IPAddress(visit.address))
            // Far enough apart that the budget for hashing is never what refuses.
            let now = times.isEmpty ? Double(index) : times[index]
            let decision = gate.admit(
                address: address,
                authorization: visit.authorization.map { [$0] } ?? [],
                hashing: hashing,
                now: now
            )
            guard case .compare(let attempt) = decision else { return decision }
            return gate.conclude(attempt, isRight: attempt.isRight(), now: now)
        }
    }

    private func basic(_ text: String) -> String { "Basic \(Data(text.utf8).base64EncodedString())" }

    private func policy(_ username: String, _ password: String) -> TunnelPolicy {
        TunnelPolicy {
            $0.basicAuth = [PasswordHash.hashed(BasicCredential(username: username, password: password))]
        }
    }

    @Test("A tunnel without rules admits everybody, and leaves Authorization to the origin")
    func open() throws {
        #expect(VisitorGate(TunnelPolicy()).admitsEverybody)
        let decisions = try self.decisions(TunnelPolicy(), [("192.0.2.1", "Bearer x")])
        #expect(decisions == [.admit(stripsAuthorization: false)])
    }

    @Test("An allow list admits only its networks, and a deny list outranks it")
    func lists() throws {
        let policy = TunnelPolicy {
            $0.ipAllow = ["10.0.0.0/8", "2001:db8::/32"]
            $0.ipDeny = ["10.1.0.0/16"]
        }
        let decisions = try self.decisions(
            policy,
            [("10.0.0.1", nil), ("10.1.0.1", nil), ("192.0.2.1", nil), ("2001:db8::1", nil), ("::ffff:10.0.0.1", nil)]
        )
        let admitted = VisitorDecision.admit(stripsAuthorization: false)
        #expect(decisions == [admitted, .addressDenied, .addressDenied, admitted, admitted])
    }

    @Test("Where there is a list, a visitor without an address is refused")
    func unknownAddress() {
        #expect(!VisitorRules(TunnelPolicy { $0.ipDeny = ["10.0.0.0/8"] }).admits(nil))
        #expect(!VisitorRules(TunnelPolicy { $0.ipAllow = ["10.0.0.0/8"] }).admits(nil))
        #expect(VisitorRules(TunnelPolicy()).admits(nil))
    }

    @Test("The right credentials admit, and are taken out; anything else is asked for them")
    func credentials() throws {
        let policy = self.policy("u", "p:ä")
        let decisions = try self.decisions(
            policy,
            [
                ("192.0.2.1", self.basic("u:p:ä")), ("192.0.2.1", self.basic("u:p:ä")), ("192.0.2.1", nil),
                ("192.0.2.1", self.basic("u:x")), ("192.0.2.1", self.basic("v:p:ä")), ("192.0.2.1", "Bearer x"),
                ("192.0.2.1", "Basic !"), ("192.0.2.1", self.basic("u")),
            ]
        )
        let admitted = VisitorDecision.admit(stripsAuthorization: true)
        #expect(decisions.prefix(2) == [admitted, admitted])
        #expect(decisions.dropFirst(2).allSatisfy { $0 == .credentialsRequired })
    }

    @Test("Wrong credentials of one address are refused unseen after the tenth; other addresses go on")
    func guessing() throws {
        let policy = self.policy("u", "p")
        let wrong = (address: "192.0.2.1", authorization: Optional(self.basic("u:x")))
        let visits = Array(repeating: wrong, count: 11) + [("192.0.2.2", self.basic("u:p"))]
        let decisions = try self.decisions(policy, visits, at: (0..<12).map { Double($0) * 0.1 })
        #expect(decisions.prefix(10).allSatisfy { $0 == .credentialsRequired })
        #expect(decisions[10] == .rateLimited(retryAfter: 5))
        #expect(decisions[11] == .admit(stripsAuthorization: true))
    }

    @Test("Wrong credentials sent all at once are refused after the tenth as well, before any has been compared")
    func guessingAtOnce() throws {
        var gate = VisitorGate(self.policy("u", "p"))
        let address: IPAddress = try #require(IPAddress("192.0.2.1"))
        let hashing = HashingBudget()
        var attempts: [PasswordAttempt] = []
        for number in 0..<15 {
            let authorization = [self.basic("u:\(number)")]
            if case .compare(let attempt) = gate.admit(
                address: address,
                authorization: authorization,
                hashing: hashing,
                now: 0
            ) {
                attempts.append(attempt)
            }
        }
        #expect(attempts.count == 10)
        let concluded = attempts.map { gate.conclude($0, isRight: false, now: 0) }
        #expect(concluded.allSatisfy { $0 == .credentialsRequired })
    }

    @Test("A password that was right by the policy before the present one does not admit")
    func policyChange() throws {
        var gate = VisitorGate(self.policy("u", "p"))
        let address: IPAddress = try #require(IPAddress("192.0.2.1"))
        let authorization = [self.basic("u:p")]
        let decision = gate.admit(address: address, authorization: authorization, hashing: HashingBudget(), now: 0)
        guard case .compare(let attempt) = decision else { throw CancellationError() }
        gate = VisitorGate(self.policy("u", "q"))
        #expect(gate.conclude(attempt, isRight: attempt.isRight(), now: 0) == .credentialsRequired)
    }

    @Test("The edge hashes only so many passwords a second, whoever asks")
    func hashingBudget() throws {
        let policy = self.policy("u", "p")
        let visits = (0..<30).map { (address: "192.0.2.\($0)", authorization: Optional(self.basic("u:x"))) }
        let decisions = try self.decisions(policy, visits, at: Array(repeating: 1, count: 30))
        #expect(decisions.count { $0 == .credentialsRequired } == 20)
        #expect(decisions.count { $0 == .rateLimited(retryAfter: 1) } == 10)
    }

    @Test("A rate counts the requests of all visitors together")
    func rate() throws {
        let visits = (0..<3).map { (address: "192.0.2.\($0)", authorization: String?.none) }
        let decisions = try self.decisions(TunnelPolicy { $0.requestsPerSecond = 2 }, visits, at: [1, 1, 1])
        let admitted = VisitorDecision.admit(stripsAuthorization: false)
        #expect(decisions == [admitted, admitted, .rateLimited(retryAfter: 1)])
    }
}
