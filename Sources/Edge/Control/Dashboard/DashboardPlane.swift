// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import HTTPTypes
import Hummingbird
import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The dashboard in front of the control API: its page, signing in, and calls of those who have.
///
/// | call | what |
/// |---|---|
/// | `GET /api/dashboard/` | the page |
/// | `POST /api/dashboard/session` | signs in, with the key and its one-time code where calls of the API have them |
/// | `GET`, `DELETE /api/dashboard/session` | who has signed in; signs out |
/// | `GET /api/dashboard/audit` | what was done lately; for admins |
///
/// Any other call of the control API that has the field `Culvert-Session` is made by who has signed in.
package struct DashboardPlane: ControlPlane {
    /// Where the dashboard is.
    static let path = "/api/dashboard"

    private let api: HTTPControlPlane
    private let sessions: DashboardSessions
    private let rules: DashboardGuard
    private let now: @Sendable () -> Date

    /// Makes the dashboard of the admin listener, or of the API's host.
    ///
    /// - Parameters:
    ///   - api: The control API.
    ///   - sessions: Who has signed in.
    ///   - isAdminListener: Whether calls come to the admin listener, where nobody needs the API itself.
    ///   - now: The clock.
    package init(
        _ api: HTTPControlPlane,
        sessions: DashboardSessions,
        isAdminListener: Bool,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.api = api
        self.sessions = sessions
        self.rules = DashboardGuard(entrance: isAdminListener ? .admin : .apiHost)
        self.now = now
    }

    package var maximumBodyLength: Int { self.api.maximumBodyLength }

    package func respond(
        to request: HTTPRequest,
        body: ByteBuffer,
        remoteAddress: SocketAddress?,
        requestID: EdgeTunnels.RequestID
    ) async -> (HTTPResponse, ByteBuffer) {
        let path = (request.path ?? "").prefix { $0 != "?" }
        if path == Self.path || path.hasPrefix(Self.path + "/") {
            let place = path.dropFirst(Self.path.count)
            if let answer = await self.file(place, for: request, requestID: requestID) { return answer }
            var answer = await self.api.answer(
                request,
                body: body,
                remoteAddress: remoteAddress,
                requestID: requestID,
                by: nil
            ) { source in
                try self.rules.check(request)
                return try await self.answer(request, at: place, source)
            }
            Self.protect(&answer.0)
            return answer
        }
        guard request.headerFields[.culvertSession] != nil || self.rules.entrance == .admin else {
            return await self.api.respond(
                to: request,
                body: body,
                remoteAddress: remoteAddress,
                requestID: requestID
            )
        }
        let principal: Principal
        do {
            try self.rules.check(request)
            principal = try self.signedIn(request).principal
        } catch {
            return await self.api.answer(
                request,
                body: body,
                remoteAddress: remoteAddress,
                requestID: requestID,
                by: nil
            ) { _ in throw error }
        }
        return await self.api.respond(
            to: request,
            body: body,
            remoteAddress: remoteAddress,
            requestID: requestID,
            by: principal
        )
    }

    // MARK: The dashboard's own

    private func answer(
        _ request: HTTPRequest,
        at place: Substring,
        _ source: ControlContextSource
    ) async throws -> Response {
        let isLooking = request.method == .get || request.method == .head
        switch place {
        case "":
            guard isLooking else { throw Problem.methodNotAllowed(allowed: [.get, .head]) }
            return Response(status: .permanentRedirect, headers: [.location: Self.path + "/"])
        case "/session":
            switch request.method {
            case .post: return try await self.signIn(request, source)
            case .delete: return try self.signOut(request, source)
            case .get, .head: return try self.show(try self.signedIn(request), source)
            default: throw Problem.methodNotAllowed(allowed: [.delete, .get, .head, .post])
            }
        case "/audit":
            guard isLooking else { throw Problem.methodNotAllowed(allowed: [.get, .head]) }
            let principal = try self.signedIn(request).principal
            source.audit.note(principal: principal.name)
            guard principal.role == .admin else { throw Problem.adminsOnly }
            return try JSONBody.response(.ok, ["entries": self.api.trail.latest])
        default:
            guard DashboardPage.file(place.dropFirst()) != nil else { throw Problem.notFound }
            throw Problem.methodNotAllowed(allowed: [.get, .head])
        }
    }

    /// A file of the page, which is no call that somebody makes: the audit log does not have it.
    private func file(
        _ place: Substring,
        for request: HTTPRequest,
        requestID: EdgeTunnels.RequestID
    ) async -> (HTTPResponse, ByteBuffer)? {
        guard !place.isEmpty, let file = DashboardPage.file(place.dropFirst()),
            request.method == .get || request.method == .head, (try? self.rules.check(request)) != nil
        else { return nil }
        let response = DashboardPage.answer(file, ifNoneMatch: request.headerFields[.ifNoneMatch])
        var answer = await HTTPControlPlane.collect(response)
        answer.0.headerFields[.culvertRequestID] = requestID.description
        Self.protect(&answer.0)
        return request.method == .head ? (answer.0, ByteBuffer()) : answer
    }

    private struct SignedIn: Encodable {
        var name: String
        var owner: String
        var role: Role
        var expiresAt: Date
        /// Told once, to the page that has signed in.
        var token: String?

        private enum CodingKeys: String, CodingKey {
            case name
            case owner
            case role
            case expiresAt = "expires_at"
            case token
        }
    }

    private func signIn(_ request: HTTPRequest, _ source: ControlContextSource) async throws -> Response {
        let principal = try await self.api.credentials.signIn(
            request.headerFields,
            remoteAddress: source.remoteAddress,
            audit: source.audit
        )
        guard let fingerprint = self.api.credentials.keys.fingerprint(of: principal.name) else {
            throw Problem.invalidCredentials
        }
        let (cookie, token, end) = try self.sessions.begin(
            key: principal.name,
            fingerprint: fingerprint,
            host: request.authority ?? "",
            now: self.seconds
        )
        var response = try JSONBody.response(
            .created,
            SignedIn(
                name: principal.name,
                owner: principal.owner,
                role: principal.role,
                expiresAt: Date(timeIntervalSince1970: TimeInterval(end)),
                token: token
            )
        )
        response.headers[.setCookie] = self.cookie(cookie, of: request, lifetime: DashboardSessions.lifetime)
        return response
    }

    private func show(
        _ found: (principal: Principal, session: DashboardSessions.Session),
        _ source: ControlContextSource
    ) throws -> Response {
        source.audit.note(principal: found.principal.name)
        return try JSONBody.response(
            .ok,
            SignedIn(
                name: found.principal.name,
                owner: found.principal.owner,
                role: found.principal.role,
                expiresAt: Date(timeIntervalSince1970: TimeInterval(found.session.end))
            )
        )
    }

    private func signOut(_ request: HTTPRequest, _ source: ControlContextSource) throws -> Response {
        let found = try self.signedIn(request)
        source.audit.note(principal: found.principal.name)
        self.sessions.end(found.session, now: self.seconds)
        return Response(status: .noContent, headers: [.setCookie: self.cookie("", of: request, lifetime: 0)])
    }

    // MARK: Sessions

    private var seconds: Int { Int(self.now().timeIntervalSince1970) }

    /// Who has signed in; a key that was taken away, or replaced by another of its name, is nobody's any more.
    private func signedIn(_ request: HTTPRequest) throws -> (principal: Principal, session: DashboardSessions.Session) {
        let host = request.authority ?? ""
        let prefix = Self.cookieName(host: host, isSecure: request.scheme == "https") + "="
        let values = request.headerFields[values: .cookie].flatMap { $0.split(separator: ";") }
            .map { $0.drop { $0 == " " } }.filter { $0.hasPrefix(prefix) }.map { $0.dropFirst(prefix.count) }
        guard let token = request.headerFields[.culvertSession] else { throw Problem.sessionEnded }
        for value in values.prefix(4) {
            if let session = self.sessions.session(cookie: value, token: token, host: host, now: self.seconds),
                let principal = self.api.credentials.keys.principal(
                    named: session.key,
                    fingerprint: session.fingerprint
                )
            {
                return (principal, session)
            }
        }
        throw Problem.sessionEnded
    }

    private func cookie(_ value: String, of request: HTTPRequest, lifetime: Int) -> String {
        let isSecure = request.scheme == "https"
        let name = Self.cookieName(host: request.authority ?? "", isSecure: isSecure)
        return "\(name)=\(value); Path=/; Max-Age=\(lifetime); HttpOnly; SameSite=Strict\(isSecure ? "; Secure" : "")"
    }

    /// No neighbour of a host can set a cookie with this prefix (RFC 6265bis §4.1.3.2), which needs TLS; without it the name
    /// has the port, since cookies know none.
    private static func cookieName(host: String, isSecure: Bool) -> String {
        guard !isSecure else { return "__Host-culvert-dashboard" }
        let port = host.lastIndex(of: ":").map { host[host.index(after: $0)...] }.flatMap { Int($0) } ?? 80
        return "culvert-dashboard-\(port)"
    }

    /// What keeps other pages from using an answer.
    private static func protect(_ response: inout HTTPResponse) {
        response.headerFields[.contentSecurityPolicy] = """
            default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
            base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
            require-trusted-types-for 'script'; trusted-types 'none'
            """
        response.headerFields[.xContentTypeOptions] = "nosniff"
        for (name, value) in Self.protection { response.headerFields[name] = value }
    }

    // The initialiser fails for names that are not tokens (RFC 9110 §5.6.2); these are.
    // swift-format-ignore: NeverForceUnwrap
    private static let protection: [(HTTPField.Name, String)] = [
        (HTTPField.Name("Referrer-Policy")!, "no-referrer"),
        (HTTPField.Name("Cross-Origin-Resource-Policy")!, "same-origin"),
        (HTTPField.Name("Cross-Origin-Opener-Policy")!, "same-origin"),
    ]
}

extension HTTPField.Name {
    /// `Culvert-Session`: the page's half of who has signed in at the dashboard.
    // The initialiser fails for names that are not tokens (RFC 9110 §5.6.2); this is one.
    // swift-format-ignore: NeverForceUnwrap
    static let culvertSession = HTTPField.Name("Culvert-Session")!
}
