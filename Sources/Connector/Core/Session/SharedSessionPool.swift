// SPDX-License-Identifier: Apache-2.0

import Logging
import Mux
import NIOCore
import Protocol
import Synchronization

/// The sessions with one edge that the tunnels of this program share (docs/protocol.md §B.16).
///
/// There is one for each index of a bundle. The first tunnel that needs a session connects, with its own token; the
/// others wait for the outcome.
final class SharedSessionPool: Sendable {
    /// Connects to the edge.
    let dialer: EdgeDialer
    let governor = MemoryGovernor()
    let logger: Logger
    /// Which edges the sessions are at.
    let spread = BundleSpread()
    private let bundleID = (0..<16).map { _ in UInt8.random(in: .min ... .max) }

    private struct State {
        var sessions: [UInt8: EventLoopFuture<NIOLoopBound<SharedSession>?>] = [:]
        /// Counts the sessions of each index, so that the end of one does not remove its successor.
        var attempts: [UInt8: Int] = [:]
        /// The latest failure to connect at each index, and until when further attempts get it at once.
        var failures: [UInt8: (failure: EdgeFailure, until: ContinuousClock.Instant)] = [:]
        /// How often each index gets a session, for all tunnels together: an edge may drain each of them at once.
        var paces: [UInt8: (pace: DialPace, next: ContinuousClock.Instant)] = [:]
        /// Until when the edge is not asked again to share sessions.
        var refusedUntil: ContinuousClock.Instant?
        /// How many runs of tunnels there were so far; of two runs of a tunnel the later one gets the seat.
        var runs = 0
    }

    /// An attempt that one tunnel makes for all.
    private struct Claim {
        var attempt: Int
        /// How long to wait before it.
        var distance: Duration
    }

    private let state = Mutex(State())

    /// Notified when a session is active.
    let edgeFound = Subscribers()

    /// How long all tunnels share one failure, so that a thousand of them make one attempt a second and not a thousand.
    private static let failureTime = Duration.seconds(1)

    /// For how long an edge that shares no sessions is not asked again.
    private static let refusalTime = Duration.seconds(600)

    private let now: @Sendable () -> ContinuousClock.Instant

    /// - Parameters:
    ///   - dialer: Connects to the edge.
    ///   - logger: For what happens to the sessions.
    ///   - now: The clock.
    init(dialer: EdgeDialer, logger: Logger, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
        self.dialer = dialer
        self.logger = logger
        self.now = now
    }

    /// The session at an index of the bundle, or a new one.
    ///
    /// - Parameters:
    ///   - index: The index in the bundle, from 0.
    ///   - token: The token that the edge is shown, if a connection has to be opened.
    ///   - network: Reports when the network changes.
    /// - Returns: `nil` if the edge does not share sessions.
    /// - Throws: ``EdgeFailure``, ``NetworkChanged``, or `CancellationError` at once when the task is cancelled.
    func session(
        at index: UInt8,
        token: TunnelToken,
        network: NetworkWatch
    ) async throws -> NIOLoopBound<SharedSession>? {
        while true {
            try Task.checkCancellation()
            if let failure = self.recentFailure(index) { throw failure }
            guard let (future, isOwn) = self.claim(index, token: token, network: network) else { return nil }
            do {
                return try await future.cancellableGet()
            } catch let failure as EdgeFailure where !isOwn && failure.isAboutToken {
                // The edge refused another tunnel's token, which says nothing about this one's.
                continue
            }
        }
    }

    private func recentFailure(_ index: UInt8) -> EdgeFailure? {
        self.state.withLock { $0.failures[index] }.flatMap { self.now() < $0.until ? $0.failure : nil }
    }

    private func claim(
        _ index: UInt8,
        token: TunnelToken,
        network: NetworkWatch
    ) -> (EventLoopFuture<NIOLoopBound<SharedSession>?>, isOwn: Bool)? {
        let promise = self.dialer.group.next().makePromise(of: NIOLoopBound<SharedSession>?.self)
        let (future, claimed) = self.state.withLock {
            state -> (EventLoopFuture<NIOLoopBound<SharedSession>?>?, Claim?) in
            if let until = state.refusedUntil, self.now() < until { return (nil, nil) }
            if let future = state.sessions[index] { return (future, nil) }
            state.sessions[index] = promise.futureResult
            let attempt = state.attempts[index, default: 0] + 1
            state.attempts[index] = attempt
            return (promise.futureResult, Claim(attempt: attempt, distance: self.distance(at: index, state)))
        }
        if let claimed {
            // Not a child of the caller's task: others wait for it, too. Its own time-outs end it.
            Task {
                let attempt = claimed.attempt
                do {
                    try await Task.sleep(for: claimed.distance)
                    promise.succeed(try await self.connect(index, attempt: attempt, token: token, network: network))
                } catch {
                    self.forget(index, attempt)
                    if let failure = error as? EdgeFailure, !failure.isAboutToken {
                        self.state.withLock { $0.failures[index] = (failure, self.now() + Self.failureTime) }
                    }
                    promise.fail(error)
                }
            }
        } else {
            promise.succeed(nil)
        }
        return future.map { ($0, claimed != nil) }
    }

    private func connect(
        _ index: UInt8,
        attempt: Int,
        token: TunnelToken,
        network: NetworkWatch
    ) async throws -> NIOLoopBound<SharedSession>? {
        let bundle = self.bundle(at: index)
        let (session, isSharing) = try await self.dialer.open(with: token, network: network) { eventLoop in
            let (handler, session) = SharedSession.make(
                on: eventLoop,
                bundle: bundle,
                spread: self.spread,
                governor: self.governor,
                logger: self.logger
            )
            session.whenUnusable = { self.forget(index, attempt) }
            self.watch(session, at: index, network: network)
            return (handler, (NIOLoopBound(session, eventLoop: eventLoop), session.isSharing.futureResult))
        }
        guard try await isSharing.get() else {
            // Asked again later: while edges are being upgraded, the next one may share sessions.
            self.state.withLock { $0.refusedUntil = self.now() + Self.refusalTime }
            self.forget(index, attempt)
            return nil
        }
        self.countSession(index)
        self.edgeFound.notify()
        return session
    }

    /// What a session at an index is called.
    func bundle(at index: UInt8) -> SessionSettings.Bundle { .init(id: self.bundleID, index: index, count: 8) }

    /// A connection that was to go on with a session has begun another one, which takes its place.
    func adopt(_ session: SharedSession, at index: UInt8) {
        let future = session.eventLoop.makeSucceededFuture(
            Optional(NIOLoopBound(session, eventLoop: session.eventLoop))
        )
        let attempt = self.state.withLock { state in
            let attempt = state.attempts[index, default: 0] + 1
            state.attempts[index] = attempt
            state.sessions[index] = future
            return attempt
        }
        session.whenUnusable = { self.forget(index, attempt) }
        self.edgeFound.notify()
    }

    /// How long the next attempt at an index has to wait.
    func distance(at index: UInt8) -> Duration { self.state.withLock { self.distance(at: index, $0) } }

    private func distance(at index: UInt8, _ state: State) -> Duration {
        state.paces[index].map { max(.zero, $0.next - self.now()) } ?? .zero
    }

    /// Notes a session, and when the next one may follow.
    private func countSession(_ index: UInt8) {
        let now = self.now()
        self.state.withLock { state in
            var pace = state.paces[index]?.pace ?? DialPace()
            let distance = pace.next(now: now)
            state.paces[index] = (pace, now + distance)
        }
    }

    private func forget(_ index: UInt8, _ attempt: Int) {
        self.state.withLock { state in
            if state.attempts[index] == attempt { state.sessions[index] = nil }
        }
    }

    /// The number of a new run of a tunnel.
    func nextRun() -> Int {
        self.state.withLock { state in
            state.runs += 1
            return state.runs
        }
    }
}

extension EventLoopFuture where Value: Sendable {
    /// Waits for the value, or for the task to be cancelled.
    fileprivate func cancellableGet() async throws -> Value {
        let outcome = self.eventLoop.makePromise(of: Value.self)
        self.cascade(to: outcome)
        return try await withTaskCancellationHandler {
            try await outcome.futureResult.get()
        } onCancel: {
            outcome.fail(CancellationError())
        }
    }
}
