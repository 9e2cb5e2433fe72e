// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import Protocol

@testable import ConnectorCore

/// Opens sessions that serve at once, without a connection, until they are asked to end.
struct FakeSessionOpener: SessionOpener {
    /// What was asked of it, or of a session.
    enum Call: Sendable, Equatable {
        case opened
        case verified
        case drained
        case ended
    }

    let calls: AsyncStream<Call>
    private let continuation: AsyncStream<Call>.Continuation

    init() {
        (self.calls, self.continuation) = AsyncStream.makeStream()
    }

    var token: CurrentToken? { nil }
    var edgeFound: Subscribers? { nil }

    func open(bundle: SessionSettings.Bundle, network: NetworkWatch) async throws -> TunnelSession {
        let events = AsyncStream.makeStream(of: TunnelSessionEvent.self)
        self.continuation.yield(.opened)
        events.continuation.yield(.active(at: nil))
        return try await Self.session(reporting: events, calls: self.continuation)
    }

    /// Makes a session without a connection.
    static func session(
        reporting events: (
            stream: AsyncStream<TunnelSessionEvent>, continuation: AsyncStream<TunnelSessionEvent>.Continuation
        ),
        calls: AsyncStream<Call>.Continuation = AsyncStream.makeStream(of: Call.self).continuation
    ) async throws -> TunnelSession {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        return try await eventLoop.submit {
            let control = Control(calls: calls, events: events.continuation)
            return TunnelSession(events, control: control, eventLoop: eventLoop)
        }.get()
    }

    private final class Control: TunnelSessionControl {
        private let calls: AsyncStream<Call>.Continuation
        private let events: AsyncStream<TunnelSessionEvent>.Continuation

        init(calls: AsyncStream<Call>.Continuation, events: AsyncStream<TunnelSessionEvent>.Continuation) {
            self.calls = calls
            self.events = events
        }

        var roundTripTime: TimeAmount? { nil }

        func renew(with token: TunnelToken, _ outcome: @escaping (TokenOutcome) -> Void) {
            outcome(.taken)
        }

        func verify() {
            self.calls.yield(.verified)
        }

        func drain(gracePeriod: TimeAmount) {
            self.calls.yield(.drained)
            self.finish()
        }

        func end() {
            self.calls.yield(.ended)
            self.finish()
        }

        private func finish() {
            self.events.yield(.ended(code: .shutdown, reason: ""))
            self.events.finish()
        }
    }
}
