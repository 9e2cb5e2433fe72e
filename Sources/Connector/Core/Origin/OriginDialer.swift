// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Mux
import NIOCore
import NIOPosix
import NIOSSL
import Protocol

/// Serves the streams of one session: connects each to its local target.
///
/// Belongs to the event loop of the session. Its targets are fixed when it is made: a stream names one of them, and can
/// name no address.
package final class OriginDialer {
    /// The connectable targets by the name that OPEN's TARGET carries.
    private let targets: [String: OriginTarget]
    private let tls: OriginTLS?
    private let eventLoop: any EventLoop
    private let observer: OriginObserver
    private let bootstrap: ClientBootstrap
    private let loopbackBootstrap: ClientBootstrap
    /// The loopback address that accepted last for `localhost`; it is tried first, which saves a refused attempt a
    /// stream.
    private var loopback: SocketAddress?
    private var lastFailure: OriginFailure?
    /// Whether the first bytes of a connection are still heard: until one has begun as an answer of HTTP does.
    private var listensForHTTP = true

    /// How long connecting, with the TLS handshake, may take.
    package static let connectTimeout = TimeAmount.seconds(5)

    init(targets: [String: OriginTarget], tls: OriginTLS?, eventLoop: any EventLoop, observer: OriginObserver) {
        self.targets = targets
        self.tls = tls
        self.eventLoop = eventLoop
        self.observer = observer
        self.bootstrap = Self.makeBootstrap(eventLoop)
        self.loopbackBootstrap = Self.makeBootstrap(eventLoop).resolver(LocalhostResolver(eventLoop: eventLoop))
    }

    private static func makeBootstrap(_ eventLoop: any EventLoop) -> ClientBootstrap {
        ClientBootstrap(group: eventLoop)
            .connectTimeout(Self.connectTimeout)
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            // Without its timing, which a Unix socket does not have.
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.maxMessagesPerRead, value: 4)
            .channelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 128 << 10))
            // Small at first: each of thousands of mostly idle connections, such as WebSockets, keeps a buffer.
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 2_048, initial: 2_048, maximum: 65_536)
            )
    }

    /// Answers a stream that the edge opened: with the local connection, or with REJECT.
    func serve(_ stream: StreamChannel) {
        guard let opening = stream.opening, case .success(let metadata) = opening.metadata else {
            return stream.reject(code: .unsupportedMetadata, reason: "OPEN carries what this connector does not know")
        }
        guard opening.kind != .notice else {
            return NoticeReader.read(stream) { [observer = self.observer] bytes in
                guard let notice = TunnelNotice(bytes) else { return }
                observer.report(.alsoServed(by: notice.alsoServedBy.map(\.shownText)))
            }
        }
        guard opening.kind == .http || opening.kind == .tcp || opening.kind == .tls else {
            return stream.reject(code: .unsupportedKind, reason: "this connector serves http, tcp and tls")
        }
        guard let target = self.targets[metadata.target] else {
            return stream.reject(code: .targetUnknown, reason: "no target of that name is configured here")
        }
        let isHTTP = opening.kind == .http && target.kind == .http
        let pipe = OriginPipe(
            stream: stream,
            carrying: opening.kind == .http ? .exchange : .connection,
            capture: isHTTP ? self.observer.makeCapture() : nil,
            meter: isHTTP ? nil : self.observer.makeMeter()
        )
        do {
            try pipe.attachStream()
        } catch {
            return stream.reject(code: .internalError, reason: "the stream could not be set up")
        }
        let deadline = NIODeadline.now() + Self.connectTimeout
        self.connect(to: target).assumeIsolated().whenComplete { result in
            switch result {
            case .success(let local): self.use(local, for: pipe, target: target, deadline: deadline)
            case .failure(let error): self.reject(pipe, error, target: target)
            }
        }
    }

    /// Connects to a target; TLS is up to the caller.
    func connect(to target: OriginTarget) -> EventLoopFuture<any Channel> {
        switch target.endpoint {
        case .unix(let path):
            return self.bootstrap.connect(unixDomainSocketPath: path)
        case .tcp(let host, let port) where Authority.isLocalhost(host):
            return self.connectToLoopback(port: port)
        case .tcp(let host, let port):
            // A literal address needs no resolver, which would use another thread.
            if let address = try? SocketAddress(ipAddress: host, port: port) {
                return self.bootstrap.connect(to: address)
            }
            return self.bootstrap.connect(host: host, port: port)
        }
    }

    private func connectToLoopback(port: Int) -> EventLoopFuture<any Channel> {
        guard var address = self.loopback else { return self.raceLoopback(port: port) }
        address.port = port
        return self.bootstrap.connect(to: address).assumeIsolated().flatMapError { _ in
            self.loopback = nil
            return self.raceLoopback(port: port)
        }.nonisolated()
    }

    private func raceLoopback(port: Int) -> EventLoopFuture<any Channel> {
        self.loopbackBootstrap.connect(host: "localhost", port: port)
            .assumeIsolated().map { channel in
                self.loopback = channel.remoteAddress
                return channel
            }.nonisolated()
    }

    /// A local server has said its first words, or has ended the connection without any.
    ///
    /// A server of TLS does the latter to a request without, or answers 400, and is asked once.
    private func heard(_ words: ByteBuffer?, from target: OriginTarget) {
        if let words, let fault = OriginSpeech.fault(words, of: target) { return self.observer.warn(fault) }
        guard self.listensForHTTP else { return }
        self.listensForHTTP = false
        guard words.map(OriginSpeech.isBadRequest) ?? true else { return }
        let warn = self.observer.warn
        Task { if let fault = await OriginSpeech.tlsFault(of: target) { warn(fault) } }
    }

    private func use(_ local: any Channel, for pipe: OriginPipe, target: OriginTarget, deadline: NIODeadline) {
        guard !pipe.isStreamOver else { return local.close(promise: nil) }
        do {
            let tls = try target.usesTLS ? self.makeTLSHandler(host: target.host) : nil
            let timeout = tls.map { _ in
                self.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
                    self.reject(pipe, ChannelError.connectTimeout(Self.connectTimeout), target: target)
                }
            }
            if self.listensForHTTP, tls == nil, target.kind == .http {
                try local.pipeline.syncOperations.addHandler(FirstWords { self.heard($0, from: target) })
            }
            try pipe.attachLocal(local, tls: tls) {
                timeout?.cancel()
                self.join(pipe, target: target)
            } onFailure: { error in
                timeout?.cancel()
                self.reject(pipe, error, target: target)
            }
        } catch {
            local.close(promise: nil)
            self.reject(pipe, error, target: target)
        }
    }

    /// The handler that speaks TLS to a target.
    func makeTLSHandler(host: String) throws -> NIOSSLClientHandler {
        guard let tls = self.tls else {
            throw OriginFailure(code: .localTLSError, reason: "the connector was started without TLS for its targets")
        }
        return try tls.makeHandler(host: host)
    }

    private func join(_ pipe: OriginPipe, target: OriginTarget) {
        if self.lastFailure != nil || self.observer.isUnreachable?() == true {
            self.lastFailure = nil
            self.observer.report(.reachable(target: "\(target)"))
        }
        do {
            try pipe.join()
        } catch {
            pipe.stream.reset(code: .internalError, reason: "the local connection could not be set up")
        }
    }

    private func reject(_ pipe: OriginPipe, _ error: any Error, target: OriginTarget) {
        let failure = OriginFailure(error, dialling: target, settings: self.tls?.settings ?? .flags)
        pipe.abandonLocal()
        guard !pipe.isStreamOver else { return }
        pipe.stream.reject(code: failure.code, reason: failure.reason)
        // A server that is down is reported once, not once a request.
        if failure != self.lastFailure || self.observer.isUnreachable?() == false {
            self.lastFailure = failure
            self.observer.report(
                .unreachable(target: "\(target)", code: failure.code, reason: failure.reason)
            )
        }
    }
}
