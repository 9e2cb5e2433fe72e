// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import Protocol

/// Sees at the start of a run whether the local server takes connections, and does not begin to speak itself.
///
/// Without it, that nothing listens there, or that its certificate is not trusted, would show with the first request
/// alone. It asks once: a server that takes one connection and no more must not lose it to somebody who has nothing to
/// say. It sends nothing that a server of HTTP would have to answer: to an `https://` target the handshake of TLS.
struct OriginWatch: Sendable {
    /// For how long the tunnel waits for it: a server of this machine answers sooner, and one that does not is no reason to
    /// keep visitors waiting.
    static let headStart = Duration.milliseconds(250)

    /// How long a server has to speak first, as those of SSH, mail and databases do at once.
    static let greetingTime = TimeAmount.milliseconds(200)

    let target: OriginTarget
    /// How TLS is spoken to the target; `nil` for one without.
    var tls: OriginTLS?
    /// Called with what was seen.
    let report: @Sendable (OriginEvent) -> Void
    /// Called with a sentence about a server that does not speak HTTP, or speaks it behind TLS.
    var warn: @Sendable (String) -> Void = { _ in }
    /// Called when it is known whether connections are taken.
    var onLook: @Sendable () -> Void = {}

    /// Opens a connection, and closes it.
    func run() async {
        do {
            let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
            let greeting = eventLoop.makePromise(of: ByteBuffer?.self)
            let secured = eventLoop.makePromise(of: Void.self)
            if self.tls == nil { secured.succeed() }
            let channel: any Channel
            do {
                channel = try await self.connect(on: eventLoop, greeting, secured)
                try await self.finish(secured, on: channel)
            } catch {
                greeting.succeed(nil)
                secured.succeed()
                throw error
            }
            self.report(.reachable(target: "\(self.target)"))
            self.onLook()
            let words = self.tls != nil ? nil : await self.words(on: channel, greeting)
            greeting.succeed(nil)
            // Before anything else is tried: many a small server takes one connection at a time.
            try? await channel.close()
            if let fault = await self.fault(after: words) { self.warn(fault) }
        } catch {
            self.onLook()
            let settings = self.tls?.settings ?? .flags
            let failure = OriginFailure(error, dialling: self.target, settings: settings)
            self.report(
                .unreachable(
                    target: "\(self.target)",
                    code: failure.code,
                    reason: failure.reason + Self.advice(for: failure, settings)
                )
            )
        }
    }

    /// Waits for the handshake of TLS, with a bound.
    private func finish(_ secured: EventLoopPromise<Void>, on channel: any Channel) async throws {
        let timeout = channel.eventLoop.scheduleTask(in: OriginDialer.connectTimeout) {
            secured.fail(ChannelError.connectTimeout(OriginDialer.connectTimeout))
        }
        defer { timeout.cancel() }
        do {
            try await secured.futureResult.get()
        } catch {
            channel.close(promise: nil)
            throw error
        }
    }

    /// What the server says first, which none of HTTP does.
    private func words(on channel: any Channel, _ greeting: EventLoopPromise<ByteBuffer?>) async -> ByteBuffer? {
        let timeout = channel.eventLoop.scheduleTask(in: Self.greetingTime) { greeting.succeed(nil) }
        defer { timeout.cancel() }
        return try? await greeting.futureResult.get()
    }

    /// What is wrong with a server that has said this first.
    ///
    /// One that speaks TLS says nothing before its client does. It is asked where the port is by custom one of HTTPS: at
    /// others a server of HTTP would find a request in its log that it can't read.
    private func fault(after words: ByteBuffer?) async -> String? {
        if let words { return OriginSpeech.fault(words, of: self.target) }
        guard let port = self.target.port, port % 1_000 == 443 else { return nil }
        return await OriginSpeech.tlsFault(of: self.target)
    }

    /// What to do, as the end of a sentence.
    private static func advice(for failure: OriginFailure, _ settings: OriginTrust.Settings) -> String {
        switch failure.code {
        case .connectRefused: ": start the local server, or name the port that it listens on"
        case .dnsFailure: ": see how the name is spelt"
        case .localTLSError where failure.isAboutTrust: ", and \(settings.noVerification) takes any certificate"
        case .localTLSError: "; visitors get an error"
        default: "; visitors get an error until it answers"
        }
    }

    private func connect(
        on eventLoop: any EventLoop,
        _ greeting: EventLoopPromise<ByteBuffer?>,
        _ secured: EventLoopPromise<Void>
    ) async throws -> any Channel {
        let bootstrap = ClientBootstrap.reaching(self.target.host, on: eventLoop)
            .connectTimeout(OriginDialer.connectTimeout)
            .channelInitializer { [tls, host = self.target.host] channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        return try channel.pipeline.syncOperations.addHandlers(
                            tls.makeHandler(host: host),
                            HandshakeWaiter(promise: secured)
                        )
                    }
                    try channel.pipeline.syncOperations.addHandler(FirstWords { greeting.succeed($0) })
                }
            }
        return switch self.target.endpoint {
        case .unix(let path): try await bootstrap.connect(unixDomainSocketPath: path).get()
        case .tcp(let host, let port): try await bootstrap.connect(host: host, port: port).get()
        }
    }
}
