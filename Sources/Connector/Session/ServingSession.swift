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
        /// Whether an `https://` target has to show a certificate that is trusted.
        var verifiesOriginTLS: Bool
        /// Asks for a new token when the edge refuses the one at hand; nothing if there is no key to ask with.
        var renew: (@Sendable () async throws -> TunnelToken)?
    }

    /// Makes or reads a tunnel; interrupted when the program is asked to stop.
    typealias Preparation = @Sendable (ServingSession) async throws -> Tunnel

    let logger: Logger
    private let certificateAuthorityFile: String?
    private let connections: Int
    private let retries: Bool
    private let proxies = ProxyRules(environment: ProcessInfo.processInfo.environment)
    private let group: any EventLoopGroup
    private let display: StatusDisplay
    private let format: LogFormat
    private let network = NetworkWatch()

    /// Prepares a run.
    ///
    /// - Throws: ``CommandFailure`` if the certificates can't be used.
    init(
        edgeOptions: EdgeOptions,
        statusOptions: StatusOptions,
        connections: Int,
        logger: Logger
    ) throws(CommandFailure) {
        self.format = edgeOptions.logFormat ?? .text
        self.display = StatusDisplay(options: statusOptions, format: self.format, logger: logger)
        self.logger = self.display.logger
        self.connections = connections
        self.retries = !edgeOptions.noRetry
        self.certificateAuthorityFile = edgeOptions.certificateAuthorityFile
        // A file that can't be used is better reported now than as trouble with the edge.
        if let file = edgeOptions.certificateAuthorityFile { _ = try Self.edgeTLS(certificateAuthorityFile: file) }
        let threads = min(connections, ProcessInfo.processInfo.activeProcessorCount)
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, threads))
    }

    /// Finds out what to serve, and serves it until the program is asked to stop.
    ///
    /// The first SIGTERM or SIGINT ends the run in good order, the second at once. Of several tunnels one that fails
    /// leaves the others alone.
    ///
    /// - Parameter preparations: Each makes or reads one tunnel.
    /// - Throws: The first failure, once no tunnel is left.
    func run(_ preparations: [Preparation]) async throws {
        let service = PreparedTunnels(session: self, preparations: preparations)
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
        // A reader of our output that goes away must not take the tunnel with it.
        signal(SIGPIPE, SIG_IGN)
        let (display, format) = (self.display, self.format)
        display.open(tunnelCount: preparations.count)
        let stopped = StatusEvent.stopped(exitCode: CommandStatus.success.rawValue, message: "stopped")
        let signals = Task {
            var isLeaving = false
            for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint) {
                if isLeaving {
                    if format == .json { display.report(stopped) }
                    display.close(stopped)
                    Foundation.exit(CommandStatus.success.rawValue)
                }
                isLeaving = true
                display.report(.leaving(signal: "\(signal)"))
                await lifecycle.triggerGracefulShutdown()
            }
        }
        let watch = Task { await self.network.run(logger: self.logger) }
        defer {
            signals.cancel()
            watch.cancel()
        }
        // Whatever ends the run, the terminal is given back before anything else is printed.
        defer { display.close(stopped) }
        try await lifecycle.run()
        if format == .json { display.report(stopped) }
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

    fileprivate func serve(_ tunnel: Tunnel) async throws {
        let id = tunnel.token.tunnelID
        let status = self.display.open(tunnel: id, url: tunnel.publicURL, target: tunnel.target)
        defer { self.display.close(tunnel: id) }
        var token = tunnel.token
        var renewedAt: ContinuousClock.Instant?
        while true {
            do {
                return try await self.service(
                    for: tunnel,
                    token: token,
                    report: status.report,
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
        // The roots of the system take megabytes: they are read only where TLS is spoken.
        let dialer = SessionDialer(
            edge: tunnel.edge,
            token: token,
            group: self.group,
            tls: tunnel.edge.usesTLS
                ? try Self.edgeTLS(certificateAuthorityFile: self.certificateAuthorityFile) : nil,
            proxy: try self.proxies.proxy(for: tunnel.edge),
            targets: [TargetName.primary: tunnel.target],
            originTLS: tunnel.target.usesTLS ? try Self.originTLS(verifies: tunnel.verifiesOriginTLS) : nil,
            governor: MemoryGovernor(),
            logger: self.logger,
            observer: observer
        )
        return TunnelService(
            dialer: dialer,
            connections: self.connections,
            retries: self.retries,
            network: self.network,
            report: report
        )
    }

    private static func edgeTLS(certificateAuthorityFile: String?) throws(CommandFailure) -> NIOSSLContext {
        do {
            return try NIOSSLContext(configuration: .toEdge(certificateAuthorityFile: certificateAuthorityFile))
        } catch {
            throw CommandFailure(.configuration, "The certificates to trust can't be used: \(error).")
        }
    }

    private static func originTLS(verifies: Bool) throws(CommandFailure) -> OriginTLS {
        do {
            return try OriginTLS(verifies: verifies)
        } catch {
            throw CommandFailure(.configuration, "The certificates to trust can't be used: \(error).")
        }
    }
}

/// Prepares tunnels, which a request to stop interrupts, and then serves them side by side.
private struct PreparedTunnels: Service {
    let session: ServingSession
    let preparations: [ServingSession.Preparation]

    func run() async throws {
        let failures = await withTaskGroup(of: (any Error)?.self) { group in
            for prepare in self.preparations {
                group.addTask {
                    do {
                        try await self.serve(prepare)
                        return nil
                    } catch {
                        if self.preparations.count > 1 { self.session.logger.error("\(error)") }
                        return error
                    }
                }
            }
            var failures: [any Error] = []
            for await case let failure? in group { failures.append(failure) }
            return failures
        }
        // Where some tunnel was served to the end, the others' failures have been told and were not what ended the run.
        if failures.count == self.preparations.count, let first = failures.first { throw first }
    }

    private func serve(_ prepare: @escaping ServingSession.Preparation) async throws {
        let tunnel: ServingSession.Tunnel
        do {
            tunnel = try await cancelWhenGracefulShutdown { try await prepare(self.session) }
        } catch {
            if Task.isShuttingDownGracefully { return }
            throw error
        }
        try await self.session.serve(tunnel)
    }
}
