// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Foundation
import Logging
import Mux
import NIOCore
import NIOPosix
import NIOSSL
import Protocol
import ServiceLifecycle
import UnixSignals

/// One run of a command that serves a tunnel, from reading the certificates to the last byte after SIGTERM.
struct ServingSession: Sendable {
    /// What is to be served.
    struct Tunnel: Sendable {
        var token: TunnelToken
        var edge: EdgeAddress
        var publicURL: String
        var target: OriginTarget
        /// Asks for a new token when the edge refuses the one at hand; nothing if there is no key to ask with.
        var renew: (@Sendable () async throws -> TunnelToken)?
    }

    let logger: Logger
    private let originTLS: OriginTLS
    private let edgeTLS: NIOSSLContext
    private let certificateAuthorityFile: String?
    private let connections: Int
    private let retries: Bool
    private let group: any EventLoopGroup

    /// Prepares a run.
    ///
    /// - Throws: ``CommandFailure`` if the certificates can't be used.
    init(edgeOptions: EdgeOptions, originOptions: OriginOptions, logger: Logger) throws(CommandFailure) {
        self.logger = logger
        self.connections = originOptions.connections
        self.retries = !edgeOptions.noRetry
        self.certificateAuthorityFile = edgeOptions.certificateAuthorityFile
        do {
            self.originTLS = try OriginTLS(verifies: originOptions.originTLSVerify == .on)
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.applicationProtocols = ["http/1.1"]
            if let file = edgeOptions.certificateAuthorityFile { tls.trustRoots = .file(file) }
            self.edgeTLS = try NIOSSLContext(configuration: tls)
        } catch {
            throw CommandFailure(.configuration, "The certificates can't be used: \(error).")
        }
        let threads = min(originOptions.connections, ProcessInfo.processInfo.activeProcessorCount)
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, threads))
    }

    /// Finds out what to serve, and serves it until the program is asked to stop.
    ///
    /// The first SIGTERM or SIGINT ends the run in good order, the second at once.
    ///
    /// - Parameter prepare: Makes or reads the tunnel.
    func run(prepare: @escaping @Sendable (ServingSession) async throws -> Tunnel) async throws {
        let service = PreparedService(session: self, prepare: prepare)
        let lifecycle = ServiceGroup(
            configuration: .init(
                services: [
                    .init(
                        service: service,
                        successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup
                    )
                ],
                logger: Logger(label: "lifecycle") { _ in SwiftLogNoOpLogHandler() }
            )
        )
        let logger = self.logger
        let signals = Task {
            var isLeaving = false
            for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint) {
                if isLeaving { Foundation.exit(CommandStatus.success.rawValue) }
                isLeaving = true
                logger.info("leaving: finishing what is in flight", metadata: ["signal": "\(signal)"])
                await lifecycle.triggerGracefulShutdown()
            }
        }
        defer { signals.cancel() }
        try await lifecycle.run()
    }

    /// Calls the control API, again and again while the trouble may pass.
    func callControl<Answer: Sendable>(
        _ access: EdgeAccess,
        _ call: @escaping @Sendable (ControlClient) async throws(EdgeFailure) -> Answer
    ) async throws -> Answer {
        let http = HTTPClient.control(on: self.group, certificateAuthorityFile: self.certificateAuthorityFile)
        defer { http.shutdown { _ in } }
        let client = ControlClient(edge: access.edge, credentials: access.credentials, http: http)
        let policy = ReconnectPolicy(retries: self.retries)
        var backoff = ReconnectBackoff()
        while true {
            do {
                return try await call(client)
            } catch {
                try Task.checkCancellation()
                switch policy.decide(afterCall: error) {
                case .stop(let failure): throw failure
                case .yield: throw error
                case .retry(let minimum, let reason):
                    let delay = backoff.nextDelay(atLeast: minimum, draw: .random(in: 0...1))
                    self.logger.warning("\(reason)", metadata: ["retry_in": "\(delay.inSeconds)"])
                    try await Task.sleep(for: delay)
                }
            }
        }
    }

    fileprivate func serve(_ tunnel: Tunnel) async throws {
        let status = ConnectionStatus(publicURL: tunnel.publicURL, target: tunnel.target, logger: self.logger)
        var token = tunnel.token
        var renewedAt: ContinuousClock.Instant?
        while true {
            do {
                return try await self.service(for: tunnel, token: token, status: status).run()
            } catch let failure as CommandFailure where failure.status == .refused {
                // A token lives for a month, a connector longer. A new one that is refused at once is not the cure.
                let isFresh = renewedAt.map { .now - $0 < .seconds(60) } ?? false
                guard !isFresh, !Task.isShuttingDownGracefully, let renew = tunnel.renew,
                    let renewed = try? await cancelWhenGracefulShutdown({ try await renew() })
                else { throw failure }
                self.logger.info("the token had ended; the edge gave a new one")
                token = renewed
                renewedAt = .now
            }
        }
    }

    private func service(for tunnel: Tunnel, token: TunnelToken, status: ConnectionStatus) -> TunnelService {
        let dialer = SessionDialer(
            edge: tunnel.edge,
            token: token,
            group: self.group,
            tls: tunnel.edge.usesTLS ? self.edgeTLS : nil,
            targets: [TargetName.primary: tunnel.target],
            originTLS: self.originTLS,
            governor: MemoryGovernor(),
            logger: self.logger
        )
        return TunnelService(
            dialer: dialer,
            connections: self.connections,
            retries: self.retries,
            report: status.take
        )
    }
}

/// Prepares a tunnel, which a request to stop interrupts, and then serves it.
private struct PreparedService: Service {
    let session: ServingSession
    let prepare: @Sendable (ServingSession) async throws -> ServingSession.Tunnel

    func run() async throws {
        let tunnel: ServingSession.Tunnel
        do {
            tunnel = try await cancelWhenGracefulShutdown { try await self.prepare(self.session) }
        } catch {
            if Task.isShuttingDownGracefully { return }
            throw error
        }
        try await self.session.serve(tunnel)
    }
}
