// SPDX-License-Identifier: Apache-2.0
import ControlAPI
import HTTP1

/// What an answer has to mind, and to say, because the tunnel shares a browser's origin with others.
struct SharedOrigin {
    let cookies: TunnelCookies
    /// Whether the browser's requests that lack the prefix find this tunnel, and so need its cookies.
    let keepsSeconds: Bool
    /// Whether the tunnel is served at `/`, where other tunnels are in their turn.
    let isRoot: Bool
    /// The `Set-Cookie` that notes that the browser has opened the tunnel.
    private(set) var opened: String?
    /// The path of a cookie that says none, where the browser would take it from a path without the tunnel's prefix.
    private(set) var defaultPath: String?

    /// The `Set-Cookie` fields for one of the app.
    ///
    /// - Parameter first: The cookie below the tunnel's prefix.
    func cookies(of value: String, first: String) -> [String] {
        if TunnelCookies.isOurs(setCookie: value) { return [] }
        let first = self.defaultPath.map { TunnelCookies.withPath($0, first) } ?? first
        guard self.keepsSeconds, let second = self.cookies.second(of: value) else { return [first] }
        guard self.isRoot else { return [first, second] }
        // At `/` the browser would send a cookie to every tunnel in its turn. What no script may see only we need to
        // see, and pass on to this app alone.
        return Self.isHTTPOnly(value) ? [second] : [first]
    }

    /// What a cache may do with an answer at `/`: nothing between here and the browser, since it belongs to the tunnel
    /// that this browser opened; and ask each time within the browser, whose pages of another tunnel use the same paths.
    func cacheControl(_ value: String) -> String {
        guard self.isRoot else { return value }
        let kept = value.split(separator: ",").map { $0.trimmingSpaces() }.filter { directive in
            let name = directive.prefix { $0 != "=" }.asciiLowercased()
            return !["public", "s-maxage", "private", "no-cache", "immutable"].contains(name)
        }
        return (["private", "no-cache"] + kept.filter { !$0.isEmpty }).joined(separator: ", ")
    }

    private static func isHTTPOnly(_ value: String) -> Bool {
        value.split(separator: ";").dropFirst().contains { $0.trimmingSpaces().asciiLowercased() == "httponly" }
    }
}
