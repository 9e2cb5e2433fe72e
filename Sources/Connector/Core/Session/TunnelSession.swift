// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOCore
import Protocol
import Synchronization

/// Which of several edges a session is at (POD and PODS of docs/protocol.md §B.20).
package struct EdgePlace: Sendable, Equatable {
    /// The edge.
    package var pod: String
    /// How many edges there are, as that one knows.
    package var pods: Int

    /// What an edge says of itself; `nil` if it says nothing.
    init?(_ peer: SessionSettings) {
        guard let pod = peer.pod, let pods = peer.pods else { return nil }
        (self.pod, self.pods) = (pod, Int(pods))
    }
}

/// What a session reports to the task that follows it.
package enum TunnelSessionEvent: Sendable, Equatable {
    /// The edge's HELLO has arrived: streams are served.
    ///
    /// - Parameter edge: Which of several edges it is, if it says so.
    case active(at: EdgePlace?)
    /// The edge drains the session; another one is to be opened after the given time and a random part of it.
    case draining(code: ErrorCode, reconnectAfter: Duration)
    /// The connection is gone; the session waits for another one with so many streams (docs/protocol.md §B.19).
    case suspended(reason: String, streams: Int)
    /// Another connection could not be opened; the next attempt begins after the given time.
    case stillAway(retryIn: Duration, reason: String)
    /// Another connection goes on with the session.
    case resumed(pause: Duration, repeated: Int)
    /// A later run of the same tunnel in this program has taken the seat. Always the last event.
    case handedOver
    /// The session is over. Always the last event.
    case ended(code: ErrorCode, reason: String)
}

/// What a session offers on its event loop.
protocol TunnelSessionControl: AnyObject {
    /// The smoothed round-trip time to the edge, once it is known.
    var roundTripTime: TimeAmount? { get }
    /// Drains: finishes what is in flight, up to the grace period, and accepts no new streams.
    func drain(gracePeriod: TimeAmount)
    /// Shows the edge a newer token of the tunnel, so that the session goes on by that one.
    func renew(with token: TunnelToken, _ outcome: @escaping (TokenOutcome) -> Void)
    /// Pings the edge, and ends the session if no answer arrives soon.
    func verify()
    /// Ends the session at once.
    func end()
}

extension SessionHandler: TunnelSessionControl {
    func drain(gracePeriod: TimeAmount) {
        // Without a connection nothing can be finished.
        guard self.suspension == nil else { return self.endIfSuspended("the connector is leaving") }
        self.drain(code: .shutdown, gracePeriod: gracePeriod, reconnectAfter: .zero)
    }

    func verify() {
        self.probe(givingUp: true)
    }

    func end() {
        self.close(code: .shutdown, reason: "")
    }
}

/// One session that serves a tunnel, as seen from outside its event loop.
package struct TunnelSession: Sendable {
    /// What happens to the session, in order; finishes after ``TunnelSessionEvent/ended(code:reason:)``.
    package let events: AsyncStream<TunnelSessionEvent>
    private let continuation: AsyncStream<TunnelSessionEvent>.Continuation
    private let control: NIOLoopBound<any TunnelSessionControl>
    /// The session, where the tunnel has it for itself: another connection may go on with it.
    let own: NIOLoopBound<SessionHandler>?

    /// A session's events, and where they come from.
    typealias Events = (
        stream: AsyncStream<TunnelSessionEvent>, continuation: AsyncStream<TunnelSessionEvent>.Continuation
    )

    init(
        _ events: Events,
        control: any TunnelSessionControl,
        own: SessionHandler? = nil,
        eventLoop: any EventLoop
    ) {
        self.own = own.map { NIOLoopBound($0, eventLoop: eventLoop) }
        self.events = events.stream
        self.continuation = events.continuation
        self.control = NIOLoopBound(control, eventLoop: eventLoop)
    }

    /// Calls `body` on the session's event loop with the smoothed round-trip time to the edge, if it is known.
    package func withRoundTripTime(_ body: @escaping @Sendable (TimeAmount) -> Void) {
        self.control.eventLoop.execute { [control] in
            if let time = control.value.roundTripTime { body(time) }
        }
    }

    /// Drains: finishes what is in flight, up to the grace period, and accepts no new streams.
    package func drain(gracePeriod: TimeAmount) {
        self.control.eventLoop.execute { [control] in control.value.drain(gracePeriod: gracePeriod) }
    }

    /// Has the session go on by a newer token of its tunnel.
    ///
    /// Where the edge can't be shown one over the session, the session drains, and another one is to be opened with that
    /// token: what is in flight has until the end of the old one.
    ///
    /// - Parameters:
    ///   - token: The newer token.
    ///   - old: The token before it.
    func renew(with token: TunnelToken, after old: TunnelToken) {
        self.control.eventLoop.execute { [control, continuation] in
            control.value.renew(with: token) { outcome in
                guard outcome == .unsupported else { return }
                continuation.yield(.draining(code: .shutdown, reconnectAfter: .zero))
                control.value.drain(gracePeriod: old.remainingLife)
            }
        }
    }

    /// Pings the edge, and ends the session if no answer arrives soon.
    func verify() {
        self.control.eventLoop.execute { [control] in control.value.verify() }
    }

    /// Ends the session if it has no connection.
    func endIfSuspended(_ reason: String) {
        guard let own else { return }
        own.eventLoop.execute { own.value.endIfSuspended(reason) }
    }

    /// Ends the session at once.
    package func close() {
        self.control.eventLoop.execute { [control] in control.value.end() }
    }
}

/// The connection that was to go on with a session ended before that was decided.
struct SessionOver: Error {
    /// What is known of why.
    var reason: String
}

/// What became of a connection that was to go on with a session.
enum ReturnOutcome: Sendable {
    /// The session goes on.
    case resumed
    /// The edge does not know it: the connection has begun another one.
    case newSession
}

/// Passes the events of a session's handler to the task that follows the session.
final class TunnelSessionRelay: SessionDelegate, Sendable {
    let events: TunnelSession.Events = AsyncStream.makeStream(of: TunnelSessionEvent.self)
    private var continuation: AsyncStream<TunnelSessionEvent>.Continuation { self.events.continuation }
    /// Told what becomes of a connection that is to go on with a session.
    private let outcome: EventLoopPromise<ReturnOutcome>?
    /// The session's bundle, and its index there.
    private let bundle: (spread: BundleSpread, index: UInt8)?
    private let eventLoop: (any EventLoop)?
    private let place = Mutex<BundleSpread.Place?>(nil)

    /// - Parameters:
    ///   - outcome: Told what becomes of a connection that is to go on with a session.
    ///   - bundle: The session's bundle, and its index there.
    ///   - eventLoop: The session's; needed for a bundle.
    init(
        outcome: EventLoopPromise<ReturnOutcome>? = nil,
        bundle: (spread: BundleSpread, index: UInt8)? = nil,
        eventLoop: (any EventLoop)? = nil
    ) {
        self.outcome = outcome
        self.bundle = bundle
        self.eventLoop = eventLoop
    }

    func sessionDidBecomeActive(_ session: SessionHandler, peer: SessionSettings) {
        self.continuation.yield(.active(at: EdgePlace(peer)))
        self.outcome?.succeed(.newSession)
        guard let bundle, let eventLoop else { return }
        let place = bundle.spread.arrived(bundle.index, peer, on: eventLoop) { [weak session, continuation] in
            guard let session, session.phase == .active, session.suspension == nil else { return }
            continuation.yield(.draining(code: .shutdown, reconnectAfter: .zero))
            session.drain(code: .shutdown, gracePeriod: BundleSpread.gracePeriod, reconnectAfter: .zero)
        }
        self.place.withLock { $0 = place }
    }

    private func leave() { self.place.withLock { $0.take() }?.leave() }

    func sessionPeerIsDraining(
        _ session: SessionHandler,
        code: ErrorCode,
        gracePeriod: TimeAmount,
        reconnectAfter: TimeAmount
    ) {
        self.leave()
        self.continuation.yield(.draining(code: code, reconnectAfter: .nanoseconds(reconnectAfter.nanoseconds)))
    }

    func sessionDidSuspend(_ session: SessionHandler, reason: String) {
        self.continuation.yield(.suspended(reason: reason, streams: session.activeStreamCount))
    }

    func sessionDidResume(_ session: SessionHandler, _ resumption: Resumption) {
        let pause = Duration.nanoseconds(resumption.pause.nanoseconds)
        self.continuation.yield(.resumed(pause: pause, repeated: resumption.repeated))
    }

    func sessionDidHandOver(_ session: SessionHandler) {
        self.outcome?.succeed(.resumed)
        self.continuation.finish()
    }

    func sessionDidEnd(_ session: SessionHandler, end: SessionEnd) {
        self.leave()
        self.outcome?.fail(SessionOver(reason: end.reason))
        self.continuation.yield(.ended(code: end.code, reason: end.reason))
        self.continuation.finish()
    }
}
