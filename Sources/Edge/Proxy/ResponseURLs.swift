// SPDX-License-Identifier: Apache-2.0
import HTTP1

/// Turns what an origin says about itself into what the visitor can use (docs/http.md).
///
/// Only references that would lead a visitor astray are changed: absolute paths that lack the tunnel's prefix, and URLs
/// that name the origin or ourselves. Relative references already work and are never touched.
struct ResponseURLs: Equatable {
    /// `/<id>`, or empty if the tunnel has a host of its own or the origin sees the prefix itself.
    let prefix: String
    /// Whether the tunnel shares its host with others.
    let isPathMode: Bool
    /// How the visitor came, and to which host.
    let scheme: String
    let host: String
    /// What the origin believes its host to be.
    let originHost: String
    /// What proxies in front of the edge have cut off the path.
    private(set) var outerPrefix = ""
    /// The domain below which each tunnel has a host of its own, in lower case.
    private(set) var wildcardDomain: String?

    /// The reference as the visitor should see it.
    func publicURL(_ reference: String) -> String {
        guard let parts = AuthorityReference(reference) else {
            return reference.hasPrefix("/") ? self.publicPath(reference) : reference
        }
        let rest = self.publicRest(parts.rest)
        if parts.names(self.host) {
            // The scheme stays: an origin may well send visitors from http to https.
            return "\(parts.start)\(parts.authority)\(rest)"
        }
        // A visitor who came by `http` and is sent to `https` would otherwise be sent round in a circle.
        let mayLosePort = parts.scheme != "https" || self.scheme == "https"
        guard parts.names(self.originHost) || mayLosePort && parts.lostPort(of: self.originHost) else {
            return reference
        }
        // A visitor with HTTP/1.0 need not have said which host it asked.
        guard !self.host.isEmpty else {
            // What begins with two slashes would name a host (RFC 3986 §4.2).
            return rest.hasPrefix("//") ? "/.\(rest)" : rest.hasPrefix("/") ? rest : "/\(rest)"
        }
        return "\(parts.scheme == nil ? "" : "\(self.scheme):")//\(self.host)\(rest)"
    }

    /// The origin (RFC 6454) as the visitor should see it, as in `Access-Control-Allow-Origin`.
    func publicOrigin(_ value: String) -> String {
        guard let parts = AuthorityReference(value), parts.scheme != nil, parts.rest.isEmpty,
            parts.names(self.originHost), !self.host.isEmpty
        else { return value }
        return "\(self.scheme)://\(self.host)"
    }

    /// `<url>; parameters, <url>; parameters` (RFC 8288), where parameters may be quoted strings.
    func publicLinks(_ value: String) -> String {
        var output = ""
        var rest = value[...]
        var isQuoted = false
        while let character = rest.first {
            if !isQuoted, character == "<" {
                // Without its end it is no link; to look for more of them would take quadratic time.
                guard let close = rest.firstIndex(of: ">") else { return output + rest }
                output += "<" + self.publicURL(String(rest[rest.index(after: rest.startIndex)..<close]))
                rest = rest[close...]
                continue
            }
            if character == "\"" { isQuoted.toggle() }
            output.append(character)
            rest.removeFirst()
            if isQuoted, character == "\\", let escaped = rest.popFirst() { output.append(escaped) }
        }
        return output
    }

    /// `seconds; url=reference`, read as browsers do (HTML, "shared declarative refresh steps"): the mark, `url=` and the
    /// quotes may be missing.
    func publicRefresh(_ value: String) -> String {
        var rest = value[...].drop { $0.isRefreshSpace }.drop { $0.isASCII && $0.isNumber || $0 == "." }
        guard let mark = rest.first, mark == ";" || mark == "," || mark.isRefreshSpace else { return value }
        rest = rest.drop { $0.isRefreshSpace }
        if rest.first == ";" || rest.first == "," { rest = rest.dropFirst().drop { $0.isRefreshSpace } }
        if rest.prefix(3).asciiLowercased() == "url" {
            let equals = rest.dropFirst(3).drop { $0.isRefreshSpace }
            if equals.first == "=" { rest = equals.dropFirst().drop { $0.isRefreshSpace } }
        }
        if let quote = rest.first, quote == "\"" || quote == "'" {
            rest = rest.dropFirst().prefix { $0 != quote }
        }
        return value[..<rest.startIndex] + self.publicURL(String(rest)) + value[rest.endIndex...]
    }

    /// A cookie that stays within the tunnel: its path gets the prefix, a domain that would share it is left out.
    ///
    /// `__Host-` cookies must have the path `/` and are passed as they are: changing them would only make browsers
    /// drop them.
    func publicCookie(_ value: String) -> String {
        let parts = value.split(separator: ";", omittingEmptySubsequences: false)
        guard let pair = parts.first, !pair.trimmingSpaces().asciiLowercased().hasPrefix("__host-") else {
            return value
        }
        let changed = parts.dropFirst().compactMap { part -> String? in
            guard let equals = part.firstIndex(of: "=") else { return String(part) }
            let attribute = part[part.index(after: equals)...]
            let text = attribute.trimmingSpaces()
            switch part[..<equals].trimmingSpaces().asciiLowercased() {
            case "path" where text.hasPrefix("/"):
                let leading = attribute.prefix { $0 == " " || $0 == "\t" }
                let trailing = attribute.dropFirst(leading.count + text.count)
                return "\(part[...equals])\(leading)\(self.publicPath(text))\(trailing)"
            case "domain":
                // Dots around the name change nothing for those browsers that take the attribute (RFC 6265 §5.2.3).
                let name = text.drop { $0 == "." }
                let domain = String(name.prefix(name.count - name.reversed().prefix { $0 == "." }.count))
                    .asciiLowercased()
                return self.isShared(domain) ? nil : String(part)
            default: return String(part)
            }
        }
        return ([String(pair)] + changed).joined(separator: ";")
    }

    /// Whether a cookie of this domain would reach other tunnels, or, being the origin's own, no visitor at all.
    private func isShared(_ domain: String) -> Bool {
        if self.isPathMode || AuthorityReference.areSame(domain, AuthorityReference.name(self.originHost)) {
            return true
        }
        guard let wildcardDomain = self.wildcardDomain, !domain.isEmpty else { return false }
        return wildcardDomain == domain || wildcardDomain.hasSuffix("." + domain)
    }

    private func publicRest(_ rest: Substring) -> String {
        if rest.hasPrefix("/") { return self.publicPath(String(rest)) }
        return self.prefix.isEmpty && self.outerPrefix.isEmpty ? String(rest) : self.publicPath("/" + rest)
    }

    /// The path with the tunnel's prefix, and with that of the proxies in front; it gets each once only.
    private func publicPath(_ path: String) -> String {
        guard !Self.isBelow(self.outerPrefix + self.prefix, path) else { return path }
        return self.outerPrefix + (Self.isBelow(self.prefix, path) ? path : self.prefix + path)
    }

    private static func isBelow(_ prefix: String, _ path: String) -> Bool {
        guard !prefix.isEmpty else { return true }
        guard path.hasPrefix(prefix) else { return false }
        let next = path.dropFirst(prefix.count).first
        return next == nil || next == "/" || next == "?" || next == "#"
    }
}

/// A reference with an authority: `http://authority…`, `https://authority…` or `//authority…` (RFC 3986 §4.2).
private struct AuthorityReference {
    /// `http` or `https`; `nil` if the reference leaves it open.
    private(set) var scheme: String?
    /// Everything before the authority.
    var start: Substring
    var authority: Substring
    /// Path, query and fragment.
    var rest: Substring

    init?(_ reference: String) {
        let lowered = reference.prefix(8).asciiLowercased()
        let starts: [(String, String?)] = [("http://", "http"), ("https://", "https"), ("//", nil)]
        guard let (start, scheme) = starts.first(where: { lowered.hasPrefix($0.0) }) else { return nil }
        self.scheme = scheme
        let index = reference.index(reference.startIndex, offsetBy: start.count)
        self.start = reference[..<index]
        self.authority = reference[index...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        self.rest = reference[self.authority.endIndex...]
    }

    /// Whether the authority is this host; a port that the scheme implies makes no difference.
    func names(_ host: String) -> Bool {
        guard !self.authority.isEmpty else { return false }
        let (own, other) = (self.withoutImpliedPort(self.authority), self.withoutImpliedPort(host[...]))
        return Self.areSame(own, other[...])
    }

    /// Whether the authority is this loopback host without its port, as servers behind a port mapping say it: they know
    /// only the port inside of their container, and a visitor's own machine is never meant.
    func lostPort(of host: String) -> Bool {
        let own = self.withoutImpliedPort(self.authority)
        return own == Self.name(own) && Self.withoutLoopback(own) == "localhost"
            && Self.withoutLoopback(Self.name(host).asciiLowercased()) == "localhost"
    }

    /// Whether two authorities are the same place: a server on a loopback address calls it by any of its names.
    static func areSame(_ one: String, _ other: Substring) -> Bool {
        Self.withoutLoopback(one) == Self.withoutLoopback(other.asciiLowercased())
    }

    private static func withoutLoopback(_ authority: String) -> String {
        let name = Self.name(authority)
        guard name == "127.0.0.1" || name == "[::1]" else { return authority }
        return "localhost" + authority.dropFirst(name.count)
    }

    private func withoutImpliedPort(_ authority: Substring) -> String {
        let lowered = authority.asciiLowercased()
        guard let scheme = self.scheme else { return lowered }
        let port = scheme == "http" ? ":80" : ":443"
        return lowered.hasSuffix(port) ? String(lowered.dropLast(port.count)) : lowered
    }

    /// A host without its port.
    static func name(_ host: String) -> Substring {
        if host.hasPrefix("["), let end = host.firstIndex(of: "]") { return host[...end] }
        return host.prefix { $0 != ":" }
    }
}

extension Character {
    fileprivate var isRefreshSpace: Bool { self == " " || self == "\t" }
}
