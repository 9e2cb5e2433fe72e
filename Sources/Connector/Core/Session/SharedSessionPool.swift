// SPDX-License-Identifier: Apache-2.0

import Logging
import Mux
import NIOCore
import Protocol
import Synchronization

/// The sessions with one edge that the tunnels of this program share (docs/protocol.md §B.16).
///
/// There is one for each place of a bundle. Whoever needs one that is not there connects, with its own token; the others
/// wait for the outcome.
final class SharedSessionPool: Sendable {
    /// Connects to the edge.
    let dialer: EdgeDialer
    private let governor = MemoryGovernor()
    private let logger: Logger
    private let bundleID = (0..<16).map { _ in UInt8.random(in: .min ... .max) }

    private struct State {
        var places: [UInt8: EventLoopFuture<NIOLoopBound<SharedSession>?>] = [:]
        /// Counts the sessions of a place, so that the end of one does not take away the next.
        var attempts: [UInt8: Int] = [:]
        /// The latest failure to connect in each place, and until when it answers further attempts.
        var failures: [UInt8: (failure: EdgeFailure, until: ContinuousClock.Instant)] = [:]
        /// Until when the edge is taken to share no sessions.
        var refusedUntil: ContinuousClock.Instant?
        /// How many runs there were so far; the latest of a tunnel is the one that counts.
        var runs = 0
    }

    private let state = Mutex(State())

    /// Told whenever a session stands.
    let edgeFound = Subscribers()

    /// How long one failure is everybody's: a thousand tunnels that look for their edge must not do so each by itself.
    private static let failureTime = Duration.seconds(1)

    /// For how long an edge that shares no sessions is not asked again.
    private static let refusalTime = Duration.seconds(600)

    /// - Parameters:
    ///   - dialer: Connects to the edge.
    ///   - logger: For what happens to the sessions.
    init(dialer: EdgeDialer, logger: Logger) {
        self.dialer = dialer
        self.logger = logger
    }

    /// A session in a place of the bundle: the one that is there, or a new one.
    ///
    /// - Parameters:
    ///   - index: The place, from 0.
    ///   - token: What lets the connector in, should it have to connect.
    ///   - network: Tells when the network changes.
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
                // Another tunnel's token was refused, which says nothing of this one's.
                continue
            }
        }
    }

    private func recentFailure(_ index: UInt8) -> EdgeFailure? {
        self.state.withLock { $0.failures[index] }.flatMap { .now < $0.until ? $0.failure : nil }
    }

    private func claim(
        _ index: UInt8,
        token: TunnelToken,
        network: NetworkWatch
    ) -> (EventLoopFuture<NIOLoopBound<SharedSession>?>, isOwn: Bool)? {
        let promise = self.dialer.group.next().makePromise(of: NIOLoopBound<SharedSession>?.self)
        let (future, attempt) = self.state.withLock { state -> (EventLoopFuture<NIOLoopBound<SharedSession>?>?, Int?) in
            if let until = state.refusedUntil, .now < until { return (nil, nil) }
            if let future = state.places[index] { return (future, nil) }
            state.places[index] = promise.futureResult
            state.attempts[index, default: 0] += 1
            return (promise.futureResult, state.attempts[index])
        }
        if let attempt {
            // Not a part of whoever asks: others wait for it, too, and it comes to an end by its own time-outs.
            Task {
                do {
                    promise.succeed(try await self.connect(index, attempt: attempt, token: token, network: network))
                } catch {
                    self.forget(index, attempt)
                    if let failure = error as? EdgeFailure, !failure.isAboutToken {
                        self.state.withLock { $0.failures[index] = (failure, .now + Self.failureTime) }
                    }
                    promise.fail(error)
                }
            }
        } else {
            promise.succeed(nil)
        }
        return future.map { ($0, attempt != nil) }
    }

    private func connect(
        _ index: UInt8,
        attempt: Int,
        token: TunnelToken,
        network: NetworkWatch
    ) async throws -> NIOLoopBound<SharedSession>? {
        let bundle = SessionSettings.Bundle(id: self.bundleID, index: index, count: 8)
        let (session, isSharing) = try await self.dialer.open(with: token, network: network) { eventLoop in
            let (handler, session) = SharedSession.make(
                on: eventLoop,
                bundle: bundle,
                governor: self.governor,
                logger: self.logger
            )
            session.whenUnusable = { self.forget(index, attempt) }
            return (handler, (NIOLoopBound(session, eventLoop: eventLoop), session.isSharing.futureResult))
        }
        guard try await isSharing.get() else {
            // Where edges are just being replaced, the next one may.
            self.state.withLock { $0.refusedUntil = .now + Self.refusalTime }
            self.forget(index, attempt)
            return nil
        }
        self.edgeFound.tell()
        return session
    }

    private func forget(_ index: UInt8, _ attempt: Int) {
        self.state.withLock { state in
            if state.attempts[index] == attempt { state.places[index] = nil }
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

extension EdgeFailure {
    /// Whether it was the token that the edge would not have.
    fileprivate var isAboutToken: Bool {
        guard case .refused(let status, _, _) = self else { return false }
        return [401, 403, 404].contains(status)
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
