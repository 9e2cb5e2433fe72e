// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Logging
import Mux
import NIOCore
import Protocol

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// One tunnel that a session serves.
struct ServedTunnel {
    let tunnel: Tunnel
    let session: TunnelSession
    let logger: Logger
}

/// Brings a connector's session to its tunnel once the connector has said who it is, and takes it away at the end.
///
/// Where several tunnels share the session, each joins when the connector opens a stream for it: see
/// ``SharingAcceptor``.
///
/// It lives on the session's event loop, and as long as the session: the handler holds it through the closure that
/// answers streams.
package final class SessionAdmission: SessionDelegate {
    private let connection: ConnectorConnection
    private let authorised: AuthorisedTunnel
    private let authority: TunnelAuthority
    private let acceptor: SharingAcceptor
    private let sampler: SessionSampler
    private let resumable: ResumableSessions
    /// Whether the session has no connection.
    private var isSuspended = false
    // From the session's beginning to its end: a weak reference would make each retain of the handler dearer.
    private var handler: SessionHandler?
    /// The tunnels that the session serves.
    var seats = TunnelSeats<UInt64, String, ServedTunnel>()
    private var notices = SharingNotices()

    /// Makes the admission of one connection.
    ///
    /// - Parameters:
    ///   - authorised: The tunnel that the connection was let in for.
    ///   - connection: The connection.
    ///   - authority: Decides on the tokens of further tunnels.
    ///   - makeID: Gives the seats of further tunnels their numbers.
    ///   - resumable: The sessions that outlive their connection.
    ///   - echoInterval: How old the last echo may be before another one is asked for.
    package init(
        authorised: AuthorisedTunnel,
        connection: ConnectorConnection,
        authority: TunnelAuthority,
        makeID: @escaping @Sendable () -> UInt64,
        resumable: ResumableSessions = ResumableSessions(),
        echoInterval: TimeAmount
    ) {
        self.resumable = resumable
        self.authorised = authorised
        self.authority = authority
        self.connection = connection
        self.acceptor = SharingAcceptor(connection, authority: authority, makeID: makeID)
        self.sampler = SessionSampler(connection, echoInterval: echoInterval)
    }

    /// Answers a stream that the connector opened.
    package func accept(_ stream: StreamChannel) {
        self.acceptor.accept(stream, for: self)
    }

    // MARK: What the session tells

    package func sessionDidBecomeActive(_ handler: SessionHandler, peer: SessionSettings) {
        self.handler = handler
        let isShared = handler.capabilities.contains(.sharing)
        if let id = handler.resumableID {
            let bound = NIOLoopBound(handler, eventLoop: self.connection.eventLoop)
            self.resumable.add(id, bound, tunnelID: isShared ? nil : self.authorised.tunnel.id.description)
        }
        if !handler.capabilities.contains(.sharing) {
            let (id, eventLoop) = (self.connection.id, self.connection.eventLoop)
            let upstream = ConnectorSession(id: id, handler: handler, eventLoop: eventLoop)
            if let refusal = self.serve(self.authorised, over: upstream) {
                return handler.close(code: refusal.code, reason: refusal.reason)
            }
        }
        self.sampler.start { self.sample(handler) }
    }

    private func sample(_ handler: SessionHandler) {
        for place in self.seats.all {
            place.session.refreshSample()
            if let echo = place.session.status.lastEchoAt { place.tunnel.recordEcho(at: echo) }
            self.tellOfOthers(place)
        }
        self.endIfEmpty(handler)
        let isShared = handler.capabilities.contains(.sharing)
        self.sampler.take(from: handler, standing: isShared ? self.seats.count : 0)
    }

    /// Tells the connector who else serves the tunnel, when that has changed: one that was forgotten answers, too.
    private func tellOfOthers(_ place: ServedTunnel) {
        let others = place.tunnel.otherConnectors(than: place.session)
        guard let notice = self.notices.look(others, session: place.session.id),
            let bytes = try? JSONEncoder().encode(notice)
        else { return }
        place.session.tell(ByteBuffer(bytes: bytes))
    }

    /// Ends a session that nobody has a use for; called now and then.
    func endIfEmpty(_ handler: SessionHandler, now: NIODeadline = .now()) {
        guard handler.capabilities.contains(.sharing), self.seats.isAbandoned(now: now) else { return }
        handler.drain(code: .shutdown, gracePeriod: .seconds(1), reconnectAfter: .milliseconds(100))
    }

    package func sessionPeerIsDraining(
        _ handler: SessionHandler,
        code: ErrorCode,
        gracePeriod: TimeAmount,
        reconnectAfter: TimeAmount
    ) {
        for place in self.seats.all { self.setDraining(place) }
    }

    package func sessionSuspicionDidChange(_ handler: SessionHandler) {
        guard handler.suspension == nil else { return }
        let availability: SessionTable<TunnelSession>.Availability =
            handler.isSilent ? .silent : handler.isSuspect ? .suspect : .ready
        // One that is draining stays so: see ``SessionTable/setAvailability(_:id:)``.
        for place in self.seats.all { place.tunnel.setAvailability(availability, of: place.session) }
    }

    package func sessionDidEnd(_ handler: SessionHandler, end: SessionEnd) {
        self.sampler.stop(handler)
        if let id = handler.resumableID { self.resumable.remove(id) }
        for place in self.seats.all {
            self.leave(place.session.id, code: end.code, reason: end.reason, isByPeer: end.isByPeer)
        }
        if self.isSuspended { self.connection.recorder.sessionSuspensionEnded() }
        self.isSuspended = false
        self.handler = nil
    }

    // MARK: Without a connection

    package func sessionMaySuspend(_ handler: SessionHandler) -> Bool {
        guard let id = handler.resumableID else { return false }
        return self.resumable.suspend(id, holding: handler.replayByteCount + handler.bufferedByteCount)
    }

    package func sessionDidSuspend(_ handler: SessionHandler, reason: String) {
        self.isSuspended = true
        self.connection.recorder.sessionSuspended(tunnels: self.seats.count)
        for place in self.seats.all {
            place.tunnel.setAvailability(.suspended, of: place.session)
            place.session.setSuspended(since: Date())
        }
        self.connection.logger.info(
            "connector lost its connection",
            metadata: ["reason": "\(reason)", "streams": "\(handler.activeStreamCount)"]
        )
    }

    package func sessionDidResume(_ handler: SessionHandler, _ resumption: Resumption) {
        if let id = handler.resumableID { self.resumable.resume(id) }
        self.isSuspended = false
        self.connection.recorder.sessionResumed(tunnels: self.seats.count, after: resumption.pause)
        for place in self.seats.all {
            place.session.setSuspended(since: nil)
            place.tunnel.setAvailability(.ready, of: place.session)
        }
        self.connection.logger.info(
            "connector came back",
            metadata: [
                "pause_ms": "\(resumption.pause.nanoseconds / 1_000_000)",
                "messages_again": "\(resumption.repeated)",
            ]
        )
    }

    // MARK: Leaving

    /// The tunnel's new requests are to go elsewhere; those under way go on.
    private func setDraining(_ place: ServedTunnel) {
        place.tunnel.setAvailability(.draining, of: place.session)
        // Nothing but idle connections to the origin would keep the connector from leaving.
        place.session.pool.value.close()
        place.session.refreshSample()
    }

    /// The session serves a tunnel no longer.
    private func leave(_ number: UInt64, code: ErrorCode, reason: String, isByPeer: Bool) {
        guard let place = self.seats.remove(number) else { return }
        self.notices.left(number)
        place.session.cancelTimers()
        place.tunnel.leave(place.session)
        self.authority.registry.sessionsChanged(of: place.tunnel)
        // Without a connection it counts as none already.
        if !self.isSuspended { self.connection.recorder.sessionClosed() }
        place.logger.info(
            "connector disconnected",
            metadata: ["code": "\(code)", "reason": "\(reason)", "by": "\(isByPeer ? "peer" : "edge")"]
        )
    }

    /// Gives up an idle connection to the origin, of whichever tunnel, so that another stream can have its slot.
    private func makeRoom() {
        for place in self.seats.all where place.session.pool.value.giveUpOldest() { return }
    }
}

extension SessionAdmission: SeatGiver {
    var activeSession: SessionHandler? { self.handler?.phase == .active ? self.handler : nil }

    func serve(_ authorised: AuthorisedTunnel, over upstream: any Upstream) -> SeatRefusal? {
        guard let peer = self.handler?.peer else {
            return SeatRefusal(code: .sessionClosing, reason: "the session is over")
        }
        // Up to ten seconds after the upgrade: the token that was valid then may have ended meanwhile.
        if case .failure = self.life(of: authorised) {
            return SeatRefusal(code: .authExpired, reason: "the token has ended or was revoked")
        }
        let tunnel = authorised.tunnel
        let session = TunnelSession(
            over: upstream,
            remoteAddress: self.connection.remoteAddress?.ipAddress,
            implementation: peer.implementation,
            servedFrom: authorised.claims.from,
            connectedAt: Date(),
            tokenIssuedAt: authorised.claims.iat,
            signedBy: authorised.token.signedBy,
            makeRoomElsewhere: { [weak self] in self?.makeRoom() }
        )
        var logger = self.connection.logger
        logger[metadataKey: "tunnel"] = "\(tunnel.id)"
        logger[metadataKey: "session"] = "\(session.id)"
        switch tunnel.join(session, slot: peer.bundle.map { BundleSlot(bundleID: $0.id, index: $0.index) }) {
        case .full:
            logger.notice("connector refused: the tunnel has as many connections as it may have")
            return SeatRefusal(code: .enhanceCalm, reason: "the tunnel has as many connections as it may have")
        case .closed:
            if tunnel.isDeleted { return SeatRefusal(code: .authExpired, reason: "the tunnel was deleted") }
            // Forgotten in the very moment in which its connector came back: the next attempt makes it again.
            return SeatRefusal(code: .shutdown, reason: "the tunnel was idle")
        case .joined(let replaced, let probed):
            let place = ServedTunnel(tunnel: tunnel, session: session, logger: logger)
            self.seats.add(place, number: session.id, of: tunnel.id.description)
            self.connection.recorder.sessionOpened()
            self.authority.registry.sessionsChanged(of: tunnel)
            self.limit(session, by: authorised)
            logger.info(
                "connector connected",
                metadata: [
                    "remote": "\(self.connection.remoteAddress?.ipAddress ?? "-")",
                    "implementation": "\(peer.implementation ?? "-")",
                    "replaces": "\(replaced.map { String($0.id) } ?? "-")",
                ]
            )
            replaced?.giveWay(toConnection: session.connectionID)
            for other in probed { other.probe() }
            return nil
        }
    }

    func renew(_ authorised: AuthorisedTunnel) -> SeatRefusal? {
        // Those among them that are about to be replaced have requests under way.
        let places = self.seats.seats(of: authorised.tunnel.id.description).filter { $0.tunnel === authorised.tunnel }
        guard !places.isEmpty else {
            return SeatRefusal(code: .draining, reason: "the session serves no such tunnel")
        }
        for place in places {
            let isNewer = place.session.renew(
                issuedAt: authorised.claims.iat,
                signedBy: authorised.token.signedBy,
                until: Date(timeIntervalSince1970: authorised.claims.exp)
            )
            guard isNewer else { continue }
            self.limit(place.session, by: authorised)
            place.logger.info("connector showed a newer token", metadata: ["token": "\(authorised.claims.jti)"])
        }
        return nil
    }

    private func life(of authorised: AuthorisedTunnel) -> Result<Date, TokenRefusal> {
        self.authority.tokens.life(of: authorised.token)
    }

    /// Ends a session with its token, once whoever ends tokens finds the session in its tunnel: what they did before is
    /// seen here, and what they do later reaches the session.
    private func limit(_ session: TunnelSession, by authorised: AuthorisedTunnel) {
        switch self.life(of: authorised) {
        case .success(let date): session.limitLifetime(to: date)
        case .failure: session.revoke()
        }
    }

    func heard(_ event: SharedSeat.Event, of seat: SharedSeat) {
        guard let place = self.seats[seat.id] else { return }
        switch event {
        case .leaving:
            self.setDraining(place)
        case .ended(let error?):
            // With the session itself, which tells its streams and its places.
            guard error.origin != .sessionLost else { return }
            // First, so that what is told now is not tried here again.
            self.leave(seat.id, code: error.code, reason: error.reason, isByPeer: error.origin != .resetLocally)
            seat.endStreams()
            // Whoever may not serve the tunnel any more may not go on with what earlier seats of it have under way.
            guard error.origin == .resetLocally, error.code == .authExpired else { return }
            for earlier in self.seats.earlier(than: seat.id, of: seat.target) {
                earlier.session.upstream.value.end(code: error.code, reason: error.reason)
            }
        case .ended(nil):
            // Closed by both sides: what is under way goes on, and can still be cut off with the tunnel.
            self.setDraining(place)
            let number = seat.id
            seat.whenIdle { [weak self] in
                self?.leave(number, code: .shutdown, reason: "", isByPeer: true)
            }
        }
    }
}
