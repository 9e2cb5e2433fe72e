// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOCore
import Protocol

extension SharedSessionPool {
    /// Brings another connection to a session each time that it loses its own (docs/protocol.md §B.19).
    ///
    /// Called on the session's event loop.
    func watch(_ session: SharedSession, at index: UInt8, network: NetworkWatch) {
        var pace = DialPace()
        session.whenSuspended = { [weak session] in
            guard let session, let handler = session.handler else { return Task {} }
            let lost = LostSession(
                handler: NIOLoopBound(handler, eventLoop: session.eventLoop),
                session: NIOLoopBound(session, eventLoop: session.eventLoop),
                tokens: session.tokens,
                index: index
            )
            let distance = pace.next(now: .now)
            return Task { await self.comeBack(to: lost, after: distance, network: network) }
        }
    }

    private struct LostSession {
        let handler: NIOLoopBound<SessionHandler>
        let session: NIOLoopBound<SharedSession>
        /// Of the tunnels that it serves.
        let tokens: [TunnelToken]
        let index: UInt8

        /// Whether another connection is of use.
        func isWaiting() async -> Bool {
            (try? await self.handler.eventLoop.submit { self.handler.value.suspension != nil }.get()) ?? false
        }

        func isStillAway(retryIn delay: Duration, reason: String) {
            self.session.eventLoop.execute { self.session.value.isStillAway(retryIn: delay, reason: reason) }
        }

        func giveUp(_ reason: String) {
            self.handler.eventLoop.execute { self.handler.value.endIfSuspended(reason) }
        }
    }

    private func comeBack(to lost: LostSession, after distance: Duration, network: NetworkWatch) async {
        try? await Task.sleep(for: distance)
        var backoff = ReconnectBackoff.comingBack
        var causes = ReturnCauses()
        var tokens = lost.tokens[...]
        while await lost.isWaiting(), !Task.isCancelled {
            guard let token = tokens.first else { return lost.giveUp("the edge refuses the connection") }
            do {
                try await self.connect(lost, token: token, network: network)
                return
            } catch is NetworkChanged {
                backoff.reset()
            } catch let failure as EdgeFailure where failure.isAboutToken {
                // That of another tunnel may be good.
                tokens.removeFirst()
            } catch {
                let asked = (error as? EdgeFailure)?.retryAfter ?? .zero
                let delay = backoff.nextDelay(atLeast: asked, draw: .random(in: 0...1))
                if let cause = causes.new(error) { lost.isStillAway(retryIn: delay, reason: cause) }
                try? await Task.sleep(for: delay)
            }
        }
    }

    private func connect(_ lost: LostSession, token: TunnelToken, network: NetworkWatch) async throws {
        let outcome = lost.handler.eventLoop.makePromise(of: ReturnOutcome.self)
        do {
            try await self.dialer.open(
                on: lost.handler.eventLoop,
                resumes: true,
                with: token,
                network: network
            ) { eventLoop in
                let (handler, session) = SharedSession.make(
                    on: eventLoop,
                    bundle: self.bundle(at: lost.index),
                    spread: self.spread,
                    governor: self.governor,
                    resuming: lost.handler.value,
                    outcome,
                    logger: self.logger
                )
                session.whenActive = { [weak session] in
                    guard let session else { return }
                    self.adopt(session, at: lost.index)
                    self.watch(session, at: lost.index, network: network)
                }
                return (handler, ())
            }
        } catch {
            outcome.fail(error)
            throw error
        }
        _ = try await outcome.futureResult.get()
    }
}
