// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Mux
import NIOCore
import NIOPosix
import NIOSSL
import Program

/// An attempt was cancelled because the network changed meanwhile; another one may succeed at once.
struct NetworkChanged: Error {}

/// Connects to an edge: resolves its name, connects, passes the proxy, performs TLS and the WebSocket handshake.
package struct EdgeDialer: Sendable {
    let edge: EdgeAddress
    /// The event loops of the connections; each attempt takes the next one.
    let group: any EventLoopGroup
    /// The TLS settings for the edge; `nil` for an `http://` edge.
    let tls: NIOSSLContext?
    /// The proxy to go through, if any.
    let proxy: ProxyAddress?

    /// - Parameters:
    ///   - edge: The edge.
    ///   - group: Where the connections live.
    ///   - tls: How to speak TLS to the edge; nothing for a plain `http://` edge.
    ///   - proxy: The proxy to go through, if any.
    ///   - patience: How long an attempt may take before a change of the network cancels it.
    package init(
        edge: EdgeAddress,
        group: any EventLoopGroup,
        tls: NIOSSLContext?,
        proxy: ProxyAddress? = nil,
        patience: Duration = .seconds(1)
    ) {
        self.edge = edge
        self.group = group
        self.tls = tls
        self.proxy = proxy
        self.patience = patience
    }

    /// How long connecting may take.
    static let connectTimeout = TimeAmount.seconds(10)
    /// How long TLS and the handshake may take after that.
    static let handshakeTimeout = TimeAmount.seconds(15)

    /// An attempt that takes longer than this is cancelled when the network changes: it may wait for a path, or for a
    /// name server, that no longer exists.
    let patience: Duration

    /// What a connection is for.
    package enum Purpose: Sendable {
        /// To serve a tunnel.
        case serving
        /// To visit one.
        case visiting
    }

    /// The session that a connection is opened for, and the value that represents it outside of its event loop.
    typealias Session<Value> = (handler: SessionHandler, value: Value)

    /// Opens one connection.
    ///
    /// - Parameters:
    ///   - fixedLoop: The event loop to use; the next one of the group if `nil`.
    ///   - resumes: Whether the connection is to go on with a session (docs/protocol.md §B.19).
    ///   - token: The token that the edge is shown.
    ///   - purpose: What the connection is for.
    ///   - network: Reports when the network changes.
    ///   - makeSession: Makes the session, on its event loop; it is added to the pipeline after the handshake.
    /// - Returns: The value that represents the session.
    /// - Throws: ``EdgeFailure``, ``NetworkChanged``, or `CancellationError` at once when the task is cancelled.
    func open<Value: Sendable>(
        on fixedLoop: (any EventLoop)? = nil,
        resumes: Bool = false,
        with token: TunnelToken,
        for purpose: Purpose = .serving,
        network: NetworkWatch,
        makeSession: @escaping @Sendable (any EventLoop) -> Session<Value>
    ) async throws -> Value {
        let eventLoop = fixedLoop ?? self.group.next()
        let outcome = eventLoop.makePromise(of: Value.self)
        let start = ContinuousClock.now
        let subscription = network.subscribe {
            if .now - start >= self.patience { outcome.fail(NetworkChanged()) }
        }
        defer { network.cancel(subscription) }
        eventLoop.execute {
            self.connect(
                on: eventLoop,
                resumes,
                token: token,
                purpose: purpose,
                makeSession: makeSession,
                outcome: outcome
            )
        }
        do {
            return try await withTaskCancellationHandler {
                try await outcome.futureResult.get()
            } onCancel: {
                // The attempt itself can't be cancelled; a connection that it still opens is closed at once.
                outcome.fail(CancellationError())
            }
        } catch let error as CancellationError {
            throw error
        } catch let change as NetworkChanged {
            throw change
        } catch {
            let failure = EdgeFailure(error, dialling: self.edge, through: self.proxy)
            throw await failure.explained(reaching: self.edge, through: self.proxy)
        }
    }

    private func connect<Value: Sendable>(
        on eventLoop: any EventLoop,
        _ resumes: Bool,
        token: TunnelToken,
        purpose: Purpose,
        makeSession: @escaping (any EventLoop) -> Session<Value>,
        outcome: EventLoopPromise<Value>
    ) {
        // A new bootstrap, and so a new look-up of the name, on each attempt: the address of an edge may change.
        let host = self.proxy?.host ?? self.edge.host
        var bootstrap = ClientBootstrap.reaching(host, on: eventLoop)
        for (option, value) in KeepAlive.options { bootstrap = bootstrap.channelOption(option, value: value) }
        bootstrap
            .connectTimeout(Self.connectTimeout)
            .channelOption(.autoRead, value: false)
            .connect(host: host, port: self.proxy?.port ?? self.edge.port)
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let channel):
                    outcome.futureResult.whenFailure { _ in channel.close(promise: nil) }
                    self.passProxy(on: channel, failing: outcome) {
                        self.shakeHands(
                            on: channel,
                            resumes,
                            token: token,
                            purpose: purpose,
                            session: makeSession(eventLoop),
                            outcome: outcome
                        )
                    }
                case .failure(let error):
                    outcome.fail(error)
                }
            }
    }

    /// Has the proxy, if there is one, connect to the edge.
    private func passProxy<Value: Sendable>(
        on channel: any Channel,
        failing outcome: EventLoopPromise<Value>,
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

    private func shakeHands<Value: Sendable>(
        on channel: any Channel,
        _ resumes: Bool,
        token: TunnelToken,
        purpose: Purpose,
        session: Session<Value>,
        outcome: EventLoopPromise<Value>
    ) {
        let upgraded = channel.eventLoop.makePromise(of: Void.self)
        let handshake = WebSocketClientHandshake(
            host: self.edge.authority,
            target: purpose == .serving
                ? self.edge.connectPath(tunnelID: token.tunnelID) : self.edge.accessPath(tunnelID: token.tunnelID),
            fields: [
                ("Authorization", "Bearer \(token.secret)"),
                ("User-Agent", "culvert/\(ProgramVersion.current)"),
            ] + (resumes ? [("Culvert-Resume", "1")] : [])
        )
        do {
            if let tls = self.tls {
                try channel.pipeline.syncOperations.addHandler(
                    NIOSSLClientHandler(context: tls, addressing: self.edge.host)
                )
            }
            try channel.pipeline.syncOperations.addHandler(
                WebSocketClientHandshakeHandler(handshake: handshake, promise: upgraded) { session.handler }
            )
            try channel.syncOptions?.setOption(.autoRead, value: true)
        } catch {
            upgraded.fail(error)
        }
        let edge = self.edge
        let timeout = channel.eventLoop.scheduleTask(in: Self.handshakeTimeout) {
            outcome.fail(EdgeFailure.timedOut(address: edge.description, step: "the handshake"))
        }
        upgraded.futureResult.assumeIsolated().whenComplete { result in
            timeout.cancel()
            outcome.completeWith(result.map { session.value })
        }
    }
}

extension EdgeFailure {
    /// Classifies the failure of a WebSocket handshake.
    package init(_ error: any Error, dialling edge: EdgeAddress, through proxy: ProxyAddress? = nil) {
        let address = edge.description
        switch error {
        case let refusal as WebSocketClientHandshake.Refusal:
            self.init(
                refusedBy: edge,
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
                case .connectionClosed: EdgeFailure.closedReason
                }
            // An edge or a proxy that is shutting down closes without an answer, too.
            self =
                failure == .connectionClosed
                ? .unreachable(address: address, reason: reason) : .notAnEdge(address: address, reason: reason)
        default:
            self.init(error, reaching: edge, through: proxy)
        }
    }
}
