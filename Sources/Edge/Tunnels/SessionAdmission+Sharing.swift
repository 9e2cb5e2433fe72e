// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Logging
import Mux
import NIOCore
import Protocol

/// Sessions that several tunnels share: each tunnel comes with a stream and a token of its own
/// (docs/protocol.md §B.16).
extension SessionAdmission {
    /// How long a shared session may be without a tunnel.
    private static let longestEmpty = TimeAmount.seconds(10)
    /// How many bad tokens a session may show: as many as it may have tunnels, and then ten a second.
    private static let refusalLimit = RateLimit(EdgeSessions.maximumTunnels, perSeconds: 205)
    /// How many tokens are looked at: all of a session's tunnels twice over, and then a hundred a second.
    private static let askingLimit = RateLimit(2 * EdgeSessions.maximumTunnels, perSeconds: 41)

    /// Answers a stream that the connector opened.
    func accept(_ stream: StreamChannel) {
        guard let opening = stream.opening, opening.kind == .tunnel, case .success(let metadata) = opening.metadata
        else {
            return stream.reject(code: .unsupportedKind, reason: "the edge takes no streams but those of tunnels")
        }
        guard self.readiness.isReady, self.handler?.phase == .active else {
            return stream.reject(code: .draining, reason: "the edge is leaving")
        }
        guard Self.take(from: &self.asking, Self.askingLimit) else {
            return stream.reject(code: .overloaded, reason: "too many tunnels a second")
        }
        self.seatCount += 1
        let seat = SharedSeat(ordinal: self.seatCount, stream: stream) { [weak self] seat, event in
            self?.heard(event, of: seat)
        }
        do {
            try stream.pipeline.syncOperations.addHandler(seat)
        } catch {
            return stream.reject(code: .internalError, reason: "the stream could not be set up")
        }
        self.undecided += 1
        let authority = self.authority
        self.eventLoop.makeFutureWithTask {
            await authority.authorise(tunnelID: metadata.target, token: metadata.token)
        }.assumeIsolated().whenSuccess { decision in
            self.undecided -= 1
            guard stream.isUnanswered else { return }
            // Decisions take their time, and not all the same: an older word must not outdo a newer one.
            let isOutdone = self.places.values.contains { place in
                place.tunnel.id.description == metadata.target && place.seat.map { $0.ordinal > seat.ordinal } ?? false
            }
            guard !isOutdone, self.readiness.isReady, self.handler?.phase == .active else {
                return stream.reject(code: .draining, reason: "the edge is leaving, or a later stream came first")
            }
            self.decide(decision, tunnelID: metadata.target, stream: stream, seat: seat)
        }
    }

    private func decide(
        _ decision: Result<AuthorisedTunnel, TokenRefusal>,
        tunnelID: String,
        stream: StreamChannel,
        seat: SharedSeat
    ) {
        let audit = AuditRecord()
        if let id = TunnelID(tunnelID) { audit.note(tunnelID: id.description) }
        var status = HTTPResponse.Status.switchingProtocols
        switch decision {
        case .failure(let refusal):
            self.logger.notice(
                "connector refused",
                metadata: [
                    "tunnel": "\(TunnelID(tunnelID)?.description ?? "-")", "why": "\(refusal.rawValue)",
                    "remote": "\(self.remoteAddress?.ipAddress ?? "-")",
                ]
            )
            self.metrics.connectorRefused()
            status = .unauthorized
            stream.reject(code: .authExpired, reason: "the token is not valid for this tunnel")
            self.countRefusal()
        case .success(let authorised):
            audit.note(principal: authorised.claims.own)
            audit.note(tokenID: authorised.claims.jti)
            if let refusal = self.seat(authorised, id: self.makeID(), seat: seat) {
                status = .serviceUnavailable
                stream.reject(code: refusal.code, reason: refusal.reason)
            } else {
                stream.accept()
            }
        }
        audit.write(
            to: self.logger,
            method: .get,
            path: "/api/tunnel/connect/\(TunnelID(tunnelID)?.description ?? "-")",
            remoteAddress: self.remoteAddress,
            status: status,
            code: nil
        )
    }

    /// Whoever goes on showing bad tokens is trying them out.
    private func countRefusal() {
        guard !Self.take(from: &self.refusals, Self.refusalLimit) else { return }
        self.handler?.close(code: .enhanceCalm, reason: "too many tokens that are not valid")
    }

    private static func take(from bucket: inout TokenBucket?, _ limit: RateLimit) -> Bool {
        let now = Double(NIODeadline.now().uptimeNanoseconds) / 1e9
        var current = bucket ?? TokenBucket(limit, now: now)
        defer { bucket = current }
        return current.take(limit, now: now).isAllowed
    }

    private func heard(_ event: SharedSeat.Event, of seat: SharedSeat) {
        guard let place = self.places.values.first(where: { $0.seat === seat }) else { return }
        switch event {
        case .leaving:
            self.setDraining(place)
        case .ended(let error?):
            // With the session itself, which tells its streams and its places.
            guard error.origin != .sessionLost else { return }
            // First, so that what is told now is not tried here again.
            self.leave(place, code: error.code, reason: error.reason, isByPeer: error.origin != .resetLocally)
            self.handler?.reset(seat.group, code: .sessionClosing, reason: "the tunnel is no longer served here")
            // Whoever may not serve the tunnel any more may not go on with what earlier seats of it have under way.
            guard error.origin == .resetLocally, error.code == .authExpired else { return }
            for earlier in self.places.values where earlier.tunnel === place.tunnel {
                guard let other = earlier.seat, other.ordinal < seat.ordinal else { continue }
                other.end(code: error.code, reason: error.reason)
            }
        case .ended(nil):
            // Closed by both sides: what is under way goes on, and can still be cut off with the tunnel.
            self.setDraining(place)
            guard seat.group.count > 0 else {
                return self.leave(place, code: .shutdown, reason: "", isByPeer: true)
            }
            seat.group.whenEmpty = { [weak self] in
                self?.leave(place, code: .shutdown, reason: "", isByPeer: true)
            }
        }
    }

    /// Ends a session that nobody has a use for; called now and then.
    func endIfEmpty(_ handler: SessionHandler, now: NIODeadline = .now()) {
        guard handler.capabilities.contains(.sharing), self.places.isEmpty, self.undecided == 0 else {
            self.emptySince = nil
            return
        }
        let since = self.emptySince ?? now
        self.emptySince = since
        if now - since >= Self.longestEmpty {
            handler.drain(code: .shutdown, gracePeriod: .seconds(1), reconnectAfter: .milliseconds(100))
        }
    }

    /// Gives up an idle connection to the origin, of whichever tunnel, so that another stream can have its slot.
    func makeRoom() {
        for place in self.places.values where place.session.pool.value.giveUpOldest() { return }
    }
}
