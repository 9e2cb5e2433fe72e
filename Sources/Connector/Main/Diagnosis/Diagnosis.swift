// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
import Logging
import Mux
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import Protocol

/// Tries each step of serving a tunnel, in their order.
struct Diagnosis: Sendable {
    let edge: EdgeAddress
    /// The key to try, if there is one.
    let credentials: Credentials?
    /// The tunnel to try, if there is a token.
    let token: TunnelToken?
    /// The local server to try, if one is named.
    let target: OriginTarget?
    let edgeTLS: NIOSSLContext
    let certificateAuthorityFile: String?
    /// The proxy that the edge is reached through, if any.
    let proxy: ProxyAddress?
    let group: any EventLoopGroup

    /// Runs all steps; those that need a failed one are skipped.
    func run() async -> DiagnosisReport {
        var steps: [DiagnosisStep] = []
        let reach: DiagnosisStep
        if let proxy = self.proxy {
            // The proxy resolves the edge's name, which may be unknown here.
            reach = await self.pass(proxy)
        } else {
            let name = await self.resolve()
            steps.append(name)
            reach = await self.ifPassed(name, "edge port") { await self.connect() }
        }
        steps.append(reach)
        let tls = self.edge.usesTLS ? await self.ifPassed(reach, "edge TLS") { await self.shakeHands() } : reach
        if self.edge.usesTLS { steps.append(tls) }
        var clock: ClockComparison?
        let api = await self.ifPassed(tls, "control API") { await self.callAPI(&clock) }
        steps.append(api)
        steps.append(await self.ifPassed(api, "clock") { ClockComparison.step(clock) })
        let key = await self.ifPassed(api, "API key") { await self.tryKey() }
        steps.append(key)
        steps.append(await self.ifPassed(api, "tunnel") { await self.openSession() })
        steps.append(
            await key.verdict == .failed
                ? self.ifPassed(key, "public URL") { key }
                : self.ifPassed(api, "public URL") { await self.passThrough() }
        )
        steps.append(await self.tryTarget())
        return DiagnosisReport(steps: steps)
    }

    private func ifPassed(
        _ previous: DiagnosisStep,
        _ name: String,
        _ body: () async -> DiagnosisStep
    ) async -> DiagnosisStep {
        guard previous.verdict == .passed else {
            return DiagnosisStep(name: name, verdict: .skipped, finding: "not tried")
        }
        return await body()
    }

    /// Times a step and turns its error into a verdict.
    func step(
        _ name: String,
        status: CommandStatus = .unavailable,
        advice: String? = nil,
        _ body: () async throws -> String
    ) async -> DiagnosisStep {
        let start = ContinuousClock.now
        do {
            let finding = try await body()
            return DiagnosisStep(name: name, verdict: .passed, finding: finding, elapsed: .now - start)
        } catch {
            var failureStatus = status
            var advice = advice
            let failure = EdgeFailure(error, dialling: self.edge, through: self.proxy)
            if case .stop(let end) = ReconnectPolicy(retries: false).decide(afterCall: failure), end.status == .refused
            {
                failureStatus = .refused
                if end.wantsOneTimeCode { advice = "Add --otp and the six digits that the authenticator shows now." }
            }
            if let failure = error as? OriginFailure, failure.code == .localTLSError, failure.isAboutTrust {
                advice = "With that flag, or with --origin-tls-verify off, culvert http can serve it."
            }
            let finding = (error as? OriginFailure)?.description ?? failure.description
            return DiagnosisStep(
                name: name,
                verdict: .failed,
                finding: finding,
                advice: advice,
                elapsed: .now - start,
                status: failureStatus
            )
        }
    }

    private func resolve() async -> DiagnosisStep {
        await self.step("edge name", advice: "Check the spelling of the edge and the DNS of this machine.") {
            let (host, port) = (self.edge.host, self.edge.port)
            let address = try await NIOThreadPool.singleton.runIfActive {
                do {
                    return try SocketAddress.makeAddressResolvingHost(host, port: port)
                } catch {
                    throw EdgeFailure.unresolved(host: host)
                }
            }
            return "\(host) is \(address.ipAddress ?? "known")"
        }
    }

    private func connect() async -> DiagnosisStep {
        let advice = "Is the edge running? Does a firewall let connections to port \(self.edge.port) out?"
        return await self.step("edge port", advice: advice) {
            let channel = try await self.bootstrap.connect(host: self.edge.host, port: self.edge.port).get()
            try await channel.close()
            return "port \(self.edge.port) answers"
        }
    }

    private func pass(_ proxy: ProxyAddress) async -> DiagnosisStep {
        await self.step("proxy") {
            let channel = try await self.openChannel(on: self.group.next())
            try await channel.close()
            return "\(proxy) lets through to \(self.edge.host), port \(self.edge.port)"
        }
    }

    /// Opens a connection to the edge, through the proxy if there is one.
    private func openChannel(on eventLoop: any EventLoop) async throws -> any Channel {
        let bootstrap = self.makeBootstrap(eventLoop)
        guard let proxy = self.proxy else {
            return try await bootstrap.connect(host: self.edge.host, port: self.edge.port).get()
        }
        let connect = ProxyConnect(host: self.edge.host, port: self.edge.port, credentials: proxy.credentials)
        return try await bootstrap.connect(host: proxy.host, port: proxy.port).flatMap { channel in
            let opened = eventLoop.makePromise(of: Void.self)
            do {
                try channel.pipeline.syncOperations.addHandler(
                    ProxyConnectHandler(connect, limit: OriginDialer.connectTimeout, promise: opened)
                )
                try channel.syncOptions?.setOption(.autoRead, value: true)
            } catch {
                opened.fail(error)
            }
            return opened.futureResult.flatMapThrowing {
                try channel.syncOptions?.setOption(.autoRead, value: false)
                return channel
            }
        }.get()
    }

    private func shakeHands() async -> DiagnosisStep {
        await self.step("edge TLS", advice: "culvert login --ca-file FILE remembers the authority of an edge.") {
            let eventLoop = self.group.next()
            let channel = try await self.openChannel(on: eventLoop)
            let ready = eventLoop.makePromise(of: Void.self)
            eventLoop.execute {
                do {
                    try channel.pipeline.syncOperations.addHandlers(
                        NIOSSLClientHandler(context: self.edgeTLS, addressing: self.edge.host),
                        HandshakeWaiter(promise: ready)
                    )
                    try channel.syncOptions?.setOption(.autoRead, value: true)
                } catch {
                    ready.fail(error)
                }
            }
            let address = self.edge.description
            let timeout = channel.eventLoop.scheduleTask(in: OriginDialer.connectTimeout) {
                ready.fail(EdgeFailure.timedOut(address: address, step: "the TLS handshake"))
            }
            defer {
                timeout.cancel()
                channel.close(promise: nil)
            }
            try await ready.futureResult.get()
            return "the certificate is good"
        }
    }

    private func callAPI(_ clock: inout ClockComparison?) async -> DiagnosisStep {
        let advice = "Is this the address of an edge, and not of something in front of it?"
        return await self.step("control API", advice: advice) {
            let before = Date()
            let edge = try await self.withClient(nil) { client async throws(EdgeFailure) in
                try await client.findEdge()
            }
            clock = edge.map { ClockComparison(edge: $0, asked: before, answered: Date()) }
            return "a Culvert edge answers"
        }
    }

    private func tryKey() async -> DiagnosisStep {
        guard let credentials = self.credentials else {
            return DiagnosisStep(name: "API key", verdict: .skipped, finding: "none given")
        }
        return await self.step("API key", advice: "Whoever runs the edge makes keys: culvert-edge credentials new.") {
            // A code is for one call, and asking needs none.
            let tunnels = try await self.withClient(try Credentials(apiKey: credentials.apiKey)) {
                client async throws(EdgeFailure) in
                try await client.list()
            }
            return "accepted; \(tunnels.count) \(tunnels.count == 1 ? "tunnel" : "tunnels")"
        }
    }

    private func openSession() async -> DiagnosisStep {
        guard let token = self.token else {
            let finding = self.credentials == nil ? "no token given" : "no token given; the next step makes a tunnel"
            return DiagnosisStep(name: "tunnel", verdict: .skipped, finding: finding)
        }
        let advice = "What is between here and the edge has to pass WebSocket upgrades; a token ends when it expires."
        return await self.step("tunnel", advice: advice) {
            let session = try await self.open(token, targets: [:])
            // The session drains as soon as it is active, so that no visitor is routed to it.
            for await event in session.events {
                if case .active = event { session.drain(gracePeriod: .seconds(1)) }
                if case .ended(let code, let reason) = event, code != .shutdown {
                    throw EdgeFailure.notAnEdge(address: self.edge.description, reason: "\(code) \(reason)")
                }
            }
            return "\(token.tunnelID) can be served"
        }
    }

    /// Opens a session of a tunnel.
    func open(_ token: TunnelToken, targets: [String: OriginTarget]) async throws -> TunnelSession {
        let opener = OwnSessionOpener(
            dialer: EdgeDialer(
                edge: self.edge,
                group: self.group,
                tls: self.edge.usesTLS ? self.edgeTLS : nil,
                proxy: self.proxy
            ),
            token: CurrentToken(token),
            targets: targets,
            originTLS: nil,
            governor: MemoryGovernor(),
            logger: Logger(label: "diagnose") { _ in SwiftLogNoOpLogHandler() },
            observer: .none
        )
        let id = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        return try await opener.open(bundle: .init(id: id, index: 0, count: 1))
    }

    private func tryTarget() async -> DiagnosisStep {
        guard let target = self.target else {
            return DiagnosisStep(name: "local server", verdict: .skipped, finding: "no target given")
        }
        return await self.step("local server", advice: "Start the local server, or name the port it listens on.") {
            do {
                let channel =
                    switch target.endpoint {
                    case .unix(let path): try await self.bootstrap.connect(unixDomainSocketPath: path).get()
                    case .tcp(let host, let port): try await self.bootstrap.connect(host: host, port: port).get()
                    }
                return try await TargetProbe.run(on: channel, target: target)
            } catch {
                throw OriginFailure(error, dialling: target)
            }
        }
    }

    private var bootstrap: ClientBootstrap { self.makeBootstrap(self.group) }

    /// Connections that read nothing before whoever tries them has its handlers in place and asks for it: a server that
    /// speaks first, or closes at once, is not missed.
    private func makeBootstrap(_ group: any EventLoopGroup) -> ClientBootstrap {
        ClientBootstrap(group: group)
            .connectTimeout(OriginDialer.connectTimeout)
            .channelOption(.autoRead, value: false)
    }

    func withClient<Answer: Sendable>(
        _ credentials: Credentials?,
        _ call: @Sendable (ControlClient) async throws(EdgeFailure) -> Answer
    ) async throws -> Answer {
        // Whether an edge answers is checked without a key.
        let credentials = try credentials ?? Credentials(apiKey: "none")
        return try await ControlCall(
            access: EdgeAccess(edge: self.edge, credentials: credentials),
            certificateAuthorityFile: self.certificateAuthorityFile
        ).perform(call)
    }
}

/// Completes a promise when the TLS handshake has succeeded or failed.
private final class HandshakeWaiter: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let promise: EventLoopPromise<Void>

    init(promise: EventLoopPromise<Void>) {
        self.promise = promise
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted = event as? TLSUserEvent { self.promise.succeed() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.promise.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.promise.fail(ChannelError.eof)
    }
}
