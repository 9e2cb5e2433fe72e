// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import HTTPTypes
import Logging
import Mux
import NIOCore
import Protocol

/// Has the tunnels served that a ``SharingAcceptor`` has let in.
protocol SeatGiver: AnyObject {
    /// The session, while it takes tunnels; `nil` once it is about to end.
    var activeSession: SessionHandler? { get }
    /// The tunnels that the session serves.
    var seats: TunnelSeats<UInt64, String, ServedTunnel> { get set }
    /// Has the session serve a tunnel.
    ///
    /// - Returns: Why it can't be, if so.
    func serve(_ authorised: AuthorisedTunnel, over upstream: any Upstream) -> SeatRefusal?
    /// Has the session go on with a tunnel by a newer token.
    ///
    /// - Returns: Why it can't, if so.
    func renew(_ authorised: AuthorisedTunnel) -> SeatRefusal?
    /// Called with what becomes of a seat, also of one that was refused.
    func heard(_ event: SharedSeat.Event, of seat: SharedSeat)
}

/// Why a tunnel can't be served.
struct SeatRefusal {
    var code: ErrorCode
    var reason: String
}

/// Answers the streams with which a connector asks to have further tunnels served over its session, each with a token
/// of its own (docs/protocol.md §B.16), or shows newer tokens of those that it serves (§B.18).
///
/// Used on the session's event loop.
final class SharingAcceptor {
    /// How many bad tokens a session may show: as many as it may have tunnels, and then ten a second.
    private static let refusalLimit = RateLimit(EdgeSessions.maximumTunnels, perSeconds: 205)
    /// How many tokens are looked at: all of a session's tunnels twice over, and then a hundred a second.
    private static let askingLimit = RateLimit(2 * EdgeSessions.maximumTunnels, perSeconds: 41)

    private let connection: ConnectorConnection
    private let authority: TunnelAuthority
    private let makeID: @Sendable () -> UInt64
    /// Counts these by the time.
    private var asking = TokenBucket(SharingAcceptor.askingLimit, now: SharingAcceptor.now)
    /// Counts tokens that were not valid.
    private var refusals = TokenBucket(SharingAcceptor.refusalLimit, now: SharingAcceptor.now)

    /// Makes the acceptor of one session.
    ///
    /// - Parameters:
    ///   - connection: The session's connection.
    ///   - authority: Decides on tokens.
    ///   - makeID: Gives seats their numbers.
    init(_ connection: ConnectorConnection, authority: TunnelAuthority, makeID: @escaping @Sendable () -> UInt64) {
        self.connection = connection
        self.authority = authority
        self.makeID = makeID
    }

    private static var now: Double { Double(NIODeadline.now().uptimeNanoseconds) / 1e9 }

    /// Answers a stream that the connector opened.
    func accept(_ stream: StreamChannel, for giver: any SeatGiver) {
        guard let opening = stream.opening, opening.kind.isSilent, case .success(let metadata) = opening.metadata else {
            return stream.reject(code: .unsupportedKind, reason: "the edge takes no streams but those of tunnels")
        }
        guard self.connection.readiness.isReady, let session = giver.activeSession else {
            return stream.reject(code: .draining, reason: "the edge is leaving")
        }
        guard self.asking.take(Self.askingLimit, now: Self.now).isAllowed else {
            return stream.reject(code: .overloaded, reason: "too many tunnels a second")
        }
        if opening.kind == .token { return self.renew(stream, metadata, giver) }
        let seat = SharedSeat(
            id: self.makeID(),
            connectionID: self.connection.id,
            target: metadata.target,
            session: session,
            stream: stream
        ) { [weak giver] seat, event in
            giver?.heard(event, of: seat)
        }
        do {
            try stream.pipeline.syncOperations.addHandler(seat)
        } catch {
            return stream.reject(code: .internalError, reason: "the stream could not be set up")
        }
        giver.seats.asked()
        self.decide(on: metadata) { decision in
            giver.seats.decided()
            guard stream.isUnanswered else { return }
            guard !giver.seats.isOutdone(seat.id, of: seat.target), self.connection.readiness.isReady,
                giver.activeSession != nil
            else {
                return stream.reject(code: .draining, reason: "the edge is leaving, or a later stream came first")
            }
            self.conclude(decision, of: seat.target, stream, giver) { giver.serve($0, over: seat) }
        }
    }

    /// A newer token of a tunnel that the session serves (docs/protocol.md §B.18).
    private func renew(_ stream: StreamChannel, _ metadata: OpenMetadata, _ giver: any SeatGiver) {
        do {
            try stream.pipeline.syncOperations.addHandler(SilentStream())
        } catch {
            return stream.reject(code: .internalError, reason: "the stream could not be set up")
        }
        self.decide(on: metadata) { decision in
            guard stream.isUnanswered else { return }
            self.conclude(decision, of: metadata.target, stream, giver) { giver.renew($0) }
            stream.close(mode: .output, promise: nil)
        }
    }

    private func decide(
        on metadata: OpenMetadata,
        _ conclude: @escaping (Result<AuthorisedTunnel, TokenRefusal>) -> Void
    ) {
        let authority = self.authority
        self.connection.eventLoop.makeFutureWithTask {
            await authority.authorise(tunnelID: metadata.target, token: metadata.token)
        }.assumeIsolated().whenSuccess(conclude)
    }

    private func conclude(
        _ decision: Result<AuthorisedTunnel, TokenRefusal>,
        of target: String,
        _ stream: StreamChannel,
        _ giver: any SeatGiver,
        use: (AuthorisedTunnel) -> SeatRefusal?
    ) {
        let audit = AuditRecord()
        let tunnelID = TunnelID(target)?.description
        if let tunnelID { audit.note(tunnelID: tunnelID) }
        var status = HTTPResponse.Status.switchingProtocols
        switch decision {
        case .failure(let refusal):
            status = .unauthorized
            self.refuse(stream, tunnelID, refusal, session: giver.activeSession)
        case .success(let authorised):
            audit.note(principal: authorised.claims.own)
            audit.note(tokenID: authorised.claims.jti)
            if let refusal = use(authorised) {
                status = .serviceUnavailable
                stream.reject(code: refusal.code, reason: refusal.reason)
            } else {
                stream.accept()
            }
        }
        audit.write(
            to: self.connection.logger,
            method: .get,
            path: "/api/tunnel/connect/\(tunnelID ?? "-")",
            remoteAddress: self.connection.remoteAddress,
            status: status,
            code: nil
        )
    }

    private func refuse(
        _ stream: StreamChannel,
        _ tunnelID: String?,
        _ refusal: TokenRefusal,
        session: SessionHandler?
    ) {
        self.connection.logger.notice(
            "connector refused",
            metadata: [
                "tunnel": "\(tunnelID ?? "-")", "why": "\(refusal.rawValue)",
                "remote": "\(self.connection.remoteAddress?.ipAddress ?? "-")",
            ]
        )
        self.connection.recorder.connectorRefused()
        stream.reject(code: .authExpired, reason: "the token is not valid for this tunnel")
        // Whoever goes on showing bad tokens is trying them out.
        guard !self.refusals.take(Self.refusalLimit, now: Self.now).isAllowed else { return }
        session?.close(code: .enhanceCalm, reason: "too many tokens that are not valid")
    }
}

/// The handler of a stream that carries no bytes and ends at once.
private final class SilentStream: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        (context.channel as? StreamChannel)?.reset(code: .protocolError, reason: "the stream carries no bytes")
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(mode: .output, promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
