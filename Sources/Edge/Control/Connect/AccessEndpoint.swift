// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import HTTPTypes
import Logging
import Mux
import NIOCore
import Protocol

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// `GET /api/tunnel/access/{id}`: where visitors with an access token come, over a WebSocket as connectors do.
package struct AccessEndpoint: ConnectEndpoint {
    /// Serves a stream that such a visitor has opened; on its event loop.
    package typealias Serve =
        @Sendable (_ stream: StreamChannel, _ tunnel: TunnelID, _ owner: String, _ remoteAddress: SocketAddress?) ->
        Void

    private let registry: any TunnelRegistry
    private let tokens: TunnelTokens
    private let sessions: AccessSessions
    private let configuration: SessionConfiguration
    private let readiness: Readiness
    private let recorder: any SessionRecorder
    private let logger: Logger
    private let serve: Serve

    /// Makes the endpoint.
    ///
    /// - Parameters:
    ///   - registry: The tunnels.
    ///   - tokens: Verifies tokens.
    ///   - sessions: Where sessions register.
    ///   - configuration: What the edge's side of each session brings along.
    ///   - readiness: Whether the edge takes sessions at all.
    ///   - recorder: Counts refusals.
    ///   - logger: Where refusals and sessions are logged.
    ///   - serve: Serves a stream.
    package init(
        registry: any TunnelRegistry,
        tokens: TunnelTokens,
        sessions: AccessSessions,
        configuration: SessionConfiguration,
        readiness: Readiness,
        recorder: any SessionRecorder,
        logger: Logger,
        serve: @escaping Serve
    ) {
        self.registry = registry
        self.tokens = tokens
        self.sessions = sessions
        self.configuration = configuration
        self.readiness = readiness
        self.recorder = recorder
        self.logger = logger
        self.serve = serve
    }

    package func decide(
        method: HTTPRequest.Method,
        tunnelID: String,
        fields: [(name: String, value: String)],
        remoteAddress: SocketAddress?,
        requestID: RequestID
    ) async -> ConnectDecision {
        var logger = self.logger
        logger[metadataKey: "request_id"] = "\(requestID)"
        let audit = AuditRecord()
        let decision = await self.decision(
            on: method,
            tunnelID: tunnelID,
            fields: fields,
            remoteAddress: remoteAddress,
            answer: ProblemAnswer(requestID: requestID),
            logger: logger,
            audit: audit
        )
        let (status, code): (HTTPResponse.Status, String?) =
            switch decision {
            case .refuse(let response, _): (response.status, response.headerFields[.culvertError])
            case .accept: (.switchingProtocols, nil)
            }
        audit.write(
            to: logger,
            method: method,
            path: "/api/tunnel/access/\(TunnelID(tunnelID)?.description ?? "-")",
            remoteAddress: remoteAddress,
            status: status,
            code: code
        )
        return decision
    }

    private func decision(
        on method: HTTPRequest.Method,
        tunnelID text: String,
        fields: [(name: String, value: String)],
        remoteAddress: SocketAddress?,
        answer: ProblemAnswer,
        logger: Logger,
        audit: AuditRecord
    ) async -> ConnectDecision {
        if let id = TunnelID(text) { audit.note(tunnelID: id.description) }
        guard self.readiness.isReady else { return answer.refuse(.draining) }
        guard method == .get else { return answer.refuse(.methodNotAllowed(allowed: [.get])) }
        let responseFields: [WebSocketHandshake.Field]
        switch WebSocketHandshake.accept(fields: fields) {
        case .success(let fields): responseFields = fields
        case .failure(let refusal): return answer.refuse(refusal)
        }
        let access: VerifiedAccess
        let tunnelID: TunnelID
        switch await self.verify(text, fields) {
        case .success(let success): (access, tunnelID) = success
        case .failure(let refusal):
            return self.refuse(refusal, TunnelID(text)?.description ?? "-", remoteAddress, answer, logger)
        }
        audit.note(tunnelID: tunnelID.description)
        audit.note(principal: access.claims.own)
        audit.note(tokenID: access.claims.jti)
        let found: Tunnel?
        do {
            found = try await self.registry.find(tunnelID)
        } catch {
            return answer.refuse(.registryUnavailable)
        }
        guard let tunnel = found, tunnel.owner == access.claims.own else {
            return answer.refuse(.tunnelNotFound(tunnelID))
        }
        // This edge may have missed that the token was ended at another one.
        await self.registry.lookAround(for: tunnel)
        // Or that the name has gone to another owner.
        guard self.registry.tunnel(tunnelID)?.owner == access.claims.own else {
            return answer.refuse(.tunnelNotFound(tunnelID))
        }
        if let refusal = self.tokens.checkAccess(access.claims, to: tunnelID) {
            return self.refuse(refusal, tunnelID.description, remoteAddress, answer, logger)
        }
        return .accept(responseFields: responseFields) { [self] channel in
            let visit = AccessVisit(access, tunnelID: tunnelID, tokens: self.tokens, sessions: self.sessions)
            visit.eventLoop = channel.eventLoop
            return SessionHandler(
                configuration: self.configuration,
                delegate: visit,
                logger: logger,
                // The closure also keeps the visit alive.
                acceptStream: { stream in
                    guard visit.isOpen else { return stream.reject(code: .authExpired) }
                    self.serve(stream, tunnelID, access.claims.own, remoteAddress)
                }
            )
        }
    }

    private func refuse(
        _ refusal: TokenRefusal,
        _ tunnel: String,
        _ remoteAddress: SocketAddress?,
        _ answer: ProblemAnswer,
        _ logger: Logger
    ) -> ConnectDecision {
        // Why is for the operator alone: whoever sends a token learns only that it opens nothing.
        logger.notice(
            "access refused",
            metadata: [
                "tunnel": "\(tunnel)", "why": "\(refusal.rawValue)", "remote": "\(remoteAddress?.ipAddress ?? "-")",
            ]
        )
        return answer.refuse(.invalidToken)
    }

    private func verify(
        _ text: String,
        _ fields: [(name: String, value: String)]
    ) async -> Result<(VerifiedAccess, TunnelID), TokenRefusal> {
        guard let tunnelID = TunnelID(text) else { return .failure(await self.tokens.refuse(.otherTunnel)) }
        let credentials = fields.filter { $0.name.lowercased() == "authorization" }
        let token = credentials.count == 1 ? BearerCredential.token(in: credentials[0].value) : nil
        return await self.tokens.verifyAccess(token, to: tunnelID).map { ($0, tunnelID) }
    }
}

/// One visitor's session, from its HELLO to its end.
///
/// It lives on the session's event loop.
private final class AccessVisit: SessionDelegate {
    private let claims: AccessClaims
    private let signedBy: SigningKeyStamp
    private let tunnelID: TunnelID
    private let tokens: TunnelTokens
    private let sessions: AccessSessions
    private var place: UInt64?
    var eventLoop: (any EventLoop)?

    init(_ access: VerifiedAccess, tunnelID: TunnelID, tokens: TunnelTokens, sessions: AccessSessions) {
        self.claims = access.claims
        self.signedBy = access.signedBy
        self.tunnelID = tunnelID
        self.tokens = tokens
        self.sessions = sessions
    }

    /// Whether streams are taken.
    var isOpen: Bool { self.place != nil }

    func sessionDidBecomeActive(_ handler: SessionHandler, peer: SessionSettings) {
        guard let eventLoop else { return }
        let lifetime = self.claims.exp - Date().timeIntervalSince1970
        self.place = self.sessions.join(
            handler,
            on: eventLoop,
            tunnel: self.tunnelID,
            owner: self.claims.own,
            tokenIssuedAt: self.claims.iat,
            signedBy: self.signedBy,
            lifetime: .nanoseconds(Int64(max(0, min(lifetime, 1e9)) * 1e9))
        )
        guard self.place != nil else {
            return handler.close(
                code: .enhanceCalm,
                reason: "the tunnel has as many sessions of visitors as it may have"
            )
        }
        // Whoever ended the token meanwhile did not find the session.
        if self.tokens.checkAccess(self.claims, to: self.tunnelID) != nil {
            handler.close(code: .authExpired, reason: "the access token has ended or was revoked")
        }
    }

    func sessionPeerIsDraining(
        _ handler: SessionHandler,
        code: ErrorCode,
        gracePeriod: TimeAmount,
        reconnectAfter: TimeAmount
    ) {}

    func sessionDidEnd(_ handler: SessionHandler, end: SessionEnd) {
        if let place { self.sessions.leave(place) }
        self.place = nil
    }
}
