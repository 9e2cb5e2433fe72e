// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Foundation
import Logging
import Memory
import Mux
import NIOCore
import NIOPosix
import NIOSSL
import Protocol
import ServiceLifecycle

/// One run of a command that serves a tunnel, from reading the certificates to the last byte after SIGTERM.
struct ServingSession: Sendable {
    /// What is to be served.
    struct Tunnel: Sendable {
        var token: TunnelToken
        var edge: EdgeAddress
        var publicURL: String
        var target: OriginTarget
        /// Which certificates an `https://` target may show.
        var originTrust: OriginTrust
        /// How many connections to keep to the edge, 1 to 8.
        var connections: Int
        /// Whether these are shared with other tunnels of the program.
        var sharesConnections = false
        /// Asks for a new token when the edge refuses the one at hand; nothing if there is no key to ask with.
        var renew: (@Sendable () async throws -> TunnelToken)?
    }

    /// Makes or reads a tunnel; interrupted when the program is asked to stop.
    typealias Preparation = @Sendable (ServingSession) async throws -> Tunnel

    let logger: Logger
    private let certificateAuthorityFile: String?
    private let retries: Bool
    private let proxies = ProxyRules(environment: ProcessInfo.processInfo.environment)
    private let group: any EventLoopGroup
    private let network = NetworkWatch()
    /// The connections that tunnels share.
    private let shared = SharedConnections()
    /// What a person or a program sees of the run.
    let display: StatusDisplay

    /// Prepares a run.
    ///
    /// - Parameters:
    ///   - edgeOptions: How to reach edges.
    ///   - statusOptions: What to show.
    ///   - connections: How many connections a tunnel will keep; more threads than that would have nothing to do.
    ///   - logger: For everything that happens.
    /// - Throws: ``CommandFailure`` if the certificates can't be used.
    init(
        edgeOptions: EdgeOptions,
        statusOptions: StatusOptions,
        connections: Int,
        logger: Logger
    ) throws(CommandFailure) {
        self.display = StatusDisplay(options: statusOptions, format: edgeOptions.logFormat ?? .text, logger: logger)
        self.logger = self.display.logger
        self.retries = !edgeOptions.noRetry
        self.certificateAuthorityFile = edgeOptions.certificateAuthorityFile
        // A file that can't be used is better reported now than as trouble with the edge.
        if let file = edgeOptions.certificateAuthorityFile { _ = try Self.edgeTLS(certificateAuthorityFile: file) }
        let threads = min(connections, ProcessInfo.processInfo.activeProcessorCount)
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, threads))
    }

    /// Finds out what to serve, and serves it until the program is asked to stop.
    ///
    /// A terminal that is closed is such a request, too.
    ///
    /// - Parameter prepare: Makes or reads the tunnel.
    /// - Throws: ``CommandFailure`` when no further attempt can succeed.
    func run(_ prepare: @escaping Preparation) async throws {
        self.display.expect(tunnelCount: 1)
        try await self.run(PreparedTunnel(session: self, prepare: prepare) {}, hangUp: .leave)
    }

    /// Runs a service that serves tunnels with this session until the program is asked to stop.
    ///
    /// - Parameters:
    ///   - service: What serves them.
    ///   - hangUp: What SIGHUP means.
    /// - Throws: What the service throws.
    func run(_ service: some Service, hangUp: SignalledRun.HangUp) async throws {
        let watch = Task { await self.network.run(logger: self.logger) }
        defer { watch.cancel() }
        let settling = Task { await ProgramMemory.settle() }
        defer { settling.cancel() }
        try await SignalledRun(hangUp: hangUp, display: self.display).run(service)
    }

    /// Calls the control API, again and again while the trouble may pass.
    func callControl<Answer: Sendable>(
        _ access: EdgeAccess,
        _ call: @escaping @Sendable (ControlClient) async throws(EdgeFailure) -> Answer
    ) async throws -> Answer {
        let proxy = try self.proxies.proxy(for: access.edge)
        let http = HTTPClient.control(
            on: self.group,
            certificateAuthorityFile: self.certificateAuthorityFile,
            proxy: proxy
        )
        defer { http.shutdown { _ in } }
        let client = ControlClient(edge: access.edge, credentials: access.credentials, http: http, proxy: proxy)
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
                    self.display.report(.retrying(retryIn: delay, reason: reason))
                    try await Task.sleep(for: delay)
                }
            }
        }
    }

    /// Serves a tunnel until the task's graceful shutdown.
    ///
    /// - Parameters:
    ///   - tunnel: What to serve.
    ///   - onActive: Runs each time a connection to the edge stands.
    func serve(_ tunnel: Tunnel, onActive: @escaping @Sendable () -> Void) async throws {
        let id = tunnel.token.tunnelID
        let status = self.display.open(tunnel: id, url: tunnel.publicURL, target: tunnel.target)
        defer { self.display.close(tunnel: id) }
        let report: @Sendable (ConnectionReport) -> Void = { report in
            // Whoever reads that a connection stands may rely on what follows from it.
            if case .active = report { onActive() }
            status.report(report)
        }
        var token = tunnel.token
        var renewedAt: ContinuousClock.Instant?
        while true {
            do {
                return try await self.service(
                    for: tunnel,
                    token: token,
                    report: report,
                    observer: status.observer
                ).run()
            } catch let failure as CommandFailure where failure.status == .refused {
                // A token lives for a month, a connector longer. A new one that is refused at once is not the cure.
                let isFresh = renewedAt.map { .now - $0 < .seconds(60) } ?? false
                guard !isFresh, !Task.isShuttingDownGracefully, let renew = tunnel.renew,
                    let renewed = try? await cancelWhenGracefulShutdown({ try await renew() })
                else { throw failure }
                status.observer.report(.tokenRenewed)
                token = renewed
                renewedAt = .now
            }
        }
    }

    private func service(
        for tunnel: Tunnel,
        token: TunnelToken,
        report: @escaping @Sendable (ConnectionReport) -> Void,
        observer: OriginObserver
    ) throws(CommandFailure) -> TunnelService {
        let connection: EdgeConnection
        var sessions: SharedSessions?
        if tunnel.sharesConnections {
            let known = try self.shared.sessions(with: tunnel.edge) { () throws(CommandFailure) in
                SharedSessions(connection: try self.connection(to: tunnel.edge), logger: self.logger)
            }
            (connection, sessions) = (known.connection, known)
        } else {
            connection = try self.connection(to: tunnel.edge)
        }
        let dialer = SessionDialer(
            connection: connection,
            token: token,
            targets: [TargetName.primary: tunnel.target],
            originTLS: tunnel.target.usesTLS ? try Self.originTLS(tunnel.originTrust) : nil,
            governor: MemoryGovernor(),
            logger: self.logger,
            observer: observer
        )
        return TunnelService(
            dialer: sessions.map { SharedDialer(sessions: $0, own: dialer) } ?? dialer,
            connections: tunnel.connections,
            retries: self.retries,
            network: self.network,
            report: report
        )
    }

    private func connection(to edge: EdgeAddress) throws(CommandFailure) -> EdgeConnection {
        EdgeConnection(
            edge: edge,
            group: self.group,
            // The roots of the system take megabytes: they are read only where TLS is spoken.
            tls: edge.usesTLS ? try Self.edgeTLS(certificateAuthorityFile: self.certificateAuthorityFile) : nil,
            proxy: try self.proxies.proxy(for: edge)
        )
    }

    private static func edgeTLS(certificateAuthorityFile: String?) throws(CommandFailure) -> NIOSSLContext {
        do {
            return try NIOSSLContext(configuration: .toEdge(certificateAuthorityFile: certificateAuthorityFile))
        } catch {
            throw CommandFailure.certificates(certificateAuthorityFile, error)
        }
    }

    private static func originTLS(_ trust: OriginTrust) throws(CommandFailure) -> OriginTLS {
        do {
            return try OriginTLS(trust)
        } catch {
            throw CommandFailure(.configuration, "The certificates to trust can't be used: \(error).")
        }
    }
}
