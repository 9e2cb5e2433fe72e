// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeControl
import EdgeProxy
import EdgeTunnels
import Logging
import NIOCore

/// Everything that `culvert-edge` can be set to.
struct EdgeConfiguration: Sendable {
    /// Where the page is for who has an API key.
    enum DashboardPlace: String, CaseIterable, SettingValue {
        /// At the admin listener.
        case admin
        /// At ``apiHost``, too.
        case publicly = "public"
        case off
    }

    /// How log lines look.
    enum LogFormat: String, CaseIterable, SettingValue {
        /// For people.
        case text
        /// One JSON object a line.
        case json
        /// ``text`` on a terminal, else ``json``.
        case auto
    }

    /// Bounds and time-outs of the public listener and the requests on it.
    struct HTTP: Sendable {
        var headTimeout = TimeAmount.seconds(10)
        var keepAliveTimeout = TimeAmount.seconds(75)
        var stallTimeout = TimeAmount.seconds(60)
        var maxHeadSize = ByteCount(64 << 10)
        var maxFields = 128
        var maxConnections = 10_000
        var maxConnectionsPerAddress = 4_000
        var maxUnfinishedSize = ByteCount(32 << 20)
        var statusMap = VisitorError.StatusMap.rfc
        var trustedProxies: [AddressRange] = []
        /// Whether connections of these begin with a header of the PROXY protocol.
        var takesProxyHeaders = false
        var clientIPHeader: String?
    }

    /// What applies to each tunnel.
    struct Tunnels: Sendable {
        var requestTimeout = TimeAmount.seconds(100)
        var connectTimeout = TimeAmount.seconds(5)
        var heartbeatInterval = TimeAmount.seconds(10)
        var reconnectHold = TimeAmount.seconds(5)
        var resume = TimeAmount.seconds(30)
        var unknownHold = TimeAmount.zero
        var idleExpiry = TimeAmount.hours(24)
        var nameLease = TimeAmount.hours(24 * 7)
        var tokenLifetime = TimeAmount.hours(24 * 30)
        var tokenOverlap = TimeAmount.minutes(10)
        var maxConnections = 100
        var maxPerKey = 100
        var reservedNames: [String] = []
        var originReuse = OriginReuse.safe
    }

    /// What applies to tunnels of TCP.
    struct TCP: Sendable {
        var ports: PortRange?
        var listen = "0.0.0.0"
        var host: String?
        var maxConnections = 10_000
        var maxConnectionsPerAddress = 1_000
        var idleTimeout: TimeAmount?
        /// Whether connections of ``HTTP/trustedProxies`` begin with a header of the PROXY protocol.
        var takesProxyHeaders = false
        /// Where tunnels of TLS are reached.
        var passthrough: ListenAddress?
    }

    /// What the edge's memory is shared with.
    struct Cluster: Sendable {
        /// Where Redis is; `nil` for an edge that remembers by itself, until it ends.
        var redisURL: String?
        var redisPasswordFile: String?
        var sentinelPasswordFile: String?
        var redisCAFile: String?
        var redisPrefix = "cv:"
        var lease = TimeAmount.seconds(10)
        /// Where other edges come for tunnels that are here; `nil` for an edge that serves its own alone.
        var listen: ListenAddress?
        /// Where they reach that, as `HOST:PORT`.
        var advertise: ListenAddress?
        /// The certificate that this edge shows to others, its key, and the authority whose certificates it takes; `nil` where
        /// links are not encrypted.
        var certificateFile: String?
        var privateKeyFile: String?
        var authorityFile: String?
        /// The same by the settings that name them, all of which are needed if one is.
        var tlsFiles: [(setting: String, path: String?)] {
            [
                ("cluster.tls.certificate", self.certificateFile), ("cluster.tls.key", self.privateKeyFile),
                ("cluster.tls.ca", self.authorityFile),
            ]
        }
        var maxGuests = 65_536
        /// Whether connectors are asked to go elsewhere where this edge has more of them than others.
        var rebalance = false
    }

    /// Where credentials come from.
    struct Credentials: Sendable {
        var apiKeysFile: String?
        var signingKeysFile: String?
        var apiKey: String?
        var signingKey: String?
    }

    var isDevelopment = false
    var listen = ListenAddress(host: "0.0.0.0", port: 8989)
    var dashboard = DashboardPlace.admin
    var adminListen = ListenAddress(host: "127.0.0.1", port: 8990)
    var publicURL: String?
    var wildcardDomain: String?
    /// Whether tunnels are reached as `/<id>/`.
    var hasPathMode = true
    /// Whether requests of tunnels' pages that lack `/<id>` are led back.
    var hasPathFallback = true
    /// The one host of the control API and of connectors.
    var apiHost: String?
    var certificateFile: String?
    var privateKeyFile: String?
    var environment = RunEnvironment.sandbox
    var shutdownDelay = TimeAmount.zero
    var shutdownGrace = TimeAmount.seconds(30)
    /// How many event loops, and so threads, carry connections; 0 for one for two processors.
    var eventLoops = 0
    var logLevel = Logger.Level.info
    var logFormat = LogFormat.auto
    var logTimeZone = LogTimeZone.utc
    var logFile: String?
    var logFileSize = ByteCount(10 << 20)
    var logFileCount = 5
    var http = HTTP()
    var tunnels = Tunnels()
    var tcp = TCP()
    var limits = APILimits.Settings()
    /// How many connectors are let in a second when a crowd of them arrives.
    var connectsPerSecond = ConnectPace.defaultPerSecond
    var credentials = Credentials()
    var cluster = Cluster()
    var inbox = Inbox()

    /// The host of ``publicURL``, without a port.
    var publicHost: String? {
        self.publicURL.map { url in
            let authority = url.drop { $0 != ":" }.drop { $0 == ":" || $0 == "/" }.prefix { $0 != "/" }
            return String(authority.prefix { $0 != ":" })
        }
    }

    /// The URL under which the edge is reached, without a trailing slash.
    ///
    /// - Parameter address: Where the public listener listens, once it does.
    func effectivePublicURL(listeningOn address: ListenAddress) -> String {
        if let publicURL = self.publicURL {
            return publicURL.hasSuffix("/") ? String(publicURL.dropLast()) : publicURL
        }
        return self.localURL(listeningOn: address)
    }

    /// The URL under which this machine reaches the edge.
    ///
    /// - Parameter address: Where the public listener listens, once it does.
    func localURL(listeningOn address: ListenAddress) -> String {
        let scheme = self.certificateFile == nil ? "http" : "https"
        var reachable = address
        if reachable.host == "0.0.0.0" { reachable.host = "127.0.0.1" }
        if reachable.host == "::" { reachable.host = "::1" }
        return "\(scheme)://\(reachable)"
    }
}

extension Logger.Level: SettingValue {
    /// Takes `warn`, too: log lines and other programs spell it so.
    init?(setting text: String) { self.init(rawValue: text == "warn" ? "warning" : text) }
}

extension OriginReuse: SettingValue {}
extension VisitorError.StatusMap: SettingValue {}
