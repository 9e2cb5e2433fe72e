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
/// Where several tunnels share the session, each joins when the connector opens a stream for it.
///
/// It lives on the session's event loop, and as long as the session: the handler holds it through the closure that
/// answers streams.
final class SessionAdmission: SessionDelegate {
    /// How often the figures that other threads see are taken.
    private static let samplingInterval = TimeAmount.seconds(2)

    /// One tunnel that the session serves.
    struct Place {
        let tunnel: Tunnel
        let session: TunnelSession
        /// The tunnel's place in a session that is shared.
        let seat: SharedSeat?
        let logger: Logger
    }

    private let id: UInt64
    private let authorised: AuthorisedTunnel
    let authority: TunnelAuthority
    let makeID: @Sendable () -> UInt64
    let readiness: Readiness
    let eventLoop: any EventLoop
    let remoteAddress: SocketAddress?
    private let echoInterval: TimeAmount
    let metrics: EdgeMetrics
    let logger: Logger
    private(set) weak var handler: SessionHandler?
    /// The tunnels that the session serves, by the numbers of their sessions.
    private(set) var places: [UInt64: Place] = [:]
    /// How many streams wait for their tokens to be looked at.
    var undecided = 0
    /// How many streams that stand for tunnels were let as far as to have their tokens looked at.
    var seatCount = 0
    /// Counts these by the time.
    var asking: TokenBucket?
    /// Counts tokens that were not valid.
    var refusals: TokenBucket?
    /// Since when a shared session has had no tunnel.
    var emptySince: NIODeadline?
    private var sampling: Scheduled<Void>?
    private var sampled = SessionFigures()

    /// Makes the admission of one connection.
    ///
    /// - Parameters:
    ///   - authorised: The tunnel that the connection was let in for.
    ///   - authority: Decides on the tokens of further tunnels.
    ///   - makeID: Gives sessions their numbers.
    ///   - readiness: Whether the edge takes tunnels at all.
    ///   - eventLoop: The event loop of the connection.
    ///   - remoteAddress: Where the connector connects from.
    ///   - echoInterval: How old the last echo may be before another one is asked for.
    ///   - metrics: Counts sessions.
    ///   - logger: A logger with the request's id.
    init(
        authorised: AuthorisedTunnel,
        authority: TunnelAuthority,
        makeID: @escaping @Sendable () -> UInt64,
        readiness: Readiness,
        eventLoop: any EventLoop,
        remoteAddress: SocketAddress?,
        echoInterval: TimeAmount,
        metrics: EdgeMetrics,
        logger: Logger
    ) {
        self.id = makeID()
        self.authorised = authorised
        self.authority = authority
        self.makeID = makeID
        self.readiness = readiness
        self.eventLoop = eventLoop
        self.remoteAddress = remoteAddress
        self.echoInterval = echoInterval
        self.metrics = metrics
        var logger = logger
        logger[metadataKey: "connection"] = "\(self.id)"
        self.logger = logger
    }

    func sessionDidBecomeActive(_ handler: SessionHandler, peer: SessionSettings) {
        self.handler = handler
        if !handler.capabilities.contains(.sharing) {
            if let refusal = self.seat(self.authorised, id: self.id, seat: nil) {
                return handler.close(code: refusal.code, reason: refusal.reason)
            }
        }
        self.startSampling(handler, after: .milliseconds(100))
    }

    /// Has the session serve a tunnel.
    ///
    /// - Parameters:
    ///   - authorised: The tunnel.
    ///   - id: The number of the session.
    ///   - seat: The tunnel's place in a session that is shared.
    /// - Returns: Why it can't be, if so.
    func seat(_ authorised: AuthorisedTunnel, id: UInt64, seat: SharedSeat?) -> (code: ErrorCode, reason: String)? {
        guard let handler, let peer = handler.peer else { return (.sessionClosing, "the session is over") }
        let tunnel = authorised.tunnel
        let session = TunnelSession(
            id: id,
            sharing: seat.map { (self.id, tunnel.id.description, $0) },
            handler: handler,
            eventLoop: self.eventLoop,
            remoteAddress: self.remoteAddress?.ipAddress,
            implementation: peer.implementation,
            connectedAt: Date(),
            tokenIssuedAt: authorised.claims.iat,
            signedBy: authorised.signedBy,
            makeRoomElsewhere: seat.map { _ in { [weak self] in self?.makeRoom() } }
        )
        var logger = self.logger
        logger[metadataKey: "tunnel"] = "\(tunnel.id)"
        logger[metadataKey: "session"] = "\(id)"
        switch tunnel.join(session, slot: peer.bundle.map { BundleSlot(bundleID: $0.id, index: $0.index) }) {
        case .full:
            logger.notice("connector refused: the tunnel has as many connections as it may have")
            return (.enhanceCalm, "the tunnel has as many connections as it may have")
        case .closed:
            if tunnel.isDeleted { return (.authExpired, "the tunnel was deleted") }
            // Forgotten in the very moment in which its connector came back: the next attempt makes it again.
            return (.shutdown, "the tunnel was idle")
        case .joined(let replaced, let doubted):
            self.places[id] = Place(tunnel: tunnel, session: session, seat: seat, logger: logger)
            self.metrics.sessionOpened()
            session.limitLifetime(to: Date(timeIntervalSince1970: authorised.claims.exp))
            logger.info(
                "connector connected",
                metadata: [
                    "remote": "\(self.remoteAddress?.ipAddress ?? "-")",
                    "implementation": "\(peer.implementation ?? "-")",
                    "replaces": "\(replaced.map { String($0.id) } ?? "-")",
                ]
            )
            replaced?.giveWay(to: session)
            for other in doubted { other.doubt() }
            return nil
        }
    }

    func sessionPeerIsDraining(
        _ handler: SessionHandler,
        code: ErrorCode,
        gracePeriod: TimeAmount,
        reconnectAfter: TimeAmount
    ) {
        for place in self.places.values { self.setDraining(place) }
    }

    /// The tunnel's new requests are to go elsewhere; those under way go on.
    func setDraining(_ place: Place) {
        place.tunnel.setAvailability(.draining, of: place.session)
        // Nothing but idle connections to the origin would keep the connector from leaving.
        place.session.pool.value.close()
        place.session.refreshSample()
    }

    func sessionDidEnd(_ handler: SessionHandler, end: SessionEnd) {
        self.sampling?.cancel()
        self.sampling = nil
        self.count(SessionFigures(streams: 0, stalls: handler.stallCount))
        self.metrics.limitsPassed(handler.limitHits)
        for place in self.places.values {
            self.leave(place, code: end.code, reason: end.reason, isByPeer: end.isByPeer)
        }
    }

    /// The session serves a tunnel no longer.
    func leave(_ place: Place, code: ErrorCode, reason: String, isByPeer: Bool) {
        guard self.places.removeValue(forKey: place.session.id) != nil else { return }
        place.seat?.group.whenEmpty = nil
        place.session.cancelTimers()
        place.tunnel.leave(place.session)
        self.metrics.sessionClosed()
        place.logger.info(
            "connector disconnected",
            metadata: ["code": "\(code)", "reason": "\(reason)", "by": "\(isByPeer ? "peer" : "edge")"]
        )
    }

    func sessionSuspicionDidChange(_ handler: SessionHandler) {
        for place in self.places.values where place.seat?.isLeaving != true {
            place.tunnel.setAvailability(handler.isSuspect ? .suspect : .ready, of: place.session)
        }
    }

    /// Lets other threads see the session's figures, again and again.
    ///
    /// - Parameter delay: For how long not; a little more, so that all sessions of a loop have their turn together.
    private func startSampling(_ handler: SessionHandler, after delay: TimeAmount) {
        let time = (NIODeadline.now() + delay).rounded(upTo: .milliseconds(100))
        self.sampling = self.eventLoop.assumeIsolated().scheduleTask(deadline: time) {
            for place in self.places.values {
                place.session.refreshSample()
                if let echo = place.session.status.lastEchoAt { place.tunnel.recordEcho(at: echo) }
            }
            self.keepEchoFresh(handler)
            self.endIfEmpty(handler)
            let own = self.places.values.count { $0.seat != nil }
            self.count(SessionFigures(streams: handler.activeStreamCount - own, stalls: handler.stallCount))
            self.startSampling(handler, after: Self.samplingInterval)
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
