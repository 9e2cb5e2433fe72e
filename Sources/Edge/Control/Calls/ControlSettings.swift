// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Settings that may change while the edge runs.
package final class LiveSettings: Sendable {
    private let settings: Mutex<ControlSettings>

    /// Makes the holder of the settings.
    package init(_ settings: ControlSettings) {
        self.settings = Mutex(settings)
    }

    /// The settings of the moment.
    package var current: ControlSettings {
        get { self.settings.withLock { $0 } }
        set { self.settings.withLock { $0 = newValue } }
    }
}

/// What the control API is set to.
package struct ControlSettings: Equatable, Sendable {
    /// The URL under which visitors and connectors reach this edge, without a trailing slash (`public.url`).
    package var publicURL: String
    /// The domain below which each tunnel has a host of its own (`public.wildcard-domain`).
    package var wildcardDomain: String?
    /// Whether tunnels are reached as `/<id>/` (`public.path-mode`).
    package var hasPathMode = true
    /// The port of tunnels of TLS, each of which has a host below ``wildcardDomain``; `nil` if there is none.
    package var tlsPort: Int?
    /// The host that the URLs of tunnels of TCP name (`tcp.host`).
    package var tcpHost = "127.0.0.1"
    /// The one host of the control API and of connectors (`public.api-host`).
    package var apiHost: String?
    /// The names that nobody can have.
    package var reservedNames: Set<String> = ControlSettings.alwaysReserved
    /// For how long a tunnel token is valid, in seconds (`tunnel.token-lifetime`).
    package var tokenLifetime: TimeInterval = 30 * 86_400
    /// For how long the old tokens of a tunnel work after a new one was asked for, in seconds (`tunnel.token-overlap`).
    package var tokenOverlap: TimeInterval = 600
    /// The most sessions that a policy may ask for (`tunnel.max-connections`).
    package var maxConnections = 100

    /// Sets what the API is set to.
    package init(
        publicURL: String,
        reservedNames: Set<String> = ControlSettings.alwaysReserved,
        tokenLifetime: TimeInterval = 30 * 86_400,
        tokenOverlap: TimeInterval = 600,
        maxConnections: Int = 100
    ) {
        self.publicURL = publicURL
        self.reservedNames = reservedNames
        self.tokenLifetime = tokenLifetime
        self.tokenOverlap = tokenOverlap
        self.maxConnections = maxConnections
    }

    /// Names that stand for something else in a path, of visitors or of the API.
    package static let alwaysReserved: Set<String> = ["api", "healthz", "readyz", "metrics", "create", "list"]

    /// A policy's schema within the bounds of this edge.
    func bounded(_ schema: PolicySchema) -> PolicySchema {
        schema.limiting("max_connections", to: self.maxConnections)
    }

    /// The URLs under which visitors reach a tunnel, with their trailing slash: the one at a host of its own first, where
    /// any app works.
    ///
    /// A tunnel of TCP has one URL, without a slash.
    package func urls(of id: TunnelID, _ form: TunnelForm = .http) -> [String] {
        // Where to ask for access, as `culvert access` takes it.
        if form.isPrivate { return ["culvert+\(self.apiURL)/\(id)"] }
        if form.kind == .tls {
            return ["tls://\(id).\(self.wildcardDomain ?? "localhost"):\(self.tlsPort ?? 443)"]
        }
        if form.kind == .tcp {
            let host = self.tcpHost.contains(":") ? "[\(self.tcpHost)]" : self.tcpHost
            return [form.port.map { "tcp://\(host):\($0)" } ?? "tcp://\(host)"]
        }
        let host = self.wildcardDomain.map { "\(self.url(host: "\(id).\($0)"))/" }
        let path = self.hasPathMode ? "\(self.publicURL)/\(id)/" : nil
        return [host, path].compactMap { $0 }
    }

    /// The URL to tell people.
    package func url(of id: TunnelID, _ form: TunnelForm = .http) -> String {
        self.urls(of: id, form).first ?? "\(self.publicURL)/\(id)/"
    }

    /// The URL of the control API, which is also where connectors connect, without a trailing slash.
    package var apiURL: String { self.apiHost.map(self.url(host:)) ?? self.publicURL }

    /// The public URL with another host, and the same scheme and port.
    private func url(host: String) -> String {
        let scheme = self.publicURL.prefix { $0 != ":" }
        let authority = self.publicURL.dropFirst(scheme.count).drop { $0 == ":" || $0 == "/" }
        // The brackets of an IPv6 address have colons that are no port's.
        let afterAddress = authority.lastIndex(of: "]") ?? authority.startIndex
        let port = authority[afterAddress...].lastIndex(of: ":").map { authority[$0...] } ?? ""
        return "\(scheme)://\(host)\(port)"
    }
}
