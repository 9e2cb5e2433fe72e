// SPDX-License-Identifier: Apache-2.0

import Logging
import Mux
import NIOCore
import NIOSSL
import Program
import Protocol

/// Opens sessions that serve one tunnel alone, each over a connection of its own.
package struct OwnSessionOpener: SessionOpener {
    let dialer: EdgeDialer
    let currentToken: CurrentToken
    /// The local targets by name, and the TLS settings for them.
    let targets: [String: OriginTarget]
    let originTLS: OriginTLS?
    /// Bounds what all sessions of the program buffer.
    let governor: MemoryGovernor
    let logger: Logger
    /// Receives events of the local server and of the requests that it gets.
    var observer: OriginObserver
    /// Which edges the sessions are at.
    private let spread = BundleSpread()

    /// - Parameters:
    ///   - dialer: Connects to the edge.
    ///   - token: The token that the edge is shown.
    ///   - targets: The local targets by name.
    ///   - originTLS: The TLS settings for them; `nil` if none of them uses TLS.
    ///   - governor: Bounds what all sessions of the program buffer.
    ///   - logger: For what happens to the sessions.
    ///   - observer: Receives events of the local server.
    package init(
        dialer: EdgeDialer,
        token: CurrentToken,
        targets: [String: OriginTarget],
        originTLS: OriginTLS?,
        governor: MemoryGovernor,
        logger: Logger,
        observer: OriginObserver
    ) {
        self.dialer = dialer
        self.currentToken = token
        self.targets = targets
        self.originTLS = originTLS
        self.governor = governor
        self.logger = logger
        self.observer = observer
    }

    /// Opens one session.
    ///
    /// - Parameters:
    ///   - bundle: Which of the connections of the tunnel the session is.
    ///   - network: Reports when the network changes.
    /// - Throws: ``EdgeFailure``, ``NetworkChanged``, or `CancellationError` at once when the task is cancelled.
    package func open(
        bundle: SessionSettings.Bundle,
        network: NetworkWatch = NetworkWatch()
    ) async throws -> TunnelSession {
        try await self.connect(bundle: bundle, network: network)
    }

    package func comeBack(
        to session: TunnelSession,
        bundle: SessionSettings.Bundle,
        network: NetworkWatch
    ) async throws -> TunnelSession? {
        guard let own = session.own else { return nil }
        let outcome = own.eventLoop.makePromise(of: ReturnOutcome.self)
        let next: TunnelSession
        do {
            next = try await self.connect(bundle: bundle, network: network, resuming: own, outcome)
        } catch {
            outcome.fail(error)
            throw error
        }
        switch try await outcome.futureResult.get() {
        case .resumed: return nil
        case .newSession: return next
        }
    }

    private func connect(
        bundle: SessionSettings.Bundle,
        network: NetworkWatch,
        resuming session: NIOLoopBound<SessionHandler>? = nil,
        _ outcome: EventLoopPromise<ReturnOutcome>? = nil
    ) async throws -> TunnelSession {
        try await self.dialer.open(
            on: session?.eventLoop,
            resumes: session != nil,
            with: self.currentToken.value,
            network: network
        ) { eventLoop in
            let relay = TunnelSessionRelay(
                outcome: outcome,
                bundle: (self.spread, bundle.index),
                eventLoop: eventLoop
            )
            var configuration = SessionConfiguration(role: .connector, governor: self.governor)
            configuration.capabilities = [.renewal, .resume]
            configuration.settings.implementation = "culvert/\(ProgramVersion.current)"
            configuration.settings.bundle = bundle
            let origin = self.makeOrigin(targets: self.targets, on: eventLoop)
            // The handler holds its delegate weakly; the closure that serves its streams retains it.
            let handler = SessionHandler(
                configuration: configuration,
                purpose: session.map { .resume($0.value) } ?? .newSession,
                delegate: relay,
                logger: self.logger.ofSessions
            ) { [relay] stream in
                withExtendedLifetime(relay) { origin.serve(stream) }
            }
            return (handler, TunnelSession(relay.events, control: handler, own: handler, eventLoop: eventLoop))
        }
    }

    func makeOrigin(targets: [String: OriginTarget], on eventLoop: any EventLoop) -> OriginDialer {
        OriginDialer(
            targets: targets,
            tls: self.originTLS,
            eventLoop: eventLoop,
            observer: self.observer
        )
    }

    package var token: CurrentToken? { self.currentToken }

    /// `nil`: no other tunnel shares the connections.
    package var edgeFound: Subscribers? { nil }
}

extension Logger {
    /// The logger for sessions: it leaves out how a session ended, which the reconnection logs with what follows.
    var ofSessions: Logger {
        var logger = self
        logger.logLevel = max(logger.logLevel, logger.logLevel <= .debug ? .debug : .warning)
        return logger
    }
}
