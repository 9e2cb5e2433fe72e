// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import Mux
import NIOCore
import NIOTLS
import Protocol

/// One visitor's connection to a tunnel, from the accepted socket, or a stream of the visitor's own session, to its line in
/// the access log.
///
/// It belongs to the event loop of the visitor's channel, and decides; a ``JointEnd`` at either channel moves bytes.
package final class TunnelConnection {
    /// How many sessions a connection is offered to.
    private static let attempts = 3

    private let services: ConnectionServices
    private let channel: any Channel
    private var tunnelID: TunnelID?
    /// The port that the visitor came to; `nil` for a stream.
    private let port: UInt16?
    /// Where the visitor comes from.
    private var source: NetworkEndpoint?
    /// Where the visitor came to.
    private var destination: NetworkEndpoint?
    private var kind: TunnelKind
    /// Whether a stream of the visitor's own session is the channel, rather than a socket of a public port.
    private var isAccess: Bool { self.accessOwner != nil }
    /// Whose tunnel the visitor's access token opens; `nil` for a socket.
    private let accessOwner: String?
    private let id = RequestID()
    private let begunAt: NIODeadline
    private var address: IPAddress?
    private var end: JointEnd?
    private var tunnel: Tunnel?
    private var policy = TunnelPolicy()
    private var tried: [UInt64] = []
    /// What was tried last.
    private var session: TunnelSession?
    private var fault: ConnectionFault?
    private var place = Place.none
    private var isCounted = false
    private var isOver = false
    /// What comes of waiting for a session.
    private var waiting: EventLoopFuture<TunnelSession?>?
    private var naming: Scheduled<Void>?
    private var idleCheck: Scheduled<Void>?
    private var bytesAtLastCheck = 0

    /// The connection's place among all, and among those of its address.
    private enum Place {
        case none
        case entered
        case claimed(CallerAddress)
    }

    private init(
        _ services: ConnectionServices,
        _ channel: any Channel,
        _ tunnelID: TunnelID?,
        port: UInt16?,
        kind: TunnelKind,
        accessOwner: String? = nil,
        from source: SocketAddress?
    ) {
        self.services = services
        self.accessOwner = accessOwner
        self.channel = channel
        self.tunnelID = tunnelID
        self.port = port
        self.kind = kind
        self.begunAt = channel.eventLoop.now
        self.address = IPAddress(source)
        self.source = Self.endpoint(source)
        self.destination = Self.endpoint(channel.localAddress)
    }

    /// Takes a connection that was accepted on a port of a tunnel; on its event loop.
    static func begin(
        _ services: ConnectionServices,
        channel: any Channel,
        tunnel tunnelID: TunnelID,
        port: UInt16
    ) throws {
        try Self.setOptions(of: channel)
        let connection = TunnelConnection(
            services,
            channel,
            tunnelID,
            port: port,
            kind: .tcp,
            from: channel.remoteAddress
        )
        try connection.begin { connection.visit(tunnelID) }
    }

    /// Takes a connection that was accepted on the port for tunnels of TLS; on its event loop.
    ///
    /// - Parameters:
    ///   - services: What connections work with.
    ///   - channel: The accepted channel.
    ///   - domain: The domain below which tunnels have their hosts.
    package static func beginTLS(
        _ services: ConnectionServices,
        channel: any Channel,
        domain: String
    ) throws {
        try Self.setOptions(of: channel)
        let port = (channel.localAddress?.port).map { UInt16(clamping: $0) }
        let connection = TunnelConnection(
            services,
            channel,
            nil,
            port: port,
            kind: .tls,
            from: channel.remoteAddress
        )
        let bound = NIOLoopBound(connection, eventLoop: channel.eventLoop)
        let sni = SNIHandler { result in
            // The handler leaves in the next tick, and what it has kept comes then, without a read-complete: the stream is
            // opened in the tick behind that, and takes all of it along.
            let loop = bound.eventLoop
            return loop.submit { loop.execute { bound.value.named(result, domain: domain) } }
        }
        try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(sni))
        try connection.begin {
            connection.end?.readAlone(true)
            connection.naming = connection.channel.eventLoop.assumeIsolated().scheduleTask(
                in: services.settings.nameTimeout
            ) {
                connection.refuse(.noServerName)
            }
        }
    }

    /// The visitor has said which server is meant, or something that is no such thing.
    private func named(_ result: SNIResult, domain: String) {
        self.naming?.cancel()
        self.naming = nil
        self.end?.readAlone(false)
        guard !self.isOver else { return }
        guard case .hostname(let name) = result else { return self.refuse(.noServerName) }
        let host = name.lowercased()
        guard host.hasSuffix("." + domain.lowercased()), let id = TunnelID(host.dropLast(domain.utf8.count + 1)) else {
            return self.refuse(.tunnelNotFound)
        }
        self.visit(id)
    }

    /// Takes a stream that a visitor with an access token has opened; on its event loop.
    ///
    /// - Parameters:
    ///   - services: What connections work with.
    ///   - stream: The stream, which has not been answered.
    ///   - tunnelID: The tunnel.
    ///   - owner: Whose tunnel it has to be: the access token of one owner opens nothing of the next one's.
    ///   - source: Where the visitor comes from.
    package static func serve(
        _ services: ConnectionServices,
        _ stream: StreamChannel,
        tunnel tunnelID: TunnelID,
        of owner: String,
        from source: SocketAddress?
    ) {
        guard let opening = stream.opening, opening.kind == .tcp || opening.kind == .http else {
            return stream.reject(code: .unsupportedKind, reason: "visitors open streams of kind tcp or http")
        }
        do {
            let kind = services.registry.tunnel(tunnelID)?.form.kind ?? .tcp
            let connection = TunnelConnection(
                services,
                stream,
                tunnelID,
                port: nil,
                kind: kind,
                accessOwner: owner,
                from: source
            )
            try connection.begin { connection.visit(tunnelID) }
            stream.accept()
        } catch {
            stream.reject(code: .internalError, reason: "the stream could not be set up")
        }
    }

    private static func setOptions(of channel: any Channel) throws {
        let options = channel.syncOptions
        try options?.setOption(.allowRemoteHalfClosure, value: true)
        try options?.setOption(.maxMessagesPerRead, value: 4)
        try options?.setOption(.recvAllocator, value: VisitorReadAllocator())
    }

    // MARK: Admission

    /// Begins to count the connection.
    ///
    /// - Parameter next: Runs when it is known where the visitor comes from, if there is a place.
    private func begin(_ next: @escaping () -> Void) throws {
        self.services.recorder.started(self.kind)
        let end = JointEnd(visitorOn: self.channel.eventLoop, supervisor: self)
        self.end = end
        try self.channel.pipeline.syncOperations.addHandler(end)
        _ = self.services.connections.join(self, on: self.channel.eventLoop)
        // A channel that is closed before it is active does not tell its handlers.
        self.channel.closeFuture.assumeIsolated().whenComplete { _ in self.finish() }
        guard self.services.places.enter() else { return self.refuse(.tooManyConnections) }
        self.place = .entered
        guard !self.isAccess, let proxies = self.services.settings.proxies else { return self.admit(next) }
        let isTrusted = self.address.map { address in proxies.contains { $0.contains(address) } } ?? false
        let timeout = self.services.settings.nameTimeout
        let handler = ProxyHeaderHandler(isTrusted: isTrusted, timeout: timeout) { [weak self] result in
            self?.arrived(result, next)
        }
        try self.channel.pipeline.syncOperations.addHandler(handler, position: .first)
        if isTrusted { end.readAlone(true) } else { self.admit(next) }
    }

    /// The header of a load balancer in front has been read, or should have been.
    private func arrived(_ result: Result<ProxyHeader?, ProxyHeaderFault>, _ next: () -> Void) {
        guard !self.isOver else { return }
        switch result {
        case .success(let header):
            if let header {
                self.source = header.source
                self.destination = header.destination
                self.address = IPAddress(header.sourceAddress)
            }
            self.end?.readAlone(false)
            self.admit(next)
        case .failure(.silent): self.refuse(.visitorReset)
        case .failure: self.refuse(.proxyHeader)
        }
    }

    private func admit(_ next: () -> Void) {
        guard let caller = self.services.places.claim(self.address) else { return self.refuse(.tooManyConnections) }
        self.place = .claimed(caller)
        next()
    }

    /// Lets the visitor into a tunnel, if its policy does.
    private func visit(_ tunnelID: TunnelID) {
        self.tunnelID = tunnelID
        let registry = self.services.registry
        if let tunnel = registry.tunnel(tunnelID) { return self.visit(tunnel) }
        guard registry.looksFurther else { return self.refuse(.tunnelNotFound) }
        let bound = NIOLoopBound(self, eventLoop: self.channel.eventLoop)
        self.channel.eventLoop.makeFutureWithTask { try await registry.find(tunnelID) }.whenComplete { result in
            let connection = bound.value
            guard !connection.isOver else { return }
            switch result {
            case .success(let tunnel?): connection.visit(tunnel)
            case .success(nil): connection.refuse(.tunnelNotFound)
            case .failure: connection.refuse(.tunnelOffline)
            }
        }
    }

    private func visit(_ tunnel: Tunnel) {
        if let accessOwner, tunnel.owner != accessOwner { return self.refuse(.tunnelNotFound) }
        let visit = tunnel.visit(address: self.address, authorization: [])
        // What a policy asks of requests, such as a password, whoever has an access token has shown already.
        guard self.isAccess || visit.form.kind == self.kind && !visit.form.isPrivate else {
            return self.refuse(.tunnelNotFound)
        }
        guard visit.decision != .addressDenied else { return self.refuse(.accessDenied) }
        guard tunnel.beginConnection(visit.policy) else { return self.refuse(.tooManyVisitors) }
        self.isCounted = true
        self.tunnel = tunnel
        self.policy = visit.policy
        tunnel.recordRequest()
        if let bytes = self.policy.bytesPerSecond {
            self.end?.setPace(BytePace(bytesPerSecond: bytes, now: self.channel.eventLoop.now))
        }
        if let timeout = self.services.settings.idleTimeout { self.watch(timeout) }
        self.findSession(of: tunnel)
    }

    private func refuse(_ fault: ConnectionFault) {
        self.fault = self.fault ?? fault
        if let stream = self.channel as? StreamChannel {
            let reason = fault.sentence
            guard stream.isUnanswered else { return stream.reset(code: fault.code, reason: reason) }
            return stream.reject(code: fault.code, reason: reason)
        }
        // A reset, as a port where nothing listens gives: a client does not take it for an empty answer.
        self.channel.closeWithReset()
    }

    // MARK: The stream

    private func findSession(of tunnel: Tunnel) {
        let loop = self.channel.eventLoop
        if let session = tunnel.pickSession(preferring: loop, excluding: self.tried) {
            return self.open(on: session)
        }
        guard self.services.connections.stage < .closing else { return self.refuse(.tunnelOffline) }
        let bound = NIOLoopBound(self, eventLoop: loop)
        let waiting = tunnel.waitForSession(
            on: loop,
            excluding: self.tried,
            timeout: self.services.settings.reconnectHold
        )
        self.waiting = waiting
        waiting.whenSuccess { session in
            let connection = bound.value
            guard !connection.isOver else { return }
            if let session { connection.open(on: session) } else { connection.refuse(.tunnelOffline) }
        }
    }

    private func open(on session: TunnelSession) {
        guard let end = self.end else { return }
        self.tried.append(session.id)
        self.session = session
        let visitor = NIOLoopBound(end, eventLoop: self.channel.eventLoop)
        let bound = NIOLoopBound(self, eventLoop: self.channel.eventLoop)
        let kept = end.unacceptedBytes
        let header = ProxyHeader.bytes(self.policy.proxyProtocol, self.proxyHeader)
        let first = header.readableBytes > 0 ? [header] + kept : kept
        let request = StreamRequest(
            kind: StreamKind(self.kind),
            metadata: self.metadata(target: session.target),
            deadline: self.services.settings.connectTimeout,
            bytesPerSecond: self.policy.bytesPerSecond,
            firstBytes: first
        )
        if session.eventLoop === self.channel.eventLoop {
            let result = Result { try request.open(on: session, for: visitor) }
            self.opened(result, given: kept.count)
        } else {
            session.eventLoop.execute {
                let result = Result { try request.open(on: session, for: visitor) }
                visitor.eventLoop.execute { bound.value.opened(result, given: kept.count) }
            }
        }
    }

    private func opened(_ result: Result<NIOLoopBound<JointEnd>, any Error>, given: Int) {
        switch result {
        case .success(let stream):
            // The visitor has left while the stream was opened on another event loop.
            guard !self.isOver else { return stream.eventLoop.execute { stream.value.leave() } }
            self.end?.join(stream, given: given)
        case .failure:
            guard !self.isOver else { return }
            if !self.tryAgain() { self.refuse(.tunnelBusy) }
        }
    }

    /// Looks for another session.
    ///
    /// - Returns: Whether there may be one.
    private func tryAgain() -> Bool {
        guard let tunnel = self.tunnel, !self.isOver, self.tried.count < Self.attempts else { return false }
        self.findSession(of: tunnel)
        return true
    }

    private func metadata(target: String) -> OpenMetadata {
        var metadata = OpenMetadata(target: target)
        metadata.remoteAddress = self.source
        metadata.localAddress = self.destination
        metadata.requestID = self.id.number
        return metadata
    }

    private var proxyHeader: ProxyHeader? {
        guard let source = self.source, let destination = self.destination else { return nil }
        return ProxyHeader(source: source, destination: destination)
    }

    private static func endpoint(_ address: SocketAddress?) -> NetworkEndpoint? {
        // An IPv4 address in IPv6 form is the IPv4 address.
        IPAddress(address).flatMap { NetworkEndpoint(address: $0.bytes, port: UInt16(clamping: address?.port ?? 0)) }
    }

    // MARK: The end

    private func watch(_ timeout: TimeAmount) {
        self.idleCheck = self.channel.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
            guard !self.isOver, let end = self.end else { return }
            let bytes = end.readBytes + end.writtenBytes
            guard bytes != self.bytesAtLastCheck || bytes == 0 && self.tunnel == nil else {
                self.fault = self.fault ?? .idle
                return end.breakOff(
                    StreamError(code: .streamIdle, reason: "idle", origin: .resetLocally, isRetrySafe: false)
                )
            }
            self.bytesAtLastCheck = bytes
            self.watch(timeout)
        }
    }

    private func finish() {
        guard !self.isOver else { return }
        self.isOver = true
        self.idleCheck?.cancel()
        self.naming?.cancel()
        if let waiting = self.waiting.take() { self.tunnel?.stopWaiting(for: waiting) }
        switch self.place {
        case .none: break
        case .entered: self.services.places.leave(claimed: nil)
        case .claimed(let caller): self.services.places.leave(claimed: caller)
        }
        let (received, sent) = (self.end?.readBytes ?? 0, self.end?.writtenBytes ?? 0)
        self.end = nil
        if let tunnel = self.tunnel {
            tunnel.recordBytes(received: received, sent: sent)
            if let fault, fault.isMadeByEdge { tunnel.recordError(fault.rawValue) }
            if self.isCounted { tunnel.endConnection() }
        }
        self.services.connections.leave(self)
        self.services.recorder.finished(
            ConnectionEntry(
                id: self.id,
                tunnelID: self.tunnelID,
                otherEdge: self.session?.otherEdge,
                kind: self.kind,
                port: self.port,
                bytesReceived: received,
                bytesSent: sent,
                milliseconds: Double((self.channel.eventLoop.now - self.begunAt).nanoseconds) / 1e6,
                remoteAddress: self.address,
                fault: self.fault
            )
        )
    }
}

extension TunnelConnection: JointSupervisor {
    func streamWasRefused(_ error: StreamError) -> Bool {
        self.session?.streamFailed(error)
        // Whether the origin can be reached another connection of the connector does not know better.
        guard ConnectionFault(error) != .originUnreachable else { return false }
        return self.tryAgain()
    }

    func jointBroke(_ error: StreamError, byVisitor: Bool) {
        self.fault = self.fault ?? (byVisitor ? ConnectionFault(ofVisitor: error) : ConnectionFault(error))
    }
}

extension TunnelConnection: VisitorConnectionMember {
    package func listenerEntered(_ stage: VisitorConnections.Stage) {
        // Who waits for a connector waits in vain; what is under way may end.
        if stage == .closing, self.tunnel != nil, self.tried.isEmpty { self.refuse(.tunnelOffline) }
    }
}

extension StreamKind {
    /// What the streams of a tunnel carry.
    fileprivate init(_ kind: TunnelKind) {
        switch kind {
        case .http: self = .http
        case .tcp: self = .tcp
        case .tls: self = .tls
        }
    }
}
