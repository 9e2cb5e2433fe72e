// SPDX-License-Identifier: Apache-2.0

import Logging
import Mux
import NIOCore
import NIOSSL
import Protocol

/// Opens sessions over connections that the tunnel has for itself.
package struct OwnSessionOpener: SessionOpener {
    let dialer: EdgeDialer
    let token: TunnelToken
    /// The local targets by name, and how to speak TLS to them.
    let targets: [String: OriginTarget]
    let originTLS: OriginTLS?
    /// Counts what all sessions of the program buffer.
    let governor: MemoryGovernor
    let logger: Logger
    /// Who hears of the local server, and of the requests if somebody looks.
    var observer: OriginObserver

    /// - Parameters:
    ///   - dialer: Connects to the edge.
    ///   - token: What lets the connector in.
    ///   - targets: The local targets by name.
    ///   - originTLS: How to speak TLS to them; nothing if none of them does.
    ///   - governor: Counts what all sessions of the program buffer.
    ///   - logger: For what happens to the sessions.
    ///   - observer: Who hears of the local server.
    package init(
        dialer: EdgeDialer,
        token: TunnelToken,
        targets: [String: OriginTarget],
        originTLS: OriginTLS?,
        governor: MemoryGovernor,
        logger: Logger,
        observer: OriginObserver
    ) {
        self.dialer = dialer
        self.token = token
        self.targets = targets
        self.originTLS = originTLS
        self.governor = governor
        self.logger = logger
        self.observer = observer
    }

    /// Opens one session.
    ///
    /// - Parameters:
    ///   - bundle: The place of the session among those of this connector.
    ///   - network: Tells when the network changes.
    /// - Throws: ``EdgeFailure``, ``NetworkChanged``, or `CancellationError` at once when the task is cancelled.
    package func open(
        bundle: SessionSettings.Bundle,
        network: NetworkWatch = NetworkWatch()
    ) async throws -> TunnelSession {
        try await self.dialer.open(with: self.token, network: network) { eventLoop in
            let relay = TunnelSessionRelay()
            var configuration = SessionConfiguration(role: .connector, governor: self.governor)
            configuration.settings.implementation = "culvert/\(ProgramVersion.current)"
            configuration.settings.bundle = bundle
            let origin = self.makeOrigin(targets: self.targets, on: eventLoop)
            // The handler holds its delegate weakly; what serves its streams holds it for as long as the handler lives.
            let handler = SessionHandler(
                configuration: configuration,
                delegate: relay,
                logger: self.logger.ofSessions
            ) { [relay] stream in
                withExtendedLifetime(relay) { origin.serve(stream) }
            }
            return (handler, TunnelSession(events: relay.events, control: handler, eventLoop: eventLoop))
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

    /// Nothing: there are no others.
    package var edgeFound: Subscribers? { nil }
}

extension Logger {
    /// For sessions: how one ended is told by whoever decides what follows, and once is enough.
    var ofSessions: Logger {
        var logger = self
        logger.logLevel = max(logger.logLevel, logger.logLevel <= .debug ? .debug : .warning)
        return logger
    }
}
