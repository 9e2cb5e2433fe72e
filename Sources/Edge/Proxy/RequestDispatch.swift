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
        let route = self.services.router.route(self.head)
        guard route.isEdgeOwn || self.request.mayVisit else {
            return EdgeAnswer(self.request, .error(.tooManyConnections, retryAfter: 1))
        }
        if !route.isOwn, let loop = self.loop(route) { return loop }
        switch route {
        case .tunnel(let id, let prefixLength):
            guard let tunnel = self.services.registry.tunnel(id) else { return self.arrival(id, prefixLength) }
            return self.visit(prefixLength > 0 ? .prefix(prefixLength) : .host).enter(tunnel)
        case .missingSlash(let id): return self.withoutSlash(id)
        case .controlPlane: return ControlCall(self.head, self.request)
        case .foreignCall:
            return self.isControlCall
                ? ControlCall(self.head, self.request)
                : self.fallback
                    ?? ControlCall(self.head, self.request)
        case .connect(let id), .access(let id):
            guard !self.head.hasMethod("GET") || self.head.framing == .none else {
                return EdgeAnswer(
                    self.request,
                    .error(.badRequest, detail: "An upgrade has no body.")
                )
            }
            // An HTTP/1.0 message can't ask for another protocol (RFC 9110 §7.8).
            guard self.head.version == .http11 else {
                return EdgeAnswer(self.request, .error(.badRequest, detail: "HTTP/1.0 has no upgrades."))
            }
            var endpoint = self.services.connectEndpoint
            if case .access = route { endpoint = self.services.accessEndpoint }
            return ConnectorUpgrade(self.head, self.request, tunnelID: id, endpoint: endpoint)
        case .none: return self.fallback ?? EdgeAnswer(self.request, .error(.tunnelNotFound, detail: self.hint))
        case .refused(let reason): return EdgeAnswer(self.request, .error(.badRequest, detail: reason))
        }
    }

    /// The answer to a request that goes in circles: it has come through often, or it is for nothing that is here and a
    /// tunnel of this edge has sent it.
    ///
    /// The second is what a connector meets whose target is the edge: its tunnel's prefix or host is gone by then.
    private func loop(_ route: Route) -> EdgeAnswer? {
        let hops = HopCount(self.head.section)
        guard hops.value > 0 else { return nil }
        if hops.isLoop { return EdgeAnswer(self.request, .error(.loopDetected)) }
        switch route {
        case .none: break
        case .tunnel(let id, _), .missingSlash(let id):
            guard self.services.registry.tunnel(id) == nil else { return nil }
        default: return nil
        }
        guard let sender = self.services.router.sender(of: self.head.section),
            self.services.registry.tunnel(sender) != nil
        else { return nil }
        return EdgeAnswer(self.request, .error(.loopDetected, detail: "The tunnel \(sender) leads back here."))
    }

    /// Who answers a request for a tunnel that is not there, or not yet.
    private func arrival(_ id: TunnelID, _ prefixLength: Int) -> any Responder {
        guard prefixLength > 0 else { return TunnelArrival(id, self.visit(.host)) }
        return self.fallback ?? TunnelArrival(id, self.visit(.prefix(prefixLength)))
    }

    private func visit(_ entry: TunnelEntry) -> TunnelVisit {
        TunnelVisit(head: self.head, request: self.request, entry: entry)
    }

    /// Answers a request for `/<id>`.
    ///
    /// A browser is led to `/<id>/`, since relative references would lose the last segment otherwise. What a program sends
    /// there, as a webhook or a handshake, is for the tunnel: few of them follow a redirect.
    private func withoutSlash(_ id: TunnelID) -> any Responder {
        let length = 1 + id.description.utf8.count
        guard let tunnel = self.services.registry.tunnel(id) else {
            // Not for ever: the path may be an app's, whose tunnel the browser has not opened yet.
            let led = self.withSlash(length) { .lead($0) }
            return self.fallback ?? led ?? TunnelArrival(id, self.visit(.prefix(length)))
        }
        return self.withSlash(length) { .redirect($0) } ?? self.visit(.prefix(length)).enter(tunnel)
    }

    /// Leads to the path with a slash behind its first segment; `nil` for a request that is not to be led.
    private func withSlash(_ length: Int, _ answer: (ByteBuffer) -> EdgeAnswer.Content) -> EdgeAnswer? {
        guard self.head.hasMethod("GET") || self.head.hasMethod("HEAD"), !self.head.isUpgrade else { return nil }
        var location = ByteBuffer()
        let target = self.head.target
        self.head.section.copy(FieldLine.Span(start: Int(target.start), count: length), to: &location)
        location.writeStaticString("/")
        // The query as it came, be it UTF-8 or not.
        let query = FieldLine.Span(start: Int(target.start) + length, count: Int(target.count) - length)
        self.head.section.copy(query, to: &location)
        return EdgeAnswer(self.request, answer(location))
    }

    // MARK: Requests that lack the prefix

    /// Whether the request has credentials of the control API, which no app is to see.
    private var isControlCall: Bool {
        self.head.section.values(.authorization).contains { value in
            let scheme = value.prefix(7).asciiLowercased()
            return scheme == "bearer " && value.dropFirst(7).trimmingSpaces().hasPrefix("cvk_")
        }
    }

    /// Who answers a request that names no tunnel, if it belongs to one (``PathFallback``).
    private var fallback: (any Responder)? {
        guard self.services.router.hasPathMode, !self.isControlCall else { return nil }
        let services = self.services
        let now = services.now()
        let signals = BrowserSignals(self.head, self.request.visitor, services.recentTunnels.cookie, now: now)
        let decision = signals.fallback.decision(now: now) { id in
            services.registry.tunnel(id).map { services.fallbackKind($0.policy) ?? .declined }
        }
        switch decision {
        case .none: return nil
        case .redirect(let id):
            var location = ByteBuffer(string: "/\(id)")
            self.head.section.copy(self.head.target, to: &location)
            return EdgeAnswer(self.request, .lead(location))
        case .route(let id): return services.registry.tunnel(id).map { self.visit(.fallback).enter($0) }
        case .root(let id): return services.registry.tunnel(id).map { self.visit(.root).enter($0) }
        case .ambiguous(let ids):
            let links = signals.isNavigation ? ids.map { "/\($0)\(self.head.targetText)" } : []
            return EdgeAnswer(self.request, .ambiguous(links))
        }
    }

    /// What helps a visitor whose app asks for something that is not below the tunnel's prefix.
    private var hint: String? { self.services.router.lostPathHint(self.head) }
}
