// SPDX-License-Identifier: Apache-2.0

import Logging
import Mux
import NIOCore
import Protocol

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Brings a connector's session to its tunnel once the connector has said who it is, and takes it away at the end.
///
/// It lives on the session's event loop, and as long as the session: the handler holds it through the closure that
/// refuses streams.
final class SessionAdmission: SessionDelegate {
    /// How often the figures that other threads see are taken.
    private static let samplingInterval = TimeAmount.seconds(2)

    private let id: UInt64
    private let tunnel: Tunnel
    private let eventLoop: any EventLoop
    private let remoteAddress: String?
    private let claims: TunnelTokenClaims
    private let signedBy: SigningKeyStamp?
    private let echoInterval: TimeAmount
    private let metrics: EdgeMetrics
    private let logger: Logger
    private var session: TunnelSession?
    private var sampling: Scheduled<Void>?
    private var sampled = SessionFigures()

    /// Makes the admission of one connection.
    ///
    /// - Parameters:
    ///   - id: The number of the session.
    ///   - tunnel: The tunnel that it wants to serve.
    ///   - eventLoop: The event loop of the connection.
    ///   - remoteAddress: Where the connector connects from.
    ///   - claims: What its token says.
    ///   - signedBy: The key that signed it.
    ///   - echoInterval: How old the last echo may be before another one is asked for.
    ///   - metrics: Counts sessions.
    ///   - logger: A logger with the request's id.
    init(
        id: UInt64,
        tunnel: Tunnel,
        eventLoop: any EventLoop,
        remoteAddress: String?,
        claims: TunnelTokenClaims,
        signedBy: SigningKeyStamp?,
        echoInterval: TimeAmount,
        metrics: EdgeMetrics,
        logger: Logger
    ) {
        self.id = id
        self.tunnel = tunnel
        self.eventLoop = eventLoop
        self.remoteAddress = remoteAddress
        self.claims = claims
        self.signedBy = signedBy
        self.echoInterval = echoInterval
        self.metrics = metrics
        var logger = logger
        logger[metadataKey: "tunnel"] = "\(tunnel.id)"
        logger[metadataKey: "session"] = "\(id)"
        self.logger = logger
    }

    func sessionDidBecomeActive(_ handler: SessionHandler, peer: SessionSettings) {
        let session = TunnelSession(
            id: self.id,
            handler: handler,
            eventLoop: self.eventLoop,
            remoteAddress: self.remoteAddress,
            implementation: peer.implementation,
            connectedAt: Date(),
            tokenIssuedAt: self.claims.iat,
            signedBy: self.signedBy
        )
        let slot = peer.bundle.map { BundleSlot(bundleID: $0.id, index: $0.index) }
        switch self.tunnel.join(session, slot: slot) {
        case .full:
            self.logger.notice("connector refused: the tunnel has as many connections as it may have")
            handler.close(code: .enhanceCalm, reason: "the tunnel has as many connections as it may have")
        case .closed:
            if self.tunnel.isDeleted {
                handler.close(code: .authExpired, reason: "the tunnel was deleted")
            } else {
                // Forgotten in the very moment in which its connector came back: the next attempt makes it again.
                handler.close(code: .shutdown, reason: "the tunnel was idle")
            }
        case .joined(let replaced, let doubted):
            self.session = session
            self.metrics.sessionOpened()
            session.limitLifetime(to: Date(timeIntervalSince1970: self.claims.exp))
            self.startSampling(session, after: .milliseconds(100))
            self.logger.info(
                "connector connected",
                metadata: [
                    "remote": "\(self.remoteAddress ?? "-")",
                    "implementation": "\(peer.implementation ?? "-")",
                    "replaces": "\(replaced.map { String($0.id) } ?? "-")",
                ]
            )
            // The connector has opened this connection because the old one was dead to it.
            replaced?.close(code: .replaced, reason: "a newer connection of the same connector has taken over")
            for other in doubted { other.doubt() }
        }
    }

    func sessionPeerIsDraining(
        _ handler: SessionHandler,
        code: ErrorCode,
        gracePeriod: TimeAmount,
        reconnectAfter: TimeAmount
    ) {
        guard let session = self.session else { return }
        self.tunnel.setAvailability(.draining, of: session)
        // Nothing but idle connections to the origin would keep the connector from leaving.
        session.pool.value.close()
        session.refreshSample()
    }

    func sessionDidEnd(_ handler: SessionHandler, end: SessionEnd) {
        self.sampling?.cancel()
        self.sampling = nil
        guard let session = self.session else { return }
        self.session = nil
        session.cancelTimers()
        self.count(SessionFigures(streams: 0, stalls: handler.stallCount))
        self.tunnel.leave(session)
        self.metrics.sessionClosed(limits: handler.limitHits)
        self.logger.info(
            "connector disconnected",
            metadata: [
                "code": "\(end.code)", "reason": "\(end.reason)", "by": "\(end.isByPeer ? "peer" : "edge")",
            ]
        )
    }

    func sessionSuspicionDidChange(_ handler: SessionHandler) {
        guard let session = self.session else { return }
        self.tunnel.setAvailability(handler.isSuspect ? .suspect : .ready, of: session)
    }

    /// Lets other threads see the session's figures, again and again.
    ///
    /// - Parameter delay: For how long not; a little more, so that all sessions of a loop have their turn together.
    private func startSampling(_ session: TunnelSession, after delay: TimeAmount) {
        let time = (NIODeadline.now() + delay).rounded(upTo: .milliseconds(100))
        self.sampling = self.eventLoop.assumeIsolated().scheduleTask(deadline: time) {
            session.refreshSample()
            if let echo = session.status.lastEchoAt { self.tunnel.recordEcho(at: echo) }
            let handler = session.handler.value
            self.keepEchoFresh(handler)
            self.count(SessionFigures(streams: handler.activeStreamCount, stalls: handler.stallCount))
            self.startSampling(session, after: Self.samplingInterval)
        }
    }

    /// A connector that asks first keeps the session from asking by itself, and so the edge from knowing more than that
    /// bytes arrive.
    private func keepEchoFresh(_ handler: SessionHandler) {
        if let last = handler.lastEcho, .now() - last < self.echoInterval { return }
        handler.requestEcho()
    }

    private func count(_ figures: SessionFigures) {
        self.metrics.sessionChanged(from: self.sampled, to: figures)
        self.sampled = figures
    }
}
