// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOCore
import Protocol

/// What a session tells the task that looks after it.
enum LiveSessionEvent: Sendable, Equatable {
    /// The edge's HELLO came: streams are served.
    case active
    /// The edge will close the session; a replacement is to be opened after the given time and a random part of it.
    case draining(code: ErrorCode, reconnectAfter: Duration)
    /// The session is over. Always the last event.
    case ended(code: ErrorCode, reason: String)
}

/// One WebSocket to the edge, as seen from outside its event loop.
struct LiveSession: Sendable {
    /// What happens to the session, in order; finishes after ``LiveSessionEvent/ended(code:reason:)``.
    let events: AsyncStream<LiveSessionEvent>
    private let handler: NIOLoopBound<SessionHandler>

    init(events: AsyncStream<LiveSessionEvent>, handler: SessionHandler, eventLoop: any EventLoop) {
        self.events = events
        self.handler = NIOLoopBound(handler, eventLoop: eventLoop)
    }

    /// The smoothed round-trip time to the edge, once it is known.
    func roundTripTime() async -> TimeAmount? {
        try? await self.handler.eventLoop.submit { [handler] in handler.value.roundTripTime }.get()
    }

    /// Tells the smoothed round-trip time to the edge on the session's event loop, if it is known.
    func withRoundTripTime(_ body: @escaping @Sendable (TimeAmount) -> Void) {
        self.handler.eventLoop.execute { [handler] in
            if let time = handler.value.roundTripTime { body(time) }
        }
    }

    /// How many streams are being served.
    func activeStreamCount() async -> Int {
        (try? await self.handler.eventLoop.submit { [handler] in handler.value.activeStreamCount }.get()) ?? 0
    }

    /// Takes leave: finishes what is in flight, up to the grace period, and takes no new streams.
    func drain(gracePeriod: TimeAmount) {
        self.handler.eventLoop.execute { [handler] in
            handler.value.drain(code: .shutdown, gracePeriod: gracePeriod, reconnectAfter: .zero)
        }
    }

    /// Asks the edge at once whether it is still there, and gives the session up if it says nothing soon.
    func verify() {
        self.handler.eventLoop.execute { [handler] in handler.value.doubt(givingUp: true) }
    }

    /// Ends the session at once.
    func close() {
        self.handler.eventLoop.execute { [handler] in handler.value.close(code: .shutdown, reason: "") }
    }
}

/// Passes what the session's handler tells on to the task that looks after the session.
final class LiveSessionRelay: SessionDelegate, Sendable {
    let events: AsyncStream<LiveSessionEvent>
    private let continuation: AsyncStream<LiveSessionEvent>.Continuation

    init() {
        (self.events, self.continuation) = AsyncStream.makeStream()
    }

    func sessionDidBecomeActive(_ session: SessionHandler, peer: SessionSettings) {
        self.continuation.yield(.active)
    }

    func sessionPeerIsDraining(
        _ session: SessionHandler,
        code: ErrorCode,
        gracePeriod: TimeAmount,
        reconnectAfter: TimeAmount
    ) {
        self.continuation.yield(.draining(code: code, reconnectAfter: .nanoseconds(reconnectAfter.nanoseconds)))
    }

    func sessionDidEnd(_ session: SessionHandler, end: SessionEnd) {
        self.continuation.yield(.ended(code: end.code, reason: end.reason))
        self.continuation.finish()
    }
}
