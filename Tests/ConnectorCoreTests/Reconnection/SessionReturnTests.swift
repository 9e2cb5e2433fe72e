// SPDX-License-Identifier: Apache-2.0

import NIOPosix
import Protocol
import Synchronization
import Testing

@testable import ConnectorCore

@Suite("A session that waits for another connection", .timeLimit(.minutes(1)))
struct SessionReturnTests {
    /// Loses the connection of its session, and finds the edge away for a number of attempts.
    private final class AwayOpener: SessionOpener {
        private let failures: Mutex<[EdgeFailure]>
        private let events = AsyncStream.makeStream(of: TunnelSessionEvent.self)

        init(_ failures: [EdgeFailure]) { self.failures = Mutex(failures) }

        var token: CurrentToken? { nil }
        var edgeFound: Subscribers? { nil }

        func open(bundle: SessionSettings.Bundle, network: NetworkWatch) async throws -> TunnelSession {
            let session = try await FakeSessionOpener.session(reporting: self.events)
            self.events.continuation.yield(.active(at: nil))
            self.events.continuation.yield(.suspended(reason: "the connection was closed", streams: 0))
            return session
        }

        func comeBack(
            to session: TunnelSession,
            bundle: SessionSettings.Bundle,
            network: NetworkWatch
        ) async throws -> TunnelSession? {
            if let failure = self.failures.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { throw failure }
            self.events.continuation.yield(.resumed(pause: .seconds(1), repeated: 0))
            return nil
        }
    }

    @Test("The first attempt that fails tells the cause, and each other cause is told once")
    func causes() async throws {
        let refused = EdgeFailure.unreachable(address: "https://edge.example", reason: "connection refused")
        let busy = EdgeFailure.refused(status: 502, retryAfter: nil, problem: nil)
        let run = ServiceRun(AwayOpener([refused, refused, busy, refused]))
        var told: [String] = []
        for await event in run.reports {
            if case .stillAway(0, _, let reason) = event { told.append(reason) }
            if case .resumed = event { break }
        }
        #expect(told == [refused.description, busy.description])
        await run.stop()
    }
}
