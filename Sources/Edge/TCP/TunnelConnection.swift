// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import Mux
import NIOCore
import Protocol

/// One visitor's connection to a tunnel of TCP, from the accepted socket to its line in the access log.
///
/// It belongs to the event loop of the visitor's channel, and decides; a ``JointEnd`` at either channel moves bytes.
final class TunnelConnection {
    /// How many sessions a connection is offered to.
    private static let attempts = 3

    private let services: ConnectionServices
    private let channel: any Channel
    private let tunnelID: TunnelID
    private let port: UInt16?
    private let id = RequestID()
    private let begunAt: NIODeadline
    private let address: IPAddress?
    private var end: JointEnd?
    private var tunnel: Tunnel?
    private var policy = TunnelPolicy()
    private var tried: [UInt64] = []
    private var fault: ConnectionFault?
    private var hasPlace = false
    private var isCounted = false
    private var isOver = false
    private var idleCheck: Scheduled<Void>?
    private var bytesAtLastCheck = 0

    private init(_ services: ConnectionServices, _ channel: any Channel, _ tunnelID: TunnelID, _ port: UInt16?) {
        self.services = services
        self.channel = channel
        self.tunnelID = tunnelID
        self.port = port
        self.begunAt = channel.eventLoop.now
        self.address = IPAddress(channel.remoteAddress)
    }

    /// Takes a connection that was accepted for a tunnel; on its event loop.
    static func begin(
        _ services: ConnectionServices,
        channel: any Channel,
        tunnel tunnelID: TunnelID,
        port: UInt16?
    ) throws {
        try Self.setOptions(of: channel)
        let connection = TunnelConnection(services, channel, tunnelID, port)
        try connection.begin()
    }

    private static func setOptions(of channel: any Channel) throws {
        let options = channel.syncOptions
        try options?.setOption(.allowRemoteHalfClosure, value: true)
        try options?.setOption(.maxMessagesPerRead, value: 4)
        try options?.setOption(.recvAllocator, value: VisitorReadAllocator())
    }

    // MARK: Admission

    private func begin() throws {
        self.services.recorder.started(.tcp)
        let end = JointEnd(visitorOn: self.channel.eventLoop, supervisor: self)
        self.end = end
        try self.channel.pipeline.syncOperations.addHandler(end)
        _ = self.services.connections.join(self, on: self.channel.eventLoop)
        // A channel that is closed before it is active does not tell its handlers.
        self.channel.closeFuture.assumeIsolated().whenComplete { _ in self.finish() }
        guard self.services.places.enter(self.address) else { return self.refuse(.tooManyConnections) }
        self.hasPlace = true
        guard let tunnel = self.services.registry.tunnel(self.tunnelID) else { return self.refuse(.tunnelNotFound) }
        let visit = tunnel.visit(address: self.address, authorization: [])
        guard visit.kind == .tcp else { return self.refuse(.tunnelNotFound) }
        guard case .admit = visit.decision else { return self.refuse(.accessDenied) }
        guard tunnel.beginConnection(visit.policy) else { return self.refuse(.tooManyVisitors) }
        self.isCounted = true
        self.tunnel = tunnel
        self.policy = visit.policy
        tunnel.recordRequest()
        if let bytes = self.policy.bytesPerSecond {
            end.setPace(BytePace(bytesPerSecond: bytes, now: self.channel.eventLoop.now))
        }
        if let timeout = self.services.settings.idleTimeout { self.watch(timeout) }
        self.findSession(of: tunnel)
    }

    private func refuse(_ fault: ConnectionFault) {
        self.fault = self.fault ?? fault
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
        tunnel.waitForSession(on: loop, excluding: self.tried, timeout: self.services.settings.reconnectHold)
            .whenSuccess { session in
                let connection = bound.value
                guard !connection.isOver else { return }
                if let session { connection.open(on: session) } else { connection.refuse(.tunnelOffline) }
            }
    }

    private func open(on session: TunnelSession) {
        guard let end = self.end else { return }
        self.tried.append(session.id)
        let visitor = NIOLoopBound(end, eventLoop: self.channel.eventLoop)
        let bound = NIOLoopBound(self, eventLoop: self.channel.eventLoop)
        let kept = end.unacceptedBytes
        let header = ProxyHeader.bytes(self.policy.proxyProtocol, self.proxyHeader)
        let first = header.readableBytes > 0 ? [header] + kept : kept
        let request = StreamRequest(
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
        metadata.localAddress = Self.endpoint(self.channel.localAddress)
        metadata.requestID = self.id.bytes
        return metadata
    }

    private var source: NetworkEndpoint? { Self.endpoint(self.channel.remoteAddress) }

    private var proxyHeader: ProxyHeader? {
        guard let source = self.source, let destination = Self.endpoint(self.channel.localAddress) else { return nil }
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
        if self.hasPlace { self.services.places.leave(self.address) }
        let (received, sent) = (self.end?.readBytes ?? 0, self.end?.writtenBytes ?? 0)
        self.end = nil
        if let tunnel = self.tunnel {
            tunnel.recordBytes(received: received, sent: sent)
            if self.fault?.isMadeByEdge ?? false { tunnel.recordError() }
            if self.isCounted { tunnel.endConnection() }
        }
        self.services.connections.leave(self)
        self.services.recorder.finished(
            ConnectionEntry(
                id: self.id,
                tunnelID: self.tunnelID,
                kind: .tcp,
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
        // Whether the origin can be reached another connection of the connector does not know better.
        guard ConnectionFault(error) != .originUnreachable else { return false }
        return self.tryAgain()
    }

    func jointBroke(_ error: StreamError) {
        self.fault = self.fault ?? ConnectionFault(error)
    }
}

extension TunnelConnection: VisitorConnectionMember {
    func listenerEntered(_ stage: VisitorConnections.Stage) {
        // Who waits for a connector waits in vain; what is under way may end.
        if stage == .closing, self.tunnel != nil, self.tried.isEmpty { self.refuse(.tunnelOffline) }
    }
}

extension ConnectionFault {
    /// What the end of a stream, or of a visitor's socket, means.
    init(_ error: StreamError) {
        switch (error.origin, error.code) {
        case (_, .connectRefused), (_, .connectTimeout), (_, .hostUnreachable), (_, .dnsFailure), (_, .localTLSError),
            (_, .deadlineExceeded), (_, .targetUnknown), (_, .unsupportedKind):
            self = .originUnreachable
        case (_, .cancelled): self = .visitorReset
        case (_, .streamIdle): self = .idle
        case (.rejected, _): self = .tunnelBusy
        case (.sessionLost, _), (.resetLocally, _), (_, .sessionClosing), (_, .authExpired): self = .connectorLost
        case (.resetByPeer, _): self = .originReset
        }
    }

    /// Whether neither of the two ends wanted it.
    var isMadeByEdge: Bool {
        switch self {
        case .visitorReset, .originReset: false
        default: true
        }
    }
}
