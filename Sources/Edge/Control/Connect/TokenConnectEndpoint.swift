// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import HTTPTypes
import Logging
import Mux
import NIOCore
import Protocol
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Lets connectors in that show a valid token of the tunnel; the tunnel is re-made from the token if need be.
package final class TokenConnectEndpoint: ConnectEndpoint {
    private let authority: TunnelAuthority
    private let configuration: SessionConfiguration
    private let presence: EdgePresence?
    private let readiness: Readiness
    private let pace: ConnectPace
    private let recorder: any SessionRecorder
    private let logger: Logger
    private let sessionIDs = SessionIDs()
    /// The sessions that outlive their connection.
    package let resumableSessions: ResumableSessions

    /// Makes the endpoint.
    ///
    /// - Parameters:
    ///   - registry: The tunnels.
    ///   - tokens: Verifies tokens.
    ///   - ports: Has the ports of tunnels of TCP.
    ///   - configuration: What the edge's side of each session brings along.
    ///   - presence: Which of several edges this is; `nil` for one alone.
    ///   - readiness: Whether the edge takes connectors at all.
    ///   - pace: Spreads connectors that come all at once.
    ///   - recorder: Counts sessions and refusals.
    ///   - logger: Where refusals and sessions are logged.
    package init(
        registry: any TunnelRegistry,
        tokens: TunnelTokens,
        ports: any PortKeeper = NoPorts(),
        configuration: SessionConfiguration = EdgeSessions.configuration,
        presence: EdgePresence? = nil,
        readiness: Readiness,
        pace: ConnectPace = ConnectPace(),
        recorder: any SessionRecorder,
        logger: Logger
    ) {
        self.authority = TunnelAuthority(registry: registry, tokens: tokens, ports: ports)
        self.configuration = configuration
        self.presence = presence
        self.resumableSessions = ResumableSessions(maximumHeldBytes: min(256 << 20, configuration.governor.budget / 2))
        self.readiness = readiness
        self.pace = pace
        self.recorder = recorder
        self.logger = logger
    }

    package func decide(
        method: HTTPRequest.Method = .get,
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
            requestID: requestID,
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
            path: "/api/tunnel/connect/\(tunnelID)",
            remoteAddress: remoteAddress,
            status: status,
            code: code
        )
        return decision
    }

    private func decision(
        on method: HTTPRequest.Method,
        tunnelID: String,
        fields: [(name: String, value: String)],
        remoteAddress: SocketAddress?,
        requestID: RequestID,
        logger: Logger,
        audit: AuditRecord
    ) async -> ConnectDecision {
        if let id = TunnelID(tunnelID) { audit.note(tunnelID: id.description) }
        let answer = ProblemAnswer(requestID: requestID)
        guard self.readiness.isReady else { return answer.refuse(.draining) }
        // RFC 6455 §4.1: an upgrade is a GET.
        guard method == .get else { return answer.refuse(.methodNotAllowed(allowed: [.get])) }
        let responseFields: [WebSocketHandshake.Field]
        switch WebSocketHandshake.accept(fields: fields) {
        case .success(let fields): responseFields = fields
        case .failure(let refusal): return answer.refuse(refusal)
        }
        let authorised: AuthorisedTunnel
        switch await self.authorise(tunnelID: tunnelID, fields: fields) {
        case .success(let success): authorised = success
        case .failure(let refusal):
            // Why is for the operator alone: whoever sends a token learns only that it opens nothing.
            logger.notice(
                "connector refused",
                metadata: [
                    "tunnel": "\(TunnelID(tunnelID)?.description ?? "-")",
                    "why": "\(refusal.rawValue)",
                    "remote": "\(remoteAddress?.ipAddress ?? "-")",
                ]
            )
            self.recorder.connectorRefused()
            return answer.refuse(.invalidToken)
        }
        audit.note(principal: authorised.claims.own)
        audit.note(tokenID: authorised.claims.jti)
        // After the token: whoever has none can't take a place in the queue.
        if case .comeBack(let seconds) = self.pace.arrive() {
            self.recorder.connectorPutOff()
            return answer.refuse(.crowded(retryAfter: seconds))
        }
        var configuration = self.configuration
        self.presence?.tell(&configuration.settings)
        let (recorder, readiness) = (self.recorder, self.readiness)
        let (authority, sessionIDs, resumable) = (self.authority, self.sessionIDs, self.resumableSessions)
        // Only then the session's end waits for the connector's HELLO (docs/protocol.md §B.19).
        let asksToResume =
            configuration.capabilities.contains(.resume)
            && fields.contains { $0.name.lowercased() == "culvert-resume" && $0.value == "1" }
        let authorisedID = authorised.tunnel.id.description
        return .accept(
            responseFields: responseFields + [("Culvert-Request-Id", requestID.description)],
            makeHandler: { [logger, configuration] channel in
                let id = sessionIDs.next()
                var logger = logger
                logger[metadataKey: "connection"] = "\(id)"
                let admission = SessionAdmission(
                    authorised: authorised,
                    connection: ConnectorConnection(
                        id: id,
                        eventLoop: channel.eventLoop,
                        remoteAddress: remoteAddress,
                        readiness: readiness,
                        recorder: recorder,
                        logger: logger
                    ),
                    authority: authority,
                    makeID: sessionIDs.next,
                    resumable: resumable,
                    // The peers' own pings come every third of this.
                    echoInterval: .milliseconds(Int64(configuration.settings.idleTimeoutMilliseconds) * 2 / 3)
                )
                return SessionHandler(
                    configuration: configuration,
                    purpose: asksToResume
                        ? .resumeOrNew { $1(resumable.find($0, tunnelID: authorisedID)) } : .newSession,
                    delegate: admission,
                    logger: logger,
                    // The closure also keeps the admission alive.
                    acceptStream: { admission.accept($0) }
                )
            }
        )
    }

    private func authorise(
        tunnelID text: String,
        fields: [(name: String, value: String)]
    ) async -> Result<AuthorisedTunnel, TokenRefusal> {
        let credentials = fields.filter { $0.name.lowercased() == "authorization" }
        let token = credentials.count == 1 ? BearerCredential.token(in: credentials[0].value) : nil
        return await self.authority.authorise(tunnelID: text, token: token)
    }
}

/// The numbers of sessions, each given once in the life of the edge.
private final class SessionIDs: Sendable {
    private let last = Atomic<UInt64>(0)

    @Sendable func next() -> UInt64 {
        self.last.add(1, ordering: .relaxed).newValue
    }
}
