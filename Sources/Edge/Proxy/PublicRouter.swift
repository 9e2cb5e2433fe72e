// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import HTTP1

/// Finds the route of a request from its raw, undecoded target and its host.
package final class PublicRouter: Sendable {
    /// Tunnels are reached as `<id>.<wildcardDomain>` too, if set.
    let wildcardDomain: String?
    /// The one host of the control API and of connectors; `nil` for every host that is not a tunnel's.
    let apiHost: String?
    /// The host that tunnels share, where it lies below the domain of tunnels' hosts.
    let publicHost: String?
    /// Whether tunnels are reached as `/<id>/`.
    let hasPathMode: Bool
    /// Where every request goes, if all go to one place.
    private let onlyRoute: Route?
    /// The same with the dot before it.
    private let hostSuffix: String?

    private static let connectPrefix = "/api/tunnel/connect/"
    private static let accessPrefix = "/api/tunnel/access/"
    /// How many bytes of a target are looked at.
    private static let longestLook = 512

    /// - Parameters:
    ///   - wildcardDomain: The domain below which each tunnel has a host of its own.
    ///   - apiHost: The one host of the control API and of connectors.
    ///   - publicHost: The host of the edge's public URL, without a port.
    ///   - hasPathMode: Whether tunnels are reached as `/<id>/`.
    package convenience init(
        wildcardDomain: String?,
        apiHost: String? = nil,
        publicHost: String? = nil,
        hasPathMode: Bool = true
    ) {
        self.init(wildcardDomain, apiHost: apiHost, publicHost: publicHost, hasPathMode: hasPathMode, only: nil)
    }

    private init(_ wildcardDomain: String?, apiHost: String?, publicHost: String?, hasPathMode: Bool, only: Route?) {
        self.wildcardDomain = wildcardDomain?.lowercased()
        self.apiHost = apiHost?.lowercased()
        self.publicHost = publicHost?.lowercased()
        self.hasPathMode = hasPathMode
        self.onlyRoute = only
        self.hostSuffix = self.wildcardDomain.map { "." + $0 }
    }

    private convenience init(only route: Route) {
        self.init(nil, apiHost: nil, publicHost: nil, hasPathMode: true, only: route)
    }

    /// Finds nothing but one place, for a listener that serves nothing else.
    package static var controlPlaneAlone: PublicRouter { PublicRouter(only: .controlPlane) }

    /// Finds nothing but the place where one side asks for an upgrade.
    package static var upgradesAlone: PublicRouter { PublicRouter(only: .connect(tunnelID: "")) }

    func route(_ head: RequestHead) -> Route {
        if let onlyRoute { return onlyRoute }
        // What stands behind the longest id is of no use here.
        let target = head.section.text(head.target, atMost: Self.longestLook)
        return self.route(method: head.methodText, target: target, host: head.section.first(.host) ?? "")
    }

    /// Finds the route.
    ///
    /// - Parameters:
    ///   - method: The method.
    ///   - target: The request target as it came.
    ///   - host: The value of `Host`; empty if there is none.
    func route(method: String, target: String, host: String) -> Route {
        guard method != "CONNECT" else { return .refused("CONNECT is for proxies, which this is not.") }
        let place = self.place(host)
        // The asterisk form is about a server as a whole (RFC 9112 §3.2.4): a tunnel with a host of its own is one.
        if !place.isTunnel || method != "OPTIONS" || target != "*" {
            guard target.utf8.first == UInt8(ascii: "/") else {
                return .refused("The request target has to begin with a slash.")
            }
        }
        switch place {
        case .tunnel(let id): return .tunnel(id, prefixLength: 0)
        // Below the domain of tunnels' hosts each name is a tunnel's or nobody's: served by path there, a tunnel would
        // get cookies that are meant for another one.
        case .nobody: return .none
        case .api: return self.controlRoute(target) ?? .controlPlane
        case .shared: return self.sharedRoute(target)
        }
    }

    /// The route of a request to the host that tunnels share.
    private func sharedRoute(_ target: String) -> Route {
        let bytes = target.utf8
        let start = bytes.index(after: bytes.startIndex)
        let end = bytes[start...].firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? bytes.endIndex
        let hasSlash = end < bytes.endIndex && bytes[end] == UInt8(ascii: "/")
        let segment = target[start..<end]
        if segment == "api" { return self.apiHost == nil ? self.controlRoute(target) ?? .foreignCall : .none }
        guard self.hasPathMode, let id = TunnelID(segment) else { return .none }
        return hasSlash ? .tunnel(id, prefixLength: 1 + segment.utf8.count) : .missingSlash(id)
    }

    /// The route of one of the control API's own paths; every other below `/api/` may be an app's.
    private func controlRoute(_ target: String) -> Route? {
        let path = Substring(target.utf8.prefix { $0 != UInt8(ascii: "?") })
        if path.hasPrefix(Self.connectPrefix) {
            return .connect(tunnelID: String(path.dropFirst(Self.connectPrefix.count)))
        }
        if path.hasPrefix(Self.accessPrefix) {
            return .access(tunnelID: String(path.dropFirst(Self.accessPrefix.count)))
        }
        for own in ["/api/tunnels", "/api/tunnel", "/api/dashboard"] where path.hasPrefix(own) {
            let rest = path.dropFirst(own.count)
            if rest.isEmpty || rest.first == "/" { return .controlPlane }
        }
        return path == "/api/openapi.json" || path == "/api" || path == "/api/" ? .controlPlane : nil
    }

    /// What helps a visitor whose app asks for a path below no tunnel's prefix, in one sentence; `nil` for a path that
    /// is rather a mistyped tunnel.
    func lostPathHint(_ head: RequestHead) -> String? {
        self.lostPathHint(head.section.text(head.target, atMost: Self.longestLook))
    }

    /// The same for a target as text.
    func lostPathHint(_ target: String) -> String? {
        let path = target.prefix { $0 != "?" }
        let segments = path.split(separator: "/")
        guard segments.count > 1 || (segments.first.map { TunnelID($0) == nil } ?? false) else { return nil }
        let host = self.wildcardDomain.map { ", open it at <id>.\($0)" } ?? ""
        return "If a tunnel's app asked for this, the app uses absolute paths: tell it the path that it is served below"
            + "\(host), or set path_mode to root."
    }

    /// The tunnel that a request has passed by what an edge adds to it: the prefix that it cut off, or the visitor's host.
    func sender(of section: FieldSection) -> TunnelID? {
        if let id = section.first(.xForwardedPrefix)?.split(separator: "/").last.flatMap({ TunnelID($0) }) { return id }
        guard let host = section.first(.xForwardedHost), case .tunnel(let id) = self.place(host) else { return nil }
        return id
    }

    /// Whose a host is.
    private enum Place {
        case tunnel(TunnelID)
        case api
        /// A name below the domain of tunnels' hosts that can't be a tunnel's.
        case nobody
        case shared

        var isTunnel: Bool {
            if case .tunnel = self { true } else { false }
        }
    }

    private func place(_ host: String) -> Place {
        guard self.hostSuffix != nil || self.apiHost != nil, host.utf8.first != UInt8(ascii: "[") else {
            return .shared
        }
        var name = host.utf8.prefix { $0 != UInt8(ascii: ":") }
        // A name that is written with the root's dot is the same name (RFC 1034 §3.1).
        if name.last == UInt8(ascii: ".") { name.removeLast() }
        if let apiHost, name.equalsIgnoringCase(apiHost) { return .api }
        if let publicHost, name.equalsIgnoringCase(publicHost) { return .shared }
        guard let hostSuffix, name.suffix(hostSuffix.utf8.count).equalsIgnoringCase(hostSuffix) else { return .shared }
        let label = Substring(name.dropLast(hostSuffix.utf8.count)).lowercased()
        return TunnelID(label).map(Place.tunnel) ?? .nobody
    }
}

extension Substring.UTF8View {
    /// Whether this is a text in lower case, but for the case of its letters (RFC 9110 §4.2.3).
    fileprivate func equalsIgnoringCase(_ text: String) -> Bool {
        self.elementsEqual(text.utf8) { byte, wanted in
            ((0x41...0x5A).contains(byte) ? byte | 0x20 : byte) == wanted
        }
    }
}
