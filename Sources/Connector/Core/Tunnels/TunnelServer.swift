// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import ControlAPI
import Foundation
import Logging
import Mux
import NIOCore
import NIOPosix
import NIOSSL
import Program
import ServiceLifecycle

/// Serves tunnels, and owns what all tunnels of the program share: event loops, proxy settings, shared sessions, the
/// network watch.
package struct TunnelServer: Sendable {
    /// Creates a tunnel, or reads its token; cancelled when the program is asked to stop.
    package typealias Preparation = @Sendable (TunnelServer) async throws -> ServedTunnel

    let logger: Logger
    /// Receives the events of the tunnels.
    let observer: any RunObserver
    private let authorities: EdgeAuthorities
    private let retries: Bool
    private let watchesOrigin: Bool
    private let proxies: ProxyRules
    /// The event loops of the program.
    package let group: any EventLoopGroup
    private let network = NetworkWatch()
    private let renewals = RenewalPace()
    private let turns = CallTurns()
    private let reached = ReachedEdges()
    /// The sessions that tunnels share.
    private let shared = SharedSessionPools()

    /// Prepares to serve tunnels.
    ///
    /// - Parameters:
    ///   - authorities: By which certificates edges are trusted.
    ///   - retries: Whether to repeat failed calls and attempts.
    ///   - connections: How many connections a tunnel will keep; there are no more event loops than that.
    ///   - watchesOrigin: Whether to see at the start of a run whether the local server answers.
    ///   - proxies: Chooses the proxy for an edge.
    ///   - observer: Receives the events of the tunnels.
    ///   - logger: For everything else that happens.
    /// - Throws: ``CommandFailure`` if the certificates can't be used.
    package init(
        authorities: EdgeAuthorities,
        retries: Bool,
        connections: Int,
        watchesOrigin: Bool = false,
        proxies: ProxyRules = ProxyRules(environment: ProgramEnvironment.variables),
        observer: any RunObserver,
        logger: Logger
    ) throws(CommandFailure) {
        self.observer = observer
        self.logger = logger
        self.retries = retries
        self.watchesOrigin = watchesOrigin
        self.proxies = proxies
        self.authorities = authorities
        // Reported now, rather than as a failure to reach the edge.
        for file in authorities.files { _ = try NIOSSLContext.toEdge(certificateAuthorityFile: file) }
        let threads = min(max(1, connections), EventLoopCount.byDefault(processors: System.coreCount))
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
    }

    /// Logs that a tunnel lets in visitors whom it kept away before.
    package func warn(_ removed: RemovedProtection) {
        self.logger.warning("\(removed)")
    }

    /// Calls the control API, and repeats the call while the failure may be temporary.
    package func callControl<Answer: Sendable>(
        _ access: EdgeAccess,
        _ call: @escaping @Sendable (ControlClient) async throws(EdgeFailure) -> Answer
    ) async throws -> Answer {
        var backoff = ReconnectBackoff()
        while true {
            do {
                let answer = try await self.callOnce(access) { client async throws(EdgeFailure) in
                    if !self.reached.contains(access.edge) { try await client.expectEdge() }
                    return try await call(client)
                }
                self.reached.insert(access.edge)
                return answer
            } catch let error as EdgeFailure {
                try Task.checkCancellation()
                let policy = ReconnectPolicy(
                    retries: self.retries,
                    hasBeenActive: self.reached.contains(access.edge)
                )
                switch policy.decide(afterCall: error) {
                case .stop(let failure): throw failure
                case .yield: throw error
                case .retry(let minimum, let reason):
                    let delay = backoff.nextDelay(atLeast: minimum, draw: .random(in: 0...1))
                    let advice = error.isOnTheWay ? " culvert diagnose looks for the cause." : ""
                    self.observer.willCallAgain(in: delay, reason: reason + advice)
                    try await Task.sleep(for: delay)
                }
            }
        }
    }

    /// Calls the control API once, when it is its turn.
    ///
    /// It does not look whether an edge is there: who calls knows.
    func callOnce<Answer: Sendable>(
        _ access: EdgeAccess,
        _ call: @Sendable (ControlClient) async throws(EdgeFailure) -> Answer
    ) async throws -> Answer {
        try await self.turns.take(at: "\(access.edge)") { try await self.callNow(access, call) }
    }

    private func callNow<Answer: Sendable>(
        _ access: EdgeAccess,
        _ call: @Sendable (ControlClient) async throws(EdgeFailure) -> Answer
    ) async throws -> Answer {
        let proxy = try self.proxies.proxy(for: access.edge)
        let file = self.authorities.file(for: access.edge)
        // That of the environment is not among those that were looked at before.
        if file == nil { try NIOSSLContext.checkAuthorities(of: access.edge, certificateAuthorityFile: nil) }
        let http = HTTPClient.control(
            of: access.edge.host,
            on: self.group,
            certificateAuthorityFile: file,
            proxy: proxy
        )
        defer { http.shutdown { _ in } }
        do throws(EdgeFailure) {
            return try await call(
                ControlClient(edge: access.edge, credentials: access.credentials, http: http, proxy: proxy)
            )
        } catch {
            throw await error.explained(reaching: access.edge, through: proxy)
        }
    }

    /// Serves a tunnel until the task's graceful shutdown.
    ///
    /// - Parameters:
    ///   - tunnel: What to serve.
    ///   - onActive: Called each time a connection to the edge is active.
    package func serve(_ tunnel: ServedTunnel, onActive: @escaping @Sendable () -> Void) async throws {
        let id = tunnel.token.tunnelID
        let observer = self.observer.opened(tunnel)
        defer { self.observer.closed(tunnel: id) }
        let report: @Sendable (ConnectionEvent) -> Void = { event in
            // Before the event is logged: a program that reads it may rely on its consequences.
            if case .active = event { onActive() }
            observer.connection(event)
        }
        let renewal = TokenRenewal(
            token: CurrentToken(tunnel.token, isFresh: tunnel.access != nil),
            source: self.tokenSource(for: tunnel),
            pace: self.renewals,
            report: observer.token
        )
        // What else there is to say of a target that is the edge itself would be advice for a server that nobody means.
        let isLoop = tunnel.target.leads(to: tunnel.edge)
        if isLoop { self.warnOfLoop(tunnel) }
        let origin =
            isLoop
            ? observer.origin.listening
            : observer.origin.once { [logger = self.logger] sentence in
                logger.warning("\(sentence).", metadata: ["tunnel": "\(id)"])
            }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            defer { tasks.cancelAll() }
            tasks.addTask { await renewal.run() }
            if self.watchesOrigin, !isLoop, tunnel.target.kind == .http {
                let (looking, hasLooked) = AsyncStream<Void>.makeStream()
                let tls = tunnel.target.usesTLS ? try OriginTLS(checking: tunnel.originTrust) : nil
                tasks.addTask {
                    await OriginWatch(
                        target: tunnel.target,
                        tls: tls,
                        report: origin.report,
                        warn: origin.warn,
                        onLook: { hasLooked.finish() }
                    )
                    .run()
                }
                tasks.addTask {
                    try? await Task.sleep(for: OriginWatch.headStart)
                    hasLooked.finish()
                }
                // Before anybody can visit: one that counts its connections is not to take this one for a visitor's.
                for await _ in looking {}
            }
            try await self.serve(tunnel, renewal, report: report, observer: origin)
        }
    }

    /// Says so where requests would go round in a circle.
    private func warnOfLoop(_ tunnel: ServedTunnel) {
        self.logger.warning(
            "\(tunnel.target) is the edge itself: requests would go round in a circle. Name the port of your own server.",
            metadata: ["tunnel": "\(tunnel.token.tunnelID)"]
        )
    }

    private func serve(
        _ tunnel: ServedTunnel,
        _ renewal: TokenRenewal,
        report: @escaping @Sendable (ConnectionEvent) -> Void,
        observer: OriginObserver
    ) async throws {
        var recoveredAt: ContinuousClock.Instant?
        while true {
            let shown = renewal.token.value
            do {
                return try await self.service(for: tunnel, token: renewal.token, report: report, observer: observer)
                    .run()
            } catch let failure as CommandFailure where failure.status == .refused {
                // If a new token is refused at once, asking for another one does not help.
                let isFresh = recoveredAt.map { .now - $0 < .seconds(60) } ?? false
                let policy = ReconnectPolicy(retries: self.retries)
                guard !isFresh, !Task.isShuttingDownGracefully,
                    try await Self.hasOther(renewal, than: shown, policy: policy)
                else { throw Self.explained(failure, renewal.token.value) }
                recoveredAt = .now
            }
        }
    }

    /// Whether there is another token than the one that was refused.
    ///
    /// - Throws: ``CommandFailure`` if the edge does not know the key either.
    private static func hasOther(
        _ renewal: TokenRenewal,
        than refused: TunnelToken,
        policy: ReconnectPolicy
    ) async throws(CommandFailure) -> Bool {
        do {
            return try await cancelWhenGracefulShutdown { try await renewal.recover(from: refused, policy: policy) }
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            return false
        }
    }

    /// The failure, or that the token has expired: an edge does not say why it refuses one.
    private static func explained(_ failure: CommandFailure, _ token: TunnelToken) -> CommandFailure {
        guard let expiry = token.expiry() else { return failure }
        return CommandFailure(
            failure.status,
            "\(expiry) Whoever has an API key of the tunnel makes another one: culvert tunnels token "
                + "\(token.tunnelID)."
        )
    }

    /// Where the successors of a tunnel's token come from.
    private func tokenSource(for tunnel: ServedTunnel) -> TokenRenewal.Source {
        let edge = tunnel.edge
        let byToken: @Sendable (TunnelToken) async throws -> TunnelToken = { token in
            let access = EdgeAccess(edge: edge, credentials: Credentials(token))
            let answer = try await self.callOnce(access) { client async throws(EdgeFailure) in
                try await client.renewToken(of: token.tunnelID)
            }
            return try TunnelToken(fromEdge: answer.token)
        }
        guard let access = tunnel.access else {
            return TokenRenewal.Source(byToken: byToken, file: tunnel.tokenFile)
        }
        return TokenRenewal.Source(
            byToken: byToken,
            byKey: { token in
                // Calls for a token alone: a tunnel that was deleted meanwhile must not be created again.
                let text = try await self.callOnce(access) { client async throws(EdgeFailure) -> String in
                    do throws(EdgeFailure) {
                        return try await client.renewToken(of: token.tunnelID).token
                    } catch .refused(404, _, .some(let problem)) where problem.code == "not_found" {
                        // An edge of the first version has only the call that ends the tokens before.
                        return try await client.replaceTokens(of: token.tunnelID).token
                    }
                }
                return try TunnelToken(fromEdge: text)
            },
            file: tunnel.tokenFile
        )
    }

    /// Watches the network until the task is cancelled; when it changes, connections are probed and pauses end.
    package func watchNetwork() async {
        await self.network.run(logger: self.logger)
    }

    private func service(
        for tunnel: ServedTunnel,
        token: CurrentToken,
        report: @escaping @Sendable (ConnectionEvent) -> Void,
        observer: OriginObserver
    ) throws(CommandFailure) -> ConnectionBundle {
        let dialer: EdgeDialer
        var pool: SharedSessionPool?
        if tunnel.sharesConnections {
            let known = try self.shared.pool(for: tunnel.edge) { () throws(CommandFailure) in
                SharedSessionPool(dialer: try self.dialer(for: tunnel.edge), logger: self.logger)
            }
            (dialer, pool) = (known.dialer, known)
        } else {
            dialer = try self.dialer(for: tunnel.edge)
        }
        let own = OwnSessionOpener(
            dialer: dialer,
            token: token,
            targets: [TargetName.primary: tunnel.target],
            originTLS: tunnel.target.usesTLS ? try OriginTLS(checking: tunnel.originTrust) : nil,
            governor: MemoryGovernor(),
            logger: self.logger,
            observer: observer
        )
        return ConnectionBundle(
            opener: pool.map { SharedSessionOpener(pool: $0, own: own) } ?? own,
            connections: tunnel.connections,
            retries: self.retries,
            network: self.network,
            report: report
        )
    }

    private func dialer(for edge: EdgeAddress) throws(CommandFailure) -> EdgeDialer {
        EdgeDialer(
            edge: edge,
            group: self.group,
            // The system's trusted certificates take megabytes of memory, so they are read only where TLS is used.
            tls: edge.usesTLS
                ? try NIOSSLContext.toEdge(certificateAuthorityFile: self.authorities.file(for: edge)) : nil,
            proxy: try self.proxies.proxy(for: edge)
        )
    }
}
