// SPDX-License-Identifier: Apache-2.0
import HTTP1

/// The browser origin (RFC 6454) under which a visitor sees the edge or a tunnel.
struct PublicOrigin: Equatable {
    /// `http` or `https`, as far as the edge knows.
    let scheme: String
    /// The value of `Host`.
    let host: String

    /// Whether an origin, as in `Origin`, is this one.
    ///
    /// An edge that trusts no proxy does not know that its visitors come by TLS; so `https` is always taken.
    func matches(_ origin: some StringProtocol) -> Bool {
        guard let (scheme, rest) = Self.split(origin), scheme == self.scheme || scheme == "https" else { return false }
        return Self.sameHost(rest, self.host[...], scheme)
    }

    /// What follows the authority in a URL of this origin; `nil` for a URL of another one, or a relative one.
    func rest(of url: String) -> Substring? {
        guard let (scheme, rest) = Self.split(url), scheme == self.scheme || scheme == "https" else { return nil }
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        return Self.sameHost(authority, self.host[...], scheme) ? rest[authority.endIndex...] : nil
    }

    /// The scheme in lower case, and what follows `://`.
    private static func split(_ url: some StringProtocol) -> (String, Substring)? {
        for scheme in ["https", "http"] {
            let start = url.prefix(scheme.count + 3)
            if start.asciiLowercased() == scheme + "://" { return (scheme, Substring(url)[start.endIndex...]) }
        }
        return nil
    }

    private static func sameHost(_ one: Substring, _ other: Substring, _ scheme: String) -> Bool {
        guard !one.isEmpty else { return false }
        let port = scheme == "http" ? ":80" : ":443"
        func withoutPort(_ host: Substring) -> String {
            let lowered = host.asciiLowercased()
            return lowered.hasSuffix(port) ? String(lowered.dropLast(port.count)) : lowered
        }
        return withoutPort(one) == withoutPort(other)
    }
}
