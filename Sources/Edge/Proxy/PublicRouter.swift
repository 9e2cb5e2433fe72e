// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import HTTP1

/// Finds the route of a request from its raw, undecoded target and its host.
package struct PublicRouter: Sendable {
    /// Tunnels are reached as `<id>.<wildcardDomain>` too, if set.
    let wildcardDomain: String?

    private static let connectPrefix = "/api/tunnel/connect/"

    /// - Parameter wildcardDomain: The domain below which each tunnel has a host of its own.
    package init(wildcardDomain: String?) {
        self.wildcardDomain = wildcardDomain?.lowercased()
    }

    func route(_ head: RequestHead) -> Route {
        self.route(method: head.methodText, target: head.targetText, host: head.section.first(.host) ?? "")
    }

    /// Finds the route.
    ///
    /// - Parameters:
    ///   - method: The method.
    ///   - target: The request target as it came.
    ///   - host: The value of `Host`; empty if there is none.
    func route(method: String, target: String, host: String) -> Route {
        guard method != "CONNECT" else { return .refused("CONNECT is for proxies, which this is not.") }
        let hostID = self.tunnelID(host: host)
        // The asterisk form is about a server as a whole (RFC 9112 §3.2.4): a tunnel with a host of its own is one.
        if hostID == nil || method != "OPTIONS" || target != "*" {
            guard target.utf8.first == UInt8(ascii: "/") else {
                return .refused("The request target has to begin with a slash.")
            }
        }
        if let hostID { return .tunnel(hostID, prefixLength: 0) }
        let path = target.utf8.prefix { $0 != UInt8(ascii: "?") }
        let rest = path.dropFirst()
        let segmentLength = rest.firstIndex(of: UInt8(ascii: "/")).map { rest.distance(from: rest.startIndex, to: $0) }
        let segment = Substring(rest.prefix(segmentLength ?? rest.count))
        if segment == "api" {
            if target.hasPrefix(Self.connectPrefix) {
                return .connect(tunnelID: String(Substring(path.dropFirst(Self.connectPrefix.utf8.count))))
            }
            return .controlPlane
        }
        guard let id = TunnelID(segment) else { return .none }
        return segmentLength == nil ? .missingSlash(id) : .tunnel(id, prefixLength: 1 + segment.utf8.count)
    }

    private func tunnelID(host: String) -> TunnelID? {
        guard let wildcardDomain else { return nil }
        var name = host.lowercased().prefix { $0 != ":" }
        // A name that is written with the root's dot is the same name (RFC 1034 §3.1).
        if name.last == "." { name.removeLast() }
        guard name.hasSuffix("." + wildcardDomain) else { return nil }
        return TunnelID(name.dropLast(wildcardDomain.count + 1))
    }
}
