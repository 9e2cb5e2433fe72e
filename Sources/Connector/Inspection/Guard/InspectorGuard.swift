// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import HTTP1

/// Decides who may use the inspector: a value without I/O.
///
/// A page that shows what strangers sent, on a port that any web site and any user of the machine can reach, has to
/// refuse names that were rebound to this machine, other sites, other ports of localhost, what a tunnel or a proxy
/// passes on, and other users.
package struct InspectorGuard: Sendable {
    /// What is known of a request.
    package struct Request: Sendable {
        package var method: String
        /// Without the query.
        package var path: String
        /// The query's member `token`.
        package var queryToken: String?
        /// Names in lower case, values as they came.
        package var fields: [(name: String, value: String)]
        /// The value of `Host`.
        package var host: String?
        /// Whether the client runs as the same user, or as root; `nil` where that can't be known.
        package var isSameUser: Bool?

        /// Describes a request.
        package init(
            method: String,
            path: String,
            host: String?,
            fields: [(name: String, value: String)] = [],
            queryToken: String? = nil,
            isSameUser: Bool? = nil
        ) {
            self.method = method
            self.path = path
            self.host = host
            self.fields = fields
            self.queryToken = queryToken
            self.isSameUser = isSameUser
        }

        fileprivate func value(_ name: String) -> String? { self.fields.first { $0.name == name }?.value }
    }

    /// What is to be done with a request.
    package enum Verdict: Equatable, Sendable {
        case allow
        /// The link of the program was opened: set the cookie and open the page without the token.
        case signIn(cookie: String)
        case refuse(ProblemDetails)
    }

    /// Names beside those of this machine under which the inspector may be asked.
    private let allowedHosts: Set<String>
    /// What has to be shown; `nil` if nothing has to.
    private let token: String?
    private let port: Int

    /// - Parameters:
    ///   - allowedHosts: Names beside those of this machine, without ports.
    ///   - token: What every client has to show.
    ///   - port: Where the inspector listens: a part of the cookie's name, since cookies know no ports.
    package init(allowedHosts: [String] = [], token: String? = nil, port: Int = 4_040) {
        self.allowedHosts = Set(allowedHosts.map { $0.asciiLowercased() })
        self.token = token
        self.port = port
    }

    /// The name of the cookie that holds the token.
    package var cookieName: String { "culvert_inspector_\(self.port)" }

    /// Decides about a request.
    package func judge(_ request: Request) -> Verdict {
        guard let host = request.host.flatMap(Self.name(of:)), self.isAllowed(host) else {
            return .refuse(
                .inspector(
                    403,
                    "forbidden_host",
                    "The inspector is not known as “\(request.host ?? "")”. Open it as localhost, or start culvert with "
                        + "--inspect-allow-host and that name."
                )
            )
        }
        if request.isSameUser == false {
            return .refuse(
                .inspector(403, "other_user", "Another user of this machine runs this inspector.")
            )
        }
        if self.allowedHosts.isEmpty, let name = request.fields.first(where: { Self.saysForwarded($0.name) })?.name {
            return .refuse(
                .inspector(
                    403,
                    "forwarded",
                    "The request came through a proxy (\(name)), perhaps through a tunnel to the inspector itself. Start "
                        + "culvert with --inspect-allow-host and the name that the proxy is asked by, if that is meant."
                )
            )
        }
        if let problem = self.crossOrigin(request) { return .refuse(problem) }
        if !["GET", "HEAD"].contains(request.method),
            Self.mediaType(request.value("content-type")) != "application/json"
        {
            return .refuse(
                .inspector(
                    415,
                    "unsupported_media_type",
                    "A \(request.method) needs the field Content-Type: application/json, even without a body."
                )
            )
        }
        return self.checkToken(request)
    }

    private func crossOrigin(_ request: Request) -> ProblemDetails? {
        let site = request.value("sec-fetch-site")
        let isNavigation =
            request.value("sec-fetch-mode") == "navigate" && request.value("sec-fetch-dest") == "document"
            && request.method == "GET" && request.path == "/"
        if let site, site != "same-origin", site != "none", !isNavigation {
            return .inspector(403, "forbidden_origin", "Another site, or another port of localhost, asked (\(site)).")
        }
        if let origin = request.value("origin") {
            let authority = origin.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).dropFirst(2)
                .first
            guard let authority, authority.asciiLowercased() == request.host?.asciiLowercased() else {
                return .inspector(403, "forbidden_origin", "A page of “\(origin)” asked.")
            }
        }
        return nil
    }

    private func checkToken(_ request: Request) -> Verdict {
        guard let token else { return .allow }
        if let shown = request.queryToken {
            guard Self.isEqual(shown, token) else { return .refuse(.tokenRequired) }
            guard request.method == "GET", request.path == "/" else { return .allow }
            return .signIn(cookie: "\(self.cookieName)=\(token); Path=/; HttpOnly; SameSite=Strict")
        }
        let bearer = request.value("authorization").flatMap { value -> String? in
            value.asciiLowercased().hasPrefix("bearer ") ? String(value.dropFirst(7)).trimmingSpaces() : nil
        }
        let start = self.cookieName + "="
        let cookies = request.fields.filter { $0.name == "cookie" }.flatMap { $0.value.split(separator: ";") }
        let cookie = cookies.map { $0.trimmingSpaces() }.first { $0.hasPrefix(start) }
        let shown = bearer ?? cookie.map { String($0.dropFirst(start.count)) }
        guard let shown, Self.isEqual(shown, token) else { return .refuse(.tokenRequired) }
        return .allow
    }

    // MARK: Pieces

    /// The name or address in a `Host` field, in lower case and without the port.
    static func name(of host: String) -> String? {
        guard HeadParser.isHost(host), !host.isEmpty else { return nil }
        if host.hasPrefix("["), let end = host.firstIndex(of: "]") {
            return String(host[host.index(after: host.startIndex)..<end]).asciiLowercased()
        }
        return String(host.prefix { $0 != ":" }).asciiLowercased()
    }

    private func isAllowed(_ name: String) -> Bool {
        if name == "localhost" || name.hasSuffix(".localhost") || name == "::1" { return true }
        if Self.isLoopbackAddress(name) { return true }
        return self.allowedHosts.contains(name)
    }

    private static func isLoopbackAddress(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127"
            && parts.allSatisfy { part in
                (1...3).contains(part.utf8.count) && part.utf8.allSatisfy { (0x30...0x39).contains($0) }
                    && UInt8(part) != nil
            }
    }

    private static func saysForwarded(_ name: String) -> Bool {
        name == "forwarded" || name == "via" || name == "x-real-ip" || name.hasPrefix("x-forwarded-")
            || name.hasPrefix("culvert-")
    }

    private static func mediaType(_ value: String?) -> String? {
        value.map { $0.prefix { $0 != ";" }.trimmingSpaces().asciiLowercased() }
    }

    /// Compares without telling by the time where the two differ.
    private static func isEqual(_ one: String, _ other: String) -> Bool {
        let (one, other) = (Array(one.utf8), Array(other.utf8))
        guard one.count == other.count else { return false }
        return zip(one, other).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

extension ProblemDetails {
    /// A problem of the inspector.
    package static func inspector(_ status: Int, _ code: String, _ detail: String) -> ProblemDetails {
        let titles = [
            400: "Bad request", 401: "Unauthorized", 403: "Forbidden", 404: "Not found", 405: "Method not allowed",
            409: "Conflict", 413: "Content too large", 415: "Unsupported media type", 422: "Not decodable",
            429: "Too many requests",
        ]
        return ProblemDetails(title: titles[status] ?? "Error", status: status, code: code, detail: detail)
    }

    static let tokenRequired = ProblemDetails.inspector(
        401,
        "token_required",
        "Open the link that culvert printed, or send its token as Authorization: Bearer."
    )
}
