// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Logging
import Mux
import NIOCore
import NIOPosix
import NIOSSL
import Program
import Protocol
import SystemErrors

/// Visits a tunnel with an access token: joins local connections to streams that the edge leads to the tunnel.
///
/// Everything lives on one event loop. The session is opened with the first connection, and again when it has ended.
package actor TunnelAccess {
    /// Gives a token, which may be asked for anew.
    package typealias TokenSource = @Sendable () async throws -> TunnelToken

    /// Where the local connections live.
    package nonisolated let eventLoop: any EventLoop
    private let dialer: EdgeDialer
    private let source: TokenSource
    private let logger: Logger
    private var token: TunnelToken?
    private var session: AccessSession?
    private var opening: Task<AccessSession, any Error>?

    /// Prepares to visit.
    ///
    /// - Parameters:
    ///   - edge: The edge.
    ///   - certificateAuthorityFile: A PEM file of the only roots to trust it by; `nil` means those of the system.
    ///   - proxies: Chooses the proxy for it.
    ///   - logger: For what happens to sessions.
    ///   - source: Gives the token.
    /// - Throws: ``CommandFailure`` if the certificates can't be used.
    package init(
        edge: EdgeAddress,
        certificateAuthorityFile: String?,
        proxies: ProxyRules = ProxyRules(environment: ProgramEnvironment.variables),
        logger: Logger,
        source: @escaping TokenSource
    ) throws(CommandFailure) {
        self.eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let tls = edge.usesTLS ? try NIOSSLContext.toEdge(certificateAuthorityFile: certificateAuthorityFile) : nil
        self.dialer = EdgeDialer(edge: edge, group: self.eventLoop, tls: tls, proxy: try proxies.proxy(for: edge))
        self.logger = logger
        self.source = source
    }

    /// Joins a local connection to a stream of the tunnel.
    ///
    /// - Parameters:
    ///   - local: The connection, on ``eventLoop``, whose automatic reading is off, with ``EarlyInput``.
    ///   - failed: Called with what the edge says when the stream breaks, on ``eventLoop``.
    /// - Throws: ``EdgeFailure`` or ``CommandFailure``; the connection is left as it is.
    package func join(_ local: any Channel, failed: @escaping @Sendable (String) -> Void) async throws {
        let session = try await self.activeSession()
        try await self.eventLoop.submit {
            try Self.join(local, over: session.handler.value, failed: failed)
        }.get()
    }

    private static func join(
        _ local: any Channel,
        over session: SessionHandler,
        failed: @escaping @Sendable (String) -> Void
    ) throws {
        // Whoever broke off meanwhile needs no stream.
        guard local.isActive else { return }
        var made: OriginPipe?
        let stream = try session.openStream(
            kind: .tcp,
            metadata: OpenMetadata(target: TargetName.primary),
            deadline: .seconds(10)
        ) { stream in
            let pipe = OriginPipe(stream: stream, carrying: .connection)
            pipe.onStreamFailure = { error in failed(Self.reason(of: error)) }
            try pipe.attachStream()
            made = pipe
        }
        guard let pipe = made else { return stream.reset(code: .internalError) }
        try pipe.attachLocal(local, tls: nil) {
        } onFailure: { _ in
            stream.reset(code: .cancelled)
        }
        try pipe.join()
        try EarlyInput.release(of: local)
    }

    private static func reason(of error: any Error) -> String {
        guard let error = error as? StreamError else { return TransportFault.words(error) }
        return error.reason.isEmpty ? "the connection was ended (\(error.code))" : PeerText.printable(error.reason)
    }

    private func activeSession() async throws -> AccessSession {
        if let session = self.session, await session.isActive() { return session }
        if let opening = self.opening { return try await opening.value }
        let opening = Task { try await self.open() }
        self.opening = opening
        defer { self.opening = nil }
        let session = try await opening.value
        self.session = session
        return session
    }

    private func open() async throws -> AccessSession {
        do {
            return try await self.openOnce()
        } catch let failure as EdgeFailure {
            // An edge does not say why it refuses a token.
            guard failure.isAboutToken, let expiry = self.token?.expiry(of: "access token") else { throw failure }
            throw CommandFailure(
                .refused,
                "\(expiry) Whoever has an API key of the tunnel makes another one: culvert tunnels access "
                    + "\(self.token?.tunnelID ?? "NAME")."
            )
        }
    }

    private func openOnce() async throws -> AccessSession {
        do {
            return try await self.dial(with: try await self.currentToken())
        } catch EdgeFailure.refused(401, _, _) {
            // The token has ended: there may be another one.
            self.token = nil
            return try await self.dial(with: try await self.currentToken())
        }
    }

    private func currentToken() async throws -> TunnelToken {
        if let token = self.token { return token }
        let token = try await self.source()
        self.token = token
        return token
    }

    private func dial(with token: TunnelToken) async throws -> AccessSession {
        let logger = self.logger
        let session = try await self.dialer.open(with: token, for: .visiting, network: NetworkWatch()) { eventLoop in
            AccessSession.make(on: eventLoop, logger: logger)
        }
        for await event in session.events {
            switch event {
            case .active: return session
            case .draining, .suspended, .stillAway, .resumed, .handedOver: continue
            case .ended(let code, let reason):
                throw CommandFailure(.unavailable, "The edge ended the session: \(reason) (\(code)).")
            }
        }
        throw CommandFailure(.unavailable, "The edge ended the session.")
    }
}
