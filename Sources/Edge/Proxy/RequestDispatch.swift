// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import HTTP1
import NIOCore
import Protocol

/// Finds out who answers a request.
struct RequestDispatch {
    let head: RequestHead
    let request: IncomingRequest

    private var services: ProxyServices { self.request.services }

    /// Who answers.
    var responder: any Responder {
        switch self.services.router.route(self.head) {
        case .tunnel(let id, let prefixLength):
            let visit = TunnelVisit(head: self.head, request: self.request, prefixLength: prefixLength)
            guard let tunnel = self.services.registry.tunnel(id) else { return TunnelArrival(id, visit) }
            return visit.enter(tunnel)
        case .missingSlash(let id): return EdgeAnswer(self.request, .redirect(self.location(id)))
        case .controlPlane: return ControlCall(self.head, self.request)
        case .connect(let id):
            guard self.head.methodText != "GET" || self.head.framing == .none else {
                return EdgeAnswer(
                    self.request,
                    .error(.badRequest, detail: "An upgrade of a connector has no body.")
                )
            }
            return ConnectorUpgrade(self.head, self.request, tunnelID: id)
        case .none: return EdgeAnswer(self.request, .error(.tunnelNotFound))
        case .refused(let reason): return EdgeAnswer(self.request, .error(.badRequest, detail: reason))
        }
    }

    /// `/<id>` answers with `/<id>/`, since relative references would lose the last segment otherwise.
    private func location(_ id: TunnelID) -> ByteBuffer {
        var location = ByteBuffer(string: "/\(id)/")
        // The query as it came, be it UTF-8 or not.
        let path = 1 + id.description.utf8.count
        let query = FieldLine.Span(
            start: Int(self.head.target.start) + path,
            count: Int(self.head.target.count) - path
        )
        self.head.section.copy(query, to: &location)
        return location
    }
}

/// A request on its way into a tunnel.
struct TunnelVisit {
    let head: RequestHead
    let request: IncomingRequest
    /// How many bytes of the target name the tunnel; 0 if its host does.
    let prefixLength: Int

    /// Who answers, once it is known which tunnel is asked for: whoever exchanges with the origin if its policy admits
    /// the visitor.
    func enter(_ tunnel: Tunnel) -> any Responder {
        self.proceed(
            tunnel.visit(
                address: self.request.visitor.address,
                authorization: self.head.section.values(.authorization)
            ),
            to: tunnel
        )
    }

    /// Who answers, by what was decided on the request.
    func proceed(_ visit: Tunnel.Visit, to tunnel: Tunnel) -> any Responder {
        switch visit.decision {
        case .admit(let stripsAuthorization):
            self.request.reached(tunnel, by: visit.policy)
            return self.exchange(with: tunnel, dropsAuthorization: stripsAuthorization)
        case .addressDenied: return EdgeAnswer(self.request, .error(.accessDenied))
        case .compare(let attempt): return PasswordCheck(attempt, self, tunnel)
        case .credentialsRequired:
            // In path mode tunnels share an origin, so that the realm is what keeps their passwords apart.
            let challenge = "Basic realm=\"\(tunnel.id)\", charset=\"UTF-8\""
            return EdgeAnswer(self.request, .error(.loginRequired, challenge: challenge))
        case .rateLimited(let retryAfter):
            return EdgeAnswer(self.request, .error(.rateLimited, retryAfter: retryAfter))
        }
    }

    private func exchange(with tunnel: Tunnel, dropsAuthorization: Bool) -> any Responder {
        let (policy, services, visitor) = (self.request.policy, self.request.services, self.request.visitor)
        let rewrite = RequestRewrite(
            prefixLength: self.prefixLength,
            policy: policy,
            tunnelID: tunnel.id,
            visitor: visitor,
            requestID: self.request.id,
            dropsAuthorization: dropsAuthorization,
            clientIPHeader: services.trust.clientIPHeader?.asciiLowercased()
        )
        let isPathMode = self.prefixLength > 0
        let plan = ExchangePlan(
            request: self.request,
            tunnel: tunnel,
            urls: PublicURLs(
                prefix: isPathMode && policy.pathMode == .strip ? "/\(tunnel.id)" : "",
                isPathMode: isPathMode,
                scheme: visitor.scheme,
                host: visitor.host,
                originHost: rewrite.originHost,
                wildcardDomain: services.router.wildcardDomain
            ),
            passesUpgrade: rewrite.passesUpgrade(self.head),
            mayReuse: policy.originReuse == .safe && services.settings.reusesOriginConnections
        )
        return plan.responder(
            for: RepeatableRequest(head: rewrite.head(self.head), hasBody: self.request.traits.hasBody)
        )
    }
}
