// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Protocol
import ServiceLifecycle

/// Keeps one connection of a bundle up: opens a session, follows it to its end, and opens the next.
package struct ConnectionKeeper: Sendable {
    let opener: any SessionOpener
    let bundle: SessionSettings.Bundle
    var policy: ReconnectPolicy
    let pauses: ReconnectPauses
    let network: NetworkWatch
    let report: @Sendable (ConnectionEvent) -> Void

    /// How long requests in flight may take when the program is asked to stop: whoever runs it in a pod kills it after 30 s
    /// (`terminationGracePeriodSeconds`), and it has a word to say to the edge before.
    package static let gracePeriod = TimeAmount.seconds(20)

    private var index: Int { Int(self.bundle.index) }

    private enum Outcome {
        case ended(ErrorCode, reason: String, lived: Duration)
        /// Another session has taken its place already, over a connection that was to go on with it.
        case succeeded(by: TunnelSession)
        /// The session goes on for the streams it has.
        case draining(ErrorCode, reconnectAfter: Duration)
        case cancelled
    }

    /// Runs until the program is asked to stop, or another connector has replaced the connection.
    ///
    /// - Throws: ``CommandFailure`` when no further attempt can succeed.
    func run() async throws {
        var state = self
        var backoff = ReconnectBackoff()
        var pace = DialPace()
        var successor: TunnelSession?
        var leavingSessions = LeavingSessions<TunnelSession>()
        try await withThrowingDiscardingTaskGroup { leaving in
            while !Task.isShuttingDownGracefully, !Task.isCancelled {
                let decision: ReconnectDecision
                let distance = successor == nil ? pace.next(now: .now) : .zero
                if distance > .zero {
                    await Self.sleep(distance)
                    guard !Task.isShuttingDownGracefully, !Task.isCancelled else { return }
                }
                let shown = self.opener.token?.value
                do {
                    let session: TunnelSession
                    if let next = successor.take() {
                        session = next
                    } else {
                        self.report(.connecting(index: self.index))
                        session = try await cancelWhenGracefulShutdown {
                            try await self.opener.open(bundle: self.bundle, network: self.network)
                        }
                    }
                    self.report(.opened(index: self.index, session))
                    switch await state.follow(session, shown: shown) {
                    case .ended(let code, let reason, let lived):
                        backoff.sessionEnded(afterLiving: lived)
                        decision = state.policy.decide(afterEnd: code, reason: reason)
                    case .succeeded(let next):
                        successor = next
                        continue
                    case .draining(let code, let reconnectAfter):
                        leavingSessions.add(session)?.close()
                        let token = self.opener.token
                        leaving.addTask { await Self.waitForEnd(of: session, token: token) }
                        // An edge that drains has not failed, and visitors wait at the next one: earlier failures don't
                        // count.
                        backoff.reset()
                        let next = state.policy.decide(afterEnd: code, reason: "")
                        guard case .retry = next else {
                            decision = next
                            break
                        }
                        self.report(.replacing(index: self.index, code))
                        // The next session is opened before the old one ends.
                        await Self.sleep(ReconnectPolicy.drainWait(asked: reconnectAfter, draw: .random(in: 0...1)))
                        continue
                    case .cancelled:
                        return
                    }
                } catch let failure as EdgeFailure {
                    decision = state.policy.decide(after: failure)
                } catch is NetworkChanged {
                    // The path or name server that the attempt waited for is gone; the next attempt starts at once.
                    backoff.reset()
                    continue
                } catch is CancellationError {
                    return
                }
                switch decision {
                case .stop(let failure):
                    guard !Task.isShuttingDownGracefully else { return }
                    // The edge refused a token that another one has replaced since.
                    if failure.status == .refused, let token = self.opener.token, token.value != shown { continue }
                    throw failure
                case .yield:
                    self.report(.replaced(index: self.index))
                    return
                case .retry(let minimum, let reason):
                    guard !Task.isShuttingDownGracefully else { return }
                    let delay = backoff.nextDelay(atLeast: minimum, draw: .random(in: 0...1))
                    self.report(.waiting(index: self.index, delay, reason: reason))
                    if await self.pauses.wait(for: delay, index: self.index) == .networkChanged { backoff.reset() }
                }
            }
        }
    }

    /// - Parameter shown: The token that the session began with.
    private mutating func follow(_ session: TunnelSession, shown: TunnelToken?) async -> Outcome {
        let (report, pauses, index) = (self.report, self.pauses, self.index)
        let subscription = self.network.subscribe { session.verify() }
        let renewal = shown.flatMap { shown in self.opener.token.map { SessionRenewal($0, of: session, shown: shown) } }
        defer {
            self.network.cancel(subscription)
            renewal?.cancel()
        }
        let comeBack = SessionReturn(self.opener, self.bundle, self.network, pauses) {
            report(.stillAway(index: index, $0, reason: $1))
        }
        let outcome = await withGracefulShutdownHandler { () -> (Outcome, wasActive: Bool) in
            var activeSince: ContinuousClock.Instant?
            var returning: Task<TunnelSession?, Never>?
            defer { returning?.cancel() }
            for await event in session.events {
                switch event {
                case .active:
                    activeSince = .now
                    pauses.cutShort(.edgeFound)
                    renewal?.activate()
                    report(.active(index: index))
                case .suspended(let reason, let streams):
                    report(.suspended(index: index, reason: reason, streams: streams))
                    returning = comeBack.begin(session)
                case .stillAway(let delay, let reason):
                    report(.stillAway(index: index, delay, reason: reason))
                case .resumed(let pause, let repeated):
                    returning?.cancel()
                    returning = nil
                    pauses.cutShort(.edgeFound)
                    report(.resumed(index: index, pause: pause, repeated: repeated))
                case .handedOver:
                    return (.cancelled, activeSince != nil)
                case .draining(let code, let reconnectAfter):
                    return (.draining(code, reconnectAfter: reconnectAfter), activeSince != nil)
                case .ended(let code, let reason):
                    let lived = activeSince.map { .now - $0 } ?? .zero
                    returning?.cancel()
                    if let next = await returning?.value {
                        return (.succeeded(by: next), activeSince != nil)
                    }
                    return (.ended(code, reason: reason, lived: lived), activeSince != nil)
                }
            }
            session.close()
            return (.cancelled, activeSince != nil)
        } onGracefulShutdown: {
            session.drain(gracePeriod: Self.gracePeriod)
        }
        if outcome.wasActive { self.policy.hasBeenActive = true }
        return outcome.0
    }

    /// Waits for the end of a session that drains.
    private static func waitForEnd(of session: TunnelSession, token: CurrentToken?) async {
        let renewal = token.map { SessionRenewal($0, of: session, shown: $0.value) }
        renewal?.activate()
        defer { renewal?.cancel() }
        await withGracefulShutdownHandler {
            for await event in session.events {
                // Nothing new is sent over it: what it has is not worth another connection.
                if case .suspended = event { session.close() }
            }
        } onGracefulShutdown: {
            session.drain(gracePeriod: Self.gracePeriod)
        }
        if Task.isCancelled { session.close() }
    }

    private static func sleep(_ duration: Duration) async {
        try? await cancelWhenGracefulShutdown { try await Task.sleep(for: duration) }
    }
}
