// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Protocol
import Testing

@testable import ConnectorCore

/// How sessions get to newer tokens (docs/protocol.md §B.18).
@Suite("Sessions and newer tokens", .timeLimit(.minutes(1)))
struct SessionRenewalTests {
    private func held(_ number: Int, of tunnelID: String = "my-app") throws -> CurrentToken.Held {
        let text = TokenText.signed(#"{"sub":"\#(tunnelID)","jti":"\#(number)"}"#)
        return CurrentToken.Held(token: try TunnelToken(parsing: text), isFresh: true)
    }

    @Test(
        "Each newer token is shown over the session that serves, and no other one is opened",
        arguments: [false, true]
    )
    func shown(isShared: Bool) async throws {
        let edge = try await FakeEdge.start(sharing: .init(isShared: isShared, canRenew: true))
        let own = try OwnSessionOpener.fixture(edge: edge.address, target: "9")
        let pool = SharedSessionPool(dialer: own.dialer, logger: own.logger)
        let run = ServiceRun(isShared ? SharedSessionOpener(pool: pool, own: own) : own)
        await run.active()
        var shown: [String?] = []
        var requests = 0
        for number in 1...3 {
            let next = try self.held(number)
            own.currentToken.replace(with: next)
            events: for await event in edge.events {
                switch event {
                case .token(let token):
                    shown.append(token)
                    break events
                case .request: requests += 1
                case .ended: Issue.record("a session ended")
                default: break
                }
            }
            #expect(shown.last == next.token.secret)
        }
        #expect(requests == 1)
        #expect(await run.stop() == nil)
        try await edge.stop()
    }

    @Test("An edge that can't be shown tokens gets another session with the new one, and then the first one drains")
    func movesOver() async throws {
        let edge = try await FakeEdge.start()
        let opener = try OwnSessionOpener.fixture(edge: edge.address, target: "9")
        let run = ServiceRun(opener)
        await run.active()
        let next = try self.held(1)
        opener.currentToken.replace(with: next)
        var (heads, drained) = ([String](), false)
        for await event in edge.events {
            if case .request(let head) = event { heads.append(head) }
            if case .draining = event { drained = true }
            if drained, heads.count == 2 { break }
        }
        #expect(heads.last?.contains("Bearer \(next.token.secret)\r\n") == true)
        #expect(await run.stop() == nil)
        try await edge.stop()
    }

    @Test("A token that is refused after another one has taken its place is no reason to stop")
    func refusedLate() async throws {
        let opener = LateRefusal(current: CurrentToken(try self.held(1).token), next: try self.held(2))
        let run = ServiceRun(opener)
        await run.active()
        #expect(await run.stop() == nil)
        // With nothing newer it is one.
        let last = LateRefusal(current: CurrentToken(try self.held(2).token), next: try self.held(2))
        #expect(await ServiceRun(last).outcome.value?.status == .refused)
    }
}

/// Refuses a token, and meanwhile another one takes its place.
private struct LateRefusal: SessionOpener {
    let current: CurrentToken
    let next: CurrentToken.Held
    private let sessions = FakeSessionOpener()
    private let isRefused = NIOLockedValueBox(false)

    init(current: CurrentToken, next: CurrentToken.Held) {
        self.current = current
        self.next = next
    }

    var token: CurrentToken? { self.current }
    var edgeFound: Subscribers? { nil }

    func open(bundle: SessionSettings.Bundle, network: NetworkWatch) async throws -> TunnelSession {
        let isFirst = self.isRefused.withLockedValue { isRefused in
            defer { isRefused = true }
            return !isRefused
        }
        guard isFirst else { return try await self.sessions.open(bundle: bundle, network: network) }
        self.current.replace(with: self.next)
        throw EdgeFailure.refused(status: 401, retryAfter: nil, problem: nil)
    }
}
