// SPDX-License-Identifier: Apache-2.0

import Logging
import Mux
import NIOCore
import NIOPosix
import NIOSSL
import Protocol

/// An attempt was given up because the network changed meanwhile; another one may succeed at once.
struct NetworkChanged: Error {}

/// Opens sessions: resolves and connects, TLS, the WebSocket handshake, HELLO.
struct SessionDialer: Sendable {
    let edge: EdgeAddress
    let token: TunnelToken
    /// Where the sessions live; every attempt takes the next event loop.
    let group: any EventLoopGroup
    /// How to speak TLS to the edge; nothing for a plain `http://` edge.
    let tls: NIOSSLContext?
    /// The proxy to go through, if any.
    var proxy: ProxyAddress?
    /// The local targets by name, and how to speak TLS to them.
    let targets: [String: OriginTarget]
    let originTLS: OriginTLS?
    /// Counts what all sessions of the program buffer.
    let governor: MemoryGovernor
    let logger: Logger
    /// Who hears of the local server, and of the requests if somebody looks.
    var observer: OriginObserver?

    /// How long connecting may take.
    static let connectTimeout = TimeAmount.seconds(10)
    /// How long TLS and the handshake may take after that.
    static let handshakeTimeout = TimeAmount.seconds(15)

    /// An attempt that has not got through by then is given up when the network changes: it may be stuck on a path, or
    /// with a name server, that is gone.
    static let settledAfter = Duration.seconds(1)

    /// Opens one session.
    ///
    /// - Parameters:
    ///   - bundle: The place of the session among those of this connector.
    ///   - network: Tells when the network changes.
    /// - Throws: ``EdgeFailure``, ``NetworkChanged``, or `CancellationError` at once when the task is cancelled.
    func dial(bundle: SessionSettings.Bundle, network: NetworkWatch = NetworkWatch()) async throws -> LiveSession {
        let eventLoop = self.group.next()
        let outcome = eventLoop.makePromise(of: LiveSession.self)
        eventLoop.execute { self.connect(on: eventLoop, bundle: bundle, outcome: outcome) }
        let start = ContinuousClock.now
        let subscription = network.subscribe {
            if .now - start >= Self.settledAfter { outcome.fail(NetworkChanged()) }
        }
        defer { network.cancel(subscription) }
        do {
            return try await withTaskCancellationHandler {
                try await outcome.futureResult.get()
            } onCancel: {
                // The attempt itself can't be called back; whatever still comes of it is closed when it comes.
                outcome.fail(CancellationError())
            }
        } catch let error as CancellationError {
            throw error
        } catch let change as NetworkChanged {
            throw change
        } catch {
            throw EdgeFailure(error, dialling: self.edge, through: self.proxy)
        }
    }

    private func connect(
        on eventLoop: any EventLoop,
        bundle: SessionSettings.Bundle,
        outcome: EventLoopPromise<LiveSession>
    ) {
        // A new bootstrap, and so a new look-up of the name, on every attempt: edges move.
        ClientBootstrap(group: eventLoop)
            .connectTimeout(Self.connectTimeout)
            .channelOption(.autoRead, value: false)
            .connect(host: self.proxy?.host ?? self.edge.host, port: self.proxy?.port ?? self.edge.port)
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let channel):
                    outcome.futureResult.whenFailure { _ in channel.close(promise: nil) }
                    self.passProxy(on: channel, outcome: outcome) {
                        self.shakeHands(on: channel, bundle: bundle, outcome: outcome)
                    }
                case .failure(let error):
                    outcome.fail(error)
                }
            }
    }

    /// Has the proxy, if there is one, open a connection to the edge.
    private func passProxy(
        on channel: any Channel,
        outcome: EventLoopPromise<LiveSession>,
        then proceed: @escaping () -> Void
    ) {
        guard let proxy = self.proxy else { return proceed() }
        let opened = channel.eventLoop.makePromise(of: Void.self)
        opened.futureResult.assumeIsolated().whenComplete { result in
            switch result {
            case .success: proceed()
            case .failure(let error): outcome.fail(error)
            }
        }
        let connect = ProxyConnect(host: self.edge.host, port: self.edge.port, credentials: proxy.credentials)
        do {
            try channel.pipeline.syncOperations.addHandler(
                ProxyConnectHandler(connect, limit: Self.handshakeTimeout, promise: opened)
            )
            try channel.syncOptions?.setOption(.autoRead, value: true)
        } catch {
            opened.fail(error)
        }
    }

    private func shakeHands(
        on channel: any Channel,
        bundle: SessionSettings.Bundle,
        outcome: EventLoopPromise<LiveSession>
    ) {
        let relay = LiveSessionRelay()
        let handler = self.makeHandler(on: channel.eventLoop, bundle: bundle, relay: relay)
        let upgraded = channel.eventLoop.makePromise(of: Void.self)
        let handshake = WebSocketClientHandshake(
            host: self.edge.authority,
            target: self.edge.connectPath(tunnelID: self.token.tunnelID),
            fields: [
                ("Authorization", "Bearer \(self.token.secret)"),
                ("User-Agent", "culvert/\(ProgramVersion.current)"),
            ]
        )
        do {
            if let tls = self.tls {
                try channel.pipeline.syncOperations.addHandler(
                    NIOSSLClientHandler(context: tls, addressing: self.edge.host)
                )
            }
            try channel.pipeline.syncOperations.addHandler(
                WebSocketClientHandshakeHandler(handshake: handshake, promise: upgraded) { handler }
            )
            try channel.syncOptions?.setOption(.autoRead, value: true)
        } catch {
            upgraded.fail(error)
        }
        let edge = self.edge
        let timeout = channel.eventLoop.scheduleTask(in: Self.handshakeTimeout) {
            outcome.fail(EdgeFailure.timedOut(address: edge.description, step: "the handshake"))
        }
        let eventLoop = channel.eventLoop
        upgraded.futureResult.assumeIsolated().whenComplete { result in
            timeout.cancel()
            outcome.completeWith(
                result.map { LiveSession(events: relay.events, handler: handler, eventLoop: eventLoop) }
            )
        }
    }

    private func makeHandler(
        on eventLoop: any EventLoop,
        bundle: SessionSettings.Bundle,
        relay: LiveSessionRelay
    ) -> SessionHandler {
        var configuration = SessionConfiguration(role: .connector, governor: self.governor)
        configuration.settings.implementation = "culvert/\(ProgramVersion.current)"
        configuration.settings.bundle = bundle
        let origin = OriginDialer(
            targets: self.targets,
            tls: self.originTLS,
            eventLoop: eventLoop,
            observer: self.observer ?? OriginObserver(logger: self.logger)
        )
        // The handler holds its delegate weakly; what serves its streams holds it for as long as the handler lives.
        var logger = self.logger
        // How a session ended is told by whoever decides what follows; once is enough.
        logger.logLevel = max(logger.logLevel, logger.logLevel <= .debug ? .debug : .warning)
        return SessionHandler(configuration: configuration, delegate: relay, logger: logger) { [relay] stream in
            withExtendedLifetime(relay) { origin.serve(stream) }
        }
    }
}

extension EdgeFailure {
    /// Puts the outcome of a WebSocket handshake into one sentence.
    init(_ error: any Error, dialling edge: EdgeAddress, through proxy: ProxyAddress? = nil) {
        let address = edge.description
        switch error {
        case let refusal as WebSocketClientHandshake.Refusal:
            self = .refused(
                status: refusal.status,
                retryAfter: refusal.retryAfter.map { .seconds($0) },
                problem: ProblemDetails(reading: ByteBuffer(string: refusal.body), mediaType: refusal.contentType)
            )
        case let failure as WebSocketClientHandshake.Failure:
            let reason =
                switch failure {
                case .notHTTP: "its answer is not HTTP"
                case .headTooLarge: "its answer is too long"
                case .invalidUpgrade(let what): what
                case .connectionClosed: "it closed the connection without an answer"
                }
            // An edge or a proxy that is just going down closes without an answer too.
            self =
                failure == .connectionClosed
                ? .unreachable(address: address, reason: reason) : .notAnEdge(address: address, reason: reason)
        default:
            self.init(error, reaching: edge, through: proxy)
        }
    }
}
