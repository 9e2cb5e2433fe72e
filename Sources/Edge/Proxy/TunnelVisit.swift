// SPDX-License-Identifier: Apache-2.0
import ControlAPI
import EdgeInbox
import EdgeTunnels
import HTTP1
import NIOCore

/// A request on its way into a tunnel.
struct TunnelVisit {
    let head: RequestHead
    let request: IncomingRequest
    let entry: TunnelEntry

    /// How much memory the head takes, in bytes.
    var heldBytes: Int { self.head.section.bytes.readableBytes }

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
        guard visit.form.kind == .http, !visit.form.isPrivate else {
            return EdgeAnswer(self.request, .error(.tunnelNotFound, detail: "This tunnel has no public URL."))
        }
        switch visit.decision {
        case .admit(let stripsAuthorization):
            guard self.request.reached(tunnel, by: visit.policy) else {
                return EdgeAnswer(self.request, .error(.tooManyFromVisitor, retryAfter: 1))
            }
            if let answer = self.toRoot(of: tunnel) { return answer }
            return self.exchange(with: tunnel, visit.inbox, dropsAuthorization: stripsAuthorization)
        case .addressDenied:
            self.request.refused(by: tunnel)
            // Visitors seldom know by which address they are seen, and its owner has to be told.
            let detail = self.request.visitor.address.map { "It is \($0)." }
            return EdgeAnswer(self.request, .error(.accessDenied, detail: detail))
        case .compare(let attempt): return PasswordCheck(attempt, self, tunnel)
        case .credentialsRequired where self.isLedToPassword:
            // A challenge here would be one for `/`, and the browser would show the password to every tunnel.
            var location = ByteBuffer(string: "/\(tunnel.id)")
            self.head.section.copy(self.head.target, to: &location)
            return EdgeAnswer(self.request, .lead(location))
        case .credentialsRequired:
            // In path mode tunnels share an origin, so that the realm is what keeps their passwords apart.
            self.request.refused(by: tunnel)
            let challenge = "Basic realm=\"\(tunnel.id)\", charset=\"UTF-8\""
            return EdgeAnswer(self.request, .error(.loginRequired, challenge: challenge))
        case .rateLimited(let retryAfter):
            self.request.refused(by: tunnel)
            return EdgeAnswer(self.request, .error(.rateLimited, retryAfter: retryAfter))
        case .tooManyWrongCredentials(let retryAfter):
            self.request.refused(by: tunnel)
            let detail = "Too many wrong passwords came from this address: until then the right one is refused, too."
            return EdgeAnswer(self.request, .error(.rateLimited, detail: detail, retryAfter: retryAfter))
        }
    }

    /// Whether a browser that has not shown the password is led to where it would: below the prefix.
    private var isLedToPassword: Bool {
        let section = self.head.section
        return self.entry == .fallback && !self.head.isUpgrade && section.contains(.secFetchSite)
            && !section.contains(.authorization)
    }

    private func exchange(
        with tunnel: Tunnel,
        _ inbox: TunnelInbox?,
        dropsAuthorization: Bool
    ) -> any Responder {
        if MaxForwards(self.head) == .endsHere { return EdgeAnswer(self.request, MaxForwards.answer(self.head)) }
        let (plan, outgoing) = self.plan(with: tunnel, dropsAuthorization: dropsAuthorization)
        if let inbox {
            let intake = InboxIntake(self, inbox, plan, outgoing, dropsAuthorization: dropsAuthorization)
            if let intake { return intake }
        }
        return plan.responder(for: outgoing)
    }

    /// How the request is sent.
    func plan(with tunnel: Tunnel, dropsAuthorization: Bool) -> (ExchangePlan, SentRequest) {
        let (policy, services, visitor) = (self.request.policy, self.request.services, self.request.visitor)
        let rewrite = RequestRewrite(
            entry: self.entry,
            policy: policy,
            tunnelID: tunnel.id,
            visitor: visitor,
            requestID: self.request.id,
            dropsAuthorization: dropsAuthorization,
            clientIPHeader: services.trust.clientIPHeader?.asciiLowercased()
        )
        let passesUpgrade = rewrite.passesUpgrade(self.head)
        let plan = ExchangePlan(
            request: self.request,
            tunnel: tunnel,
            rewrite: ResponseRewrite(
                urls: ResponseURLs(
                    prefix: self.entry.hidesPrefix(policy.pathMode) ? "/\(tunnel.id)" : "",
                    isPathMode: self.entry.isShared,
                    scheme: visitor.scheme,
                    host: visitor.host,
                    originHost: rewrite.originHost,
                    outerPrefix: visitor.prefix,
                    wildcardDomain: services.router.wildcardDomain
                ),
                shared: self.sharedOrigin(tunnel, policy)
            ),
            passesUpgrade: passesUpgrade,
            protocols: passesUpgrade ? self.head.section.tokens(.upgrade, atMost: 16) ?? [] : [],
            mayReuse: policy.originReuse == .safe && services.settings.reusesOriginConnections
        )
        let head = rewrite.head(self.head, spare: self.request.takeSpare())
        return (plan, SentRequest(head: head, hasBody: self.request.traits.hasBody))
    }

    // MARK: Tunnels that share their origin

    private func sharedOrigin(_ tunnel: Tunnel, _ policy: TunnelPolicy) -> SharedOrigin? {
        guard self.entry.isShared else { return nil }
        let isFound = self.request.services.fallbackKind(policy) != nil
        let opened = isFound ? self.opened(tunnel) : nil
        // Programs don't lose the prefix, and get what the app sent.
        let isBrowser = opened != nil || self.entry == .fallback || self.entry == .root || self.hasCookieOfOurs
        return SharedOrigin(
            cookies: TunnelCookies(id: tunnel.id),
            keepsSeconds: isFound && isBrowser,
            isRoot: self.entry == .root,
            opened: opened,
            defaultPath: self.entry == .fallback ? self.defaultCookiePath(tunnel) : nil
        )
    }

    /// The path that a browser would give to a cookie of the answer if the request had the prefix (RFC 6265 §5.1.4).
    private func defaultCookiePath(_ tunnel: Tunnel) -> String {
        let path = self.head.targetText.prefix { $0 != "?" }
        let folder = path.lastIndex(of: "/").map { path[..<$0] } ?? ""
        return "\(self.request.visitor.prefix)/\(tunnel.id)\(folder.isEmpty ? "/" : folder)"
    }

    /// Whether the request has a cookie that the edge set.
    private var hasCookieOfOurs: Bool {
        self.head.section.lines.contains { line in
            line.known == .cookie && TunnelCookies.concern(line, of: self.head.section)
        }
    }

    /// The `Set-Cookie` that notes that the browser opens a page of the tunnel; `nil` if it does not, or if that is
    /// noted already.
    private func opened(_ tunnel: Tunnel) -> String? {
        guard case .prefix = self.entry, BrowserSignals.opensPage(self.head, self.request) else { return nil }
        let (services, visitor) = (self.request.services, self.request.visitor)
        let now = services.now()
        let cookie = services.recentTunnels.cookie
        var recent = cookie.read(
            TunnelCookies.recentTunnels(self.head.section.values(.cookie)),
            host: visitor.host,
            now: now
        )
        guard recent.open(tunnel.id, now: now) else { return nil }
        return cookie.setCookie(recent, host: visitor.host, isSecure: visitor.scheme == "https")
    }

    /// Leads a browser that opens a page of a tunnel that is served at `/` there.
    private func toRoot(of tunnel: Tunnel) -> (any Responder)? {
        guard case .prefix(let length) = self.entry, self.request.policy.pathMode == .root,
            BrowserSignals.opensPage(self.head, self.request)
        else { return nil }
        let target = self.head.targetText.utf8.dropFirst(length)
        // What would begin with two slashes names another host.
        let second = target.dropFirst().first
        guard target.isEmpty || second != UInt8(ascii: "/") && second != UInt8(ascii: "\\") else { return nil }
        var location = ByteBuffer()
        if target.first != UInt8(ascii: "/") { location.writeStaticString("/") }
        let start = Int(self.head.target.start) + length
        self.head.section.copy(
            FieldLine.Span(start: start, count: Int(self.head.target.count) - length),
            to: &location
        )
        return EdgeAnswer(self.request, .lead(location, setCookie: self.opened(tunnel)))
    }
}
