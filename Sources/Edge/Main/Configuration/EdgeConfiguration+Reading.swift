// SPDX-License-Identifier: Apache-2.0

import EdgeControl
import EdgeTunnels
import Logging
import NIOCore

extension EdgeConfiguration {
    /// Reads the configuration.
    ///
    /// - Parameter reader: Where to read from; afterwards it holds every setting and every problem.
    init(from reader: inout SettingsReader) {
        self.init()
        self.readListeners(from: &reader)
        self.readCredentials(from: &reader)
        self.readHTTP(from: &reader)
        self.readTunnels(from: &reader)
        self.readTCP(from: &reader)
        self.readLimits(from: &reader)
        self.readCluster(from: &reader)
        self.readInbox(from: &reader)
        self.readOperation(from: &reader)
        reader.reportUnknownKeys()
        self.check(&reader)
    }

    private mutating func readListeners(from reader: inout SettingsReader) {
        self.isDevelopment = reader.value(
            "dev",
            default: false,
            help: "loopback only, nothing kept, credentials made for the run"
        )
        if self.isDevelopment {
            self.listen.host = "127.0.0.1"
            self.environment = .local
        }
        reader.read(
            "environment",
            into: &self.environment,
            help: "where the edge runs, a label of logs and metrics; production is stricter"
        )
        if self.environment == .production { self.tunnels.tokenLifetime = .hours(24 * 7) }
        reader.read("listen", into: &self.listen, help: "where visitors, connectors and the API connect")
        reader.read("admin.listen", into: &self.adminListen, help: "health and metrics")
        reader.read(
            "dashboard",
            into: &self.dashboard,
            help:
                "where the page for who has an API key is: at the admin listener, public (public.api-host, too), or off"
        )
        reader.read("public.url", into: &self.publicURL, help: "the URL under which visitors reach this edge")
        // Every name below localhost is this machine's own (RFC 6761 §6.3): of no use to who comes from elsewhere.
        if self.isDevelopment, self.publicURL == nil { self.wildcardDomain = "localhost" }
        reader.read(
            "public.wildcard-domain",
            into: &self.wildcardDomain,
            help: "serve tunnels also as {id}.{domain}, a browser origin for each"
        )
        reader.read(
            "public.path-mode",
            into: &self.hasPathMode,
            help: "serve tunnels as /{id}/ too; off where tenants don't trust each other, which needs a wildcard domain"
        )
        reader.read(
            "public.path-fallback",
            into: &self.hasPathFallback,
            help: "lead requests of tunnels' pages that lack /{id} back to their tunnel"
        )
        reader.read(
            "public.api-host",
            into: &self.apiHost,
            help: "the one host of the API and of connectors, so that every /api/ elsewhere is an app's"
        )
        reader.read("tls.certificate", into: &self.certificateFile, help: "certificate chain, PEM")
        reader.read("tls.key", into: &self.privateKeyFile, help: "private key, PEM")
    }

    private mutating func readCredentials(from reader: inout SettingsReader) {
        reader.read("auth.api-keys-file", into: &self.credentials.apiKeysFile, help: "the API keys, hashed")
        reader.read(
            "auth.signing-keys-file",
            into: &self.credentials.signingKeysFile,
            help: "the keys that sign tokens"
        )
        reader.read(
            "auth.api-key",
            into: &self.credentials.apiKey,
            help: "one API key with all rights, from the environment",
            isSecret: true
        )
        reader.read(
            "auth.signing-key",
            into: &self.credentials.signingKey,
            help: "one signing key in base 64, from the environment",
            isSecret: true
        )
    }

    private mutating func readHTTP(from reader: inout SettingsReader) {
        reader.read(
            "http.head-timeout",
            into: &self.http.headTimeout,
            in: .seconds(1) ... .hours(24),
            help: "time for a visitor's request head"
        )
        reader.read(
            "http.keep-alive-timeout",
            into: &self.http.keepAliveTimeout,
            in: .seconds(1) ... .hours(24),
            help: "time between two requests of a connection"
        )
        reader.read(
            "http.stall-timeout",
            into: &self.http.stallTimeout,
            in: .seconds(1) ... .hours(24),
            help: "time that a body may go without progress"
        )
        reader.read(
            "http.max-head-size",
            into: &self.http.maxHeadSize,
            in: ByteCount(1 << 10)...ByteCount(1 << 20),
            help: "largest request head"
        )
        reader.read("http.max-fields", into: &self.http.maxFields, in: 8...10_000, help: "most header fields")
        reader.read(
            "http.max-connections",
            into: &self.http.maxConnections,
            in: 1...10_000_000,
            help: "most public connections, of which a tenth is kept for connectors and the API"
        )
        reader.read(
            "http.max-connections-per-address",
            into: &self.http.maxConnectionsPerAddress,
            in: 1...10_000_000,
            help: "most public connections of one address that is no trusted proxy's"
        )
        reader.read(
            "http.max-unfinished-size",
            into: &self.http.maxUnfinishedSize,
            in: ByteCount(1 << 20)...ByteCount(1 << 40),
            help: "what all unfinished requests hold together; beyond it the oldest is given up"
        )
        reader.read(
            "http.proxy-protocol",
            into: &self.http.takesProxyHeaders,
            help: "whether proxies.trusted begin public connections with a PROXY header"
        )
        reader.read(
            "errors.status-map",
            into: &self.http.statusMap,
            help: "cdn: no 502 and 504, whose bodies some networks replace"
        )
        self.http.trustedProxies =
            reader.optional(
                "proxies.trusted",
                as: SettingList<AddressRange>.self,
                help: "networks whose forwarding fields are believed"
            )?
            .elements ?? []
        reader.read(
            "proxies.client-ip-header",
            into: &self.http.clientIPHeader,
            help: "the field in which they name the visitor's address"
        )
    }

    private mutating func readTunnels(from reader: inout SettingsReader) {
        reader.read(
            "tunnel.request-timeout",
            into: &self.tunnels.requestTimeout,
            in: .seconds(1) ... .hours(24),
            help: "time for the origin's response head"
        )
        reader.read(
            "tunnel.connect-timeout",
            into: &self.tunnels.connectTimeout,
            in: .seconds(1) ... .seconds(60),
            help: "time for the connector to reach the origin"
        )
        reader.read(
            "origin.reuse",
            into: &self.tunnels.originReuse,
            help: "safe: a connection to an origin serves requests that can be sent again; never"
        )
        reader.read(
            "tunnel.heartbeat-interval",
            into: &self.tunnels.heartbeatInterval,
            in: .seconds(2) ... .seconds(100),
            help: "silence after which a connector is pinged"
        )
        reader.read(
            "tunnel.reconnect-hold",
            into: &self.tunnels.reconnectHold,
            in: .zero ... .minutes(5),
            help: "time that requests wait for a connector to come back, or to answer again"
        )
        reader.read(
            "tunnel.resume",
            into: &self.tunnels.resume,
            in: .zero ... .minutes(10),
            help: "time that what is under way waits for a connector that has lost its connection; 0s: none"
        )
        reader.read(
            "tunnel.unknown-hold",
            into: &self.tunnels.unknownHold,
            in: .zero ... .minutes(5),
            help: "time that requests wait for the connector of a tunnel that this edge has not met yet"
        )
        reader.read(
            "tunnel.idle-expiry",
            into: &self.tunnels.idleExpiry,
            in: .seconds(1) ... .hours(24 * 366),
            help: "time without a connector after which a tunnel is forgotten"
        )
        reader.read(
            "tunnel.name-lease",
            into: &self.tunnels.nameLease,
            in: .zero ... .hours(24 * 366),
            help: "time after that in which nobody but its owner can have its name"
        )
        reader.read(
            "tunnel.token-lifetime",
            into: &self.tunnels.tokenLifetime,
            in: .seconds(1) ... .hours(24 * 366),
            help: "time that a tunnel token is valid; 7d where environment is production"
        )
        reader.read(
            "tunnel.token-overlap",
            into: &self.tunnels.tokenOverlap,
            in: .zero ... .hours(24 * 30),
            help: "time that old tokens work after a new one was asked for"
        )
        reader.read(
            "tunnel.max-connections",
            into: &self.tunnels.maxConnections,
            in: 1...10_000,
            help: "most connector connections of a tunnel"
        )
        self.tunnels.reservedNames =
            reader.optional(
                "tunnel.reserved-names",
                as: SettingList<String>.self,
                help: "names that nobody can have"
            )?
            .elements ?? []
    }

    private mutating func readLimits(from reader: inout SettingsReader) {
        let bounds = 1...1_000_000_000
        var (calls, failures, creations) = (10, 5, 30)
        if self.isDevelopment {
            // One person starts and stops all afternoon, and nobody else is there.
            (creations, self.tunnels.maxPerKey) = (1_000_000, 10_000)
        }
        reader.read(
            "limits.tunnels-per-key",
            into: &self.tunnels.maxPerKey,
            in: bounds,
            help: "most tunnels of an API key"
        )
        reader.read("limits.api-calls-per-second", into: &calls, in: bounds, help: "API calls of a key")
        reader.read("limits.failed-logins-per-minute", into: &failures, in: bounds, help: "wrong keys of an address")
        reader.read("limits.creations-per-hour", into: &creations, in: bounds, help: "tunnels that a key makes")
        reader.read(
            "limits.connects-per-second",
            into: &self.connectsPerSecond,
            in: bounds,
            help: "connectors that are let in a second when a crowd of them arrives"
        )
        self.limits.calls = RateLimit(calls, perSeconds: 1)
        self.limits.failures = RateLimit(failures, perSeconds: 60)
        self.limits.creations = RateLimit(creations, perSeconds: 3600)
    }

    private mutating func readOperation(from reader: inout SettingsReader) {
        reader.read("log.level", into: &self.logLevel, help: "least severe lines to write")
        reader.read("log.format", into: &self.logFormat, help: "how lines look")
        reader.read("log.timezone", into: &self.logTimeZone, help: "the zone of timestamps")
        reader.read("log.file", into: &self.logFile, help: "a file that gets every line, too")
        reader.read(
            "log.file-size",
            into: &self.logFileSize,
            in: ByteCount(4 << 10)...ByteCount(1 << 40),
            help: "the size at which it is full"
        )
        reader.read(
            "log.file-count",
            into: &self.logFileCount,
            in: 1...1000,
            help: "full files that are kept beside it"
        )
        reader.read(
            "shutdown.delay",
            into: &self.shutdownDelay,
            in: .zero ... .hours(24),
            help: "time in which the edge is unready but serves, so that proxies learn to go elsewhere"
        )
        reader.read(
            "shutdown.grace",
            into: &self.shutdownGrace,
            in: .zero ... .hours(24),
            help: "time for requests in flight when the edge stops"
        )
        reader.read(
            "event-loops",
            into: &self.eventLoops,
            in: 0...1024,
            help: "threads that carry connections; 0 for one for two processors"
        )
    }

    /// What can only be said of several settings together.
    private func check(_ reader: inout SettingsReader) {
        guard !reader.hasUnreadableFile else { return }
        if self.isDevelopment {
            for (key, address) in [("listen", self.listen), ("admin.listen", self.adminListen)]
            where !address.isLoopback {
                reader.report(key, "with --dev only loopback addresses are allowed, since its keys are printed")
            }
        } else {
            if self.credentials.apiKeysFile == nil, self.credentials.apiKey == nil {
                reader.report(
                    "auth.api-keys-file",
                    "there is no API key: culvert-edge credentials new makes one in api-keys.json, which this setting "
                        + "has to name, as --auth-api-keys-file api-keys.json; or --config names the file of settings, "
                        + "/etc/culvert/edge.yaml where a package is installed; or try --dev"
                )
            }
            if self.credentials.signingKeysFile == nil, self.credentials.signingKey == nil {
                reader.report(
                    "auth.signing-keys-file",
                    "there is no key to sign tokens with: culvert-edge credentials new makes one, too, in "
                        + "signing-keys.json, which this setting has to name"
                )
            }
        }
        self.checkTCP(&reader)
        self.checkInbox(&reader)
        if self.listen == self.adminListen, self.listen.port != 0 {
            reader.report("admin.listen", "listen has the same address: health and metrics need one of their own")
        }
        for problem in self.productionProblems() { reader.report(problem.key, problem.message) }
        if (self.certificateFile == nil) != (self.privateKeyFile == nil) {
            reader.report("tls.certificate", "tls.certificate and tls.key need each other")
        }
        if let domain = self.wildcardDomain, !Self.isDomain(domain) {
            reader.report("public.wildcard-domain", "\"\(domain)\" is not a domain such as tunnels.example.com")
        }
        if !self.hasPathMode, self.wildcardDomain == nil {
            reader.report("public.path-mode", "without public.wildcard-domain no tunnel would be reached")
        }
        if self.dashboard == .publicly, self.apiHost == nil {
            reader.report(
                "dashboard",
                "public needs public.api-host: beside tunnels their pages could act for who signs in"
            )
        }
        if let apiHost = self.apiHost, !Self.isDomain(apiHost) {
            reader.report("public.api-host", "\"\(apiHost)\" is not a host name such as api.example.com")
        }
        if let publicURL = self.publicURL, !Self.isPublicURL(publicURL) {
            reader.report("public.url", "\"\(publicURL)\" is not an http or https URL without path and query")
        }
        if let key = self.credentials.apiKey {
            // Not a password: nothing slows down who guesses from many addresses.
            let least = self.isDevelopment ? 1 : 16
            if key.utf8.count < least || !key.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) {
                reader.report("auth.api-key", "the key has to be at least \(least) ASCII characters without a space")
            }
        }
        if let secret = self.credentials.signingKey, SigningKey(kid: "env", secret: secret).bytes?.count ?? 0 < 32 {
            reader.report("auth.signing-key", "the key has to be base 64 of at least 32 bytes")
        }
    }

    static func isDomain(_ text: String) -> Bool {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        return text.utf8.count <= 180
            && labels.allSatisfy { label in
                (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                    && label.utf8.allSatisfy { byte in
                        switch byte {
                        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
                        default: false
                        }
                    }
            }
    }

    private static func isPublicURL(_ text: String) -> Bool {
        let rest: Substring
        if text.hasPrefix("https://") {
            rest = text.dropFirst(8)
        } else if text.hasPrefix("http://") {
            rest = text.dropFirst(7)
        } else {
            return false
        }
        let authority = rest.hasSuffix("/") ? rest.dropLast() : rest
        return !authority.isEmpty && authority.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") }
            && !authority.contains(where: { "?#@\\\"".contains($0) })
    }
}
