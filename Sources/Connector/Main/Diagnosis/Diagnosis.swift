// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
import Logging
import Mux
import NIOCore
import NIOPosix
import NIOSSL
import Protocol

/// Tries each step of serving a tunnel, in their order.
struct Diagnosis: Sendable {
    let edge: EdgeAddress
    /// The key to try, if there is one.
    let credentials: Credentials?
    /// Where the key came from, in a sentence, if anybody can tell.
    let sourceOfKey: String?
    /// The tunnel to try, if there is a token.
    let token: TunnelToken?
    /// The local server to try, if one is named.
    let target: OriginTarget?
    /// How TLS is spoken to it; `nil` for a target without TLS.
    let originTLS: OriginTLS?
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
        var spread: DiagnosisStep?
        steps.append(await self.ifPassed(api, "tunnel") { await self.openSession(&spread) })
        steps.append(
            await key.verdict == .failed
                ? self.ifPassed(key, "public URL") { key }
                : self.ifPassed(api, "public URL") { await self.passThrough(&spread) }
        )
        if let spread { steps.append(spread) }
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

    /// Times a step of talking to the edge, and turns its error into a verdict.
    func step(
        _ name: String,
        as step: DiagnosisAdvice.Step,
        _ body: () async throws -> String
    ) async -> DiagnosisStep {
        await self.step(name, advice: { DiagnosisAdvice.about($1, in: step) }, body)
    }

    /// Times a step and turns its error into a verdict.
    func step(
        _ name: String,
        status: CommandStatus = .unavailable,
        advice: (any Error, EdgeFailure) -> String?,
        _ body: () async throws -> String
    ) async -> DiagnosisStep {
        let start = ContinuousClock.now
        do {
            let finding = try await body()
            return DiagnosisStep(name: name, verdict: .passed, finding: finding, elapsed: .now - start)
        } catch {
            var failureStatus = status
            let failure = EdgeFailure(error, dialling: self.edge, through: self.proxy)
            if case .stop(let end) = ReconnectPolicy(retries: false).decide(afterCall: failure), end.status == .refused
            {
                failureStatus = .refused
            }
            let finding =
                (error as? OriginFailure)?.description ?? (error as? CommandFailure)?.message ?? failure.description
            if let end = error as? CommandFailure { failureStatus = end.status }
            return DiagnosisStep(
                name: name,
                verdict: .failed,
                finding: finding,
                advice: error is CommandFailure ? nil : advice(error, failure),
                elapsed: .now - start,
                status: failureStatus
            )
        }
    }

    private func resolve() async -> DiagnosisStep {
        await self.step("edge name", as: .port(self.edge.port)) {
            let (host, port) = (self.edge.host, self.edge.port)
            if Authority.isLocalhost(host) { return "\(host) is this machine" }
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
        await self.step("edge port", as: .port(self.edge.port)) {
            let channel = try await self.makeBootstrap(self.group.next(), self.edge.host).connect(
                host: self.edge.host,
                port: self.edge.port
            ).get()
            try await channel.close()
            return "port \(self.edge.port) answers"
        }
    }

    private func pass(_ proxy: ProxyAddress) async -> DiagnosisStep {
        await self.step("proxy", as: .proxy) {
            let channel = try await self.openChannel(on: self.group.next())
            try await channel.close()
            return "\(proxy) lets through to \(self.edge.host), port \(self.edge.port)"
        }
    }

    /// Opens a connection to the edge, through the proxy if there is one.
    private func openChannel(on eventLoop: any EventLoop) async throws -> any Channel {
        let bootstrap = self.makeBootstrap(eventLoop, self.proxy?.host ?? self.edge.host)
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
        await self.step("edge TLS", as: .tls) {
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
        await self.step("control API", as: .api) {
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
        // Whoever has several keys has to know which one this is.
        let advice: (any Error, EdgeFailure) -> String? = { _, failure in
            let source = failure.isUnknownKey ? self.sourceOfKey : nil
            let words = [source, DiagnosisAdvice.about(failure, in: .key)].compactMap(\.self)
            return words.isEmpty ? nil : words.joined(separator: " ")
        }
        return await self.step("API key", advice: advice) {
            // A code is for one call, and asking needs none.
            let tunnels = try await self.withClient(try Credentials(apiKey: credentials.apiKey)) {
                client async throws(EdgeFailure) in
                try await client.list()
            }
            return "accepted; \(tunnels.count) \(tunnels.count == 1 ? "tunnel" : "tunnels")"
        }
    }

    private func openSession(_ spread: inout DiagnosisStep?) async -> DiagnosisStep {
        guard let token = self.token else {
            let finding = self.credentials == nil ? "no token given" : "no token given; the next step makes a tunnel"
            return DiagnosisStep(name: "tunnel", verdict: .skipped, finding: finding)
        }
        return await self.step("tunnel", as: .tunnel) {
            if let expiry = token.expiry() {
                throw CommandFailure(
                    .refused,
                    "\(expiry) culvert tunnels token \(token.tunnelID) makes another one, for who has an API key."
                )
            }
            let edge = try await self.look(token)
            spread = await self.spread(token, from: edge)
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
        if target.leads(to: self.edge) {
            return DiagnosisStep(
                name: "local server",
                verdict: .failed,
                finding: "\(target) is the edge itself: requests would go round in a circle",
                advice: "Name the port of your own server.",
                status: .usage
            )
        }
        let advice: (any Error, EdgeFailure) -> String? = { error, _ in
            (error as? OriginFailure).flatMap(DiagnosisAdvice.about)
        }
        return await self.step("local server", advice: advice) {
            do {
                let bootstrap = self.makeBootstrap(self.group.next(), target.host)
                let channel =
                    switch target.endpoint {
                    case .unix(let path): try await bootstrap.connect(unixDomainSocketPath: path).get()
                    case .tcp(let host, let port): try await bootstrap.connect(host: host, port: port).get()
                    }
                return try await TargetProbe.run(on: channel, target: target, tls: self.originTLS)
            } catch {
                throw OriginFailure(error, dialling: target)
            }
        }
    }

    /// Connections that read nothing before whoever tries them has its handlers in place and asks for it: a server that
    /// speaks first, or closes at once, is not missed.
    private func makeBootstrap(_ eventLoop: any EventLoop, _ host: String) -> ClientBootstrap {
        ClientBootstrap.reaching(host, on: eventLoop)
            .connectTimeout(OriginDialer.connectTimeout)
            .channelOption(.autoRead, value: false)
    }

    /// Calls the control API.
    ///
    /// - Parameters:
    ///   - credentials: The key; none where it is only seen whether an edge answers.
    ///   - patience: How long an edge may ask to wait: many diagnoses in a row meet its limit of calls.
    ///   - call: Makes the call.
    func withClient<Answer: Sendable>(
        _ credentials: Credentials?,
        patience: Duration = .seconds(15),
        _ call: @Sendable (ControlClient) async throws(EdgeFailure) -> Answer
    ) async throws -> Answer {
        let credentials = try credentials ?? Credentials(apiKey: "none")
        var control = try ControlCall(
            access: EdgeAccess(edge: self.edge, credentials: credentials),
            certificateAuthorityFile: self.certificateAuthorityFile
        )
        control.patience = patience
        return try await control.perform(call)
    }
}
