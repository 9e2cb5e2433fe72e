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

    /// The `Set-Cookie` fields for one of the app.
    ///
    /// - Parameter first: The cookie below the tunnel's prefix.
    func cookies(of value: String, first: String) -> [String] {
        if TunnelCookies.isOurs(setCookie: value) { return [] }
        guard self.keepsSeconds, let second = self.cookies.second(of: value) else { return [first] }
        guard self.isRoot else { return [first, second] }
        // At `/` the browser would send a cookie to every tunnel in its turn. What no script may see only we need to
        // see, and pass on to this app alone.
        return Self.isHTTPOnly(value) ? [second] : [first]
    }

    /// What a cache between here and the browser may do with an answer at `/`: nothing, since it belongs to the tunnel
    /// that this browser opened.
    func cacheControl(_ value: String) -> String {
        guard self.isRoot else { return value }
        let kept = value.split(separator: ",").map { $0.trimmingSpaces() }.filter { directive in
            let name = directive.prefix { $0 != "=" }.asciiLowercased()
            return name != "public" && name != "s-maxage" && name != "private"
        }
        return (["private"] + kept).joined(separator: ", ")
    }

    private static func isHTTPOnly(_ value: String) -> Bool {
        value.split(separator: ";").dropFirst().contains { $0.trimmingSpaces().asciiLowercased() == "httponly" }
    }
}
