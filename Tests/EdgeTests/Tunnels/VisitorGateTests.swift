// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import NIOCore
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

    @Test("Guesses over three edges are soon counted together, and who has the password is let in without a question")
    func guessesOverEdges() async throws {
        let directory = InMemoryTunnelDirectory(now: { 1_000_000 })
        let sharer = DirectoryRateSharer(directory: directory, pods: PodTable())
        let specification = TunnelSpecification(
            id: try #require(TunnelID("my-app")),
            owner: "ann",
            policy: self.policy("ann", "right"),
            createdAt: Date()
        )
        let edges = (0..<3).map { _ in Tunnel(specification, sharer: sharer) }
        let address: IPAddress = try #require(IPAddress("192.0.2.1"))
        var compared = 0
        for turn in 0..<60 {
            let edge = edges[turn % 3]
            // Far enough apart for the budget for hashing, and too near for anybody to be let try again.
            let now = NIODeadline.uptimeNanoseconds(UInt64(turn) * 100_000_000)
            let decision = edge.visit(address: address, authorization: [self.basic("ann:\(turn)")], now: now).decision
            guard case .compare(let attempt) = decision else { continue }
            compared += 1
            _ = edge.concludeVisit(attempt, isRight: false, now: now)
            let caller = CallerAddress(address)
            let bucket = "pw:my-app:\(caller)"
            // What was told is in the directory, and learned from there.
            while try await directory.spend(0, from: bucket, limit: VisitorGate.failureLimit) > Double(10 - compared) {
                await Task.yield()
            }
            edge.learnFailures(left: Double(10 - compared), by: caller, now: now)
        }
        #expect((10...12).contains(compared))
        let visitor: IPAddress = try #require(IPAddress("192.0.2.2"))
        let visit = edges[0].visit(address: visitor, authorization: [self.basic("ann:right")])
        guard case .compare(let attempt) = visit.decision else {
            Issue.record("somebody else may not try")
            return
        }
        directory.isUp = false
        #expect(edges[0].concludeVisit(attempt, isRight: true).decision == .admit(stripsAuthorization: true))
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
        #expect(decisions[10] == .tooManyWrongCredentials(retryAfter: 5))
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
        #expect(decisions.count { $0 == .credentialsRequired } == 10)
        #expect(decisions.count { $0 == .rateLimited(retryAfter: 1) } == 20)
    }

    @Test(
        "Guesses at one owner's tunnels leave hashes to other owners, and guesses at one tunnel to its owner's others"
    )
    func fairHashing() {
        let hashing = HashingBudget()
        let take = { (owner: String, tunnel: String, now: Double) in
            hashing.take(owner: owner, tunnel: tunnel, now: now).isAllowed
        }
        var guesses = 0
        for step in 0..<2_000 {
            let now = Double(step) / 100
            for number in 0..<28 where take("attacker", "\(number)", now) { guesses += 1 }
            for number in 0..<28 where take("other attacker", "other \(number)", now) { guesses += 1 }
            if step > 0, step.isMultiple(of: 100) { #expect(take("victim", "v", now), "\(now)") }
        }
        // Twenty a second for twenty seconds, and what the bucket held.
        #expect((300...420).contains(guesses), "\(guesses)")
        let own = HashingBudget()
        for step in 0..<2_000 {
            let now = Double(step) / 100
            for _ in 0..<10 { _ = own.take(owner: "o", tunnel: "guessed at", now: now) }
            if step > 0, step.isMultiple(of: 100) { #expect(own.take(owner: "o", tunnel: "quiet", now: now).isAllowed) }
        }
    }

    @Test("A right password that was right before costs no hash, through changes of the policy that leave it as it is")
    func known() throws {
        let policy = self.policy("u", "p")
        var gate = VisitorGate(policy)
        let hashing = HashingBudget()
        let address = try #require(IPAddress("192.0.2.1"))
        let ask = { (gate: inout VisitorGate, field: String, now: Double) in
            gate.admit(address: address, authorization: [field], hashing: hashing, now: now)
        }
        guard case .compare(let attempt) = ask(&gate, self.basic("u:p"), 0) else {
            Issue.record("The first is compared.")
            return
        }
        let admitted = VisitorDecision.admit(stripsAuthorization: true)
        #expect(gate.conclude(attempt, isRight: true, now: 0) == admitted)
        // Guesses use up the address's tries and the edge's hashes.
        for number in 0..<100 { _ = ask(&gate, self.basic("u:\(number)"), 0) }
        for field in [self.basic("u:p"), "basic   " + Data("u:p".utf8).base64EncodedString()] {
            #expect(ask(&gate, field, 0) == admitted)
        }
        var other = policy
        other.requestTimeoutSeconds = 7
        gate.adopt(other)
        #expect(ask(&gate, self.basic("u:p"), 0) == admitted)
        #expect(ask(&gate, self.basic("u:q"), 0) == .rateLimited(retryAfter: 1))
        // The same password under another hash has to be shown again.
        gate.adopt(self.policy("u", "p"))
        guard case .compare = ask(&gate, self.basic("u:p"), 100) else {
            Issue.record("It is compared again.")
            return
        }
    }

    @Test("Who visits all the time stays known, however many others come once, and the table is bounded")
    func knownIsBounded() {
        var known = KnownCredentials()
        func attempt(_ password: Int) -> PasswordAttempt {
            let bytes = Array("\(password)".utf8)
            return PasswordAttempt(
                username: "u",
                password: bytes,
                hash: "h",
                digest: known.digest(username: "u", password: bytes),
                caller: CallerAddress(nil)
            )
        }
        let regular = attempt(-1)
        known.insert(regular)
        for number in 0..<5_000 {
            known.insert(attempt(number))
            let isKnown = known.contains(regular.digest)
            #expect(isKnown)
            #expect(known.count <= 2 * KnownCredentials.capacity)
        }
        let firstIsKnown = known.contains(attempt(0).digest)
        #expect(!firstIsKnown)
    }

    @Test("A rate counts the requests of all visitors together")
    func rate() throws {
        let visits = (0..<3).map { (address: "192.0.2.\($0)", authorization: String?.none) }
        let decisions = try self.decisions(TunnelPolicy { $0.requestsPerSecond = 2 }, visits, at: [1, 1, 1])
        let admitted = VisitorDecision.admit(stripsAuthorization: false)
        #expect(decisions == [admitted, admitted, .rateLimited(retryAfter: 1)])
    }
}
