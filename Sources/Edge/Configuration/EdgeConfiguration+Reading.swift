// SPDX-License-Identifier: Apache-2.0

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
        self.readLimits(from: &reader)
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
        self.environment = reader.value(
            "environment",
            default: self.environment,
            help: "where the edge runs, a label of logs and metrics; production is stricter"
        )
        if self.environment == .production { self.tunnels.tokenLifetime = .hours(24 * 7) }
        self.listen = reader.value(
            "listen",
            default: self.listen,
            help: "where visitors, connectors and the API connect"
        )
        self.adminListen = reader.value("admin.listen", default: self.adminListen, help: "health and metrics")
        self.publicURL = reader.optional("public.url", help: "the URL under which visitors reach this edge")
        self.wildcardDomain = reader.optional(
            "public.wildcard-domain",
            help: "serve tunnels also as <id>.<domain>, a browser origin for each"
        )
        self.certificateFile = reader.optional("tls.certificate", help: "certificate chain, PEM")
        self.privateKeyFile = reader.optional("tls.key", help: "private key, PEM")
    }

    private mutating func readCredentials(from reader: inout SettingsReader) {
        self.credentials.apiKeysFile = reader.optional("auth.api-keys-file", help: "the API keys, hashed")
        self.credentials.signingKeysFile = reader.optional("auth.signing-keys-file", help: "the keys that sign tokens")
        self.credentials.apiKey = reader.optional(
            "auth.api-key",
            help: "one API key with all rights, from the environment",
            isSecret: true
        )
        self.credentials.signingKey = reader.optional(
            "auth.signing-key",
            help: "one signing key in base 64, from the environment",
            isSecret: true
        )
    }

    private mutating func readHTTP(from reader: inout SettingsReader) {
        self.http.headTimeout = reader.value(
            "http.head-timeout",
            default: self.http.headTimeout,
            in: .seconds(1) ... .hours(24),
            help: "time for a visitor's request head"
        )
        self.http.keepAliveTimeout = reader.value(
            "http.keep-alive-timeout",
            default: self.http.keepAliveTimeout,
            in: .seconds(1) ... .hours(24),
            help: "time between two requests of a connection"
        )
        self.http.stallTimeout = reader.value(
            "http.stall-timeout",
            default: self.http.stallTimeout,
            in: .seconds(1) ... .hours(24),
            help: "time that a body may go without progress"
        )
        self.http.maxHeadSize = reader.value(
            "http.max-head-size",
            default: self.http.maxHeadSize,
            help: "largest request head"
        )
        self.http.maxFields = reader.value("http.max-fields", default: self.http.maxFields, help: "most header fields")
        self.http.maxConnections = reader.value(
            "http.max-connections",
            default: self.http.maxConnections,
            help: "most public connections"
        )
        self.http.statusMap = reader.value(
            "errors.status-map",
            default: self.http.statusMap,
            help: "cdn: no 502 and 504, whose bodies some networks replace"
        )
        self.http.trustedProxies =
            reader.optional(
                "proxies.trusted",
                as: SettingList<AddressRange>.self,
                help: "networks whose forwarding fields are believed"
            )?
            .elements ?? []
        self.http.clientIPHeader = reader.optional(
            "proxies.client-ip-header",
            help: "the field in which they name the visitor's address"
        )
    }

    private mutating func readTunnels(from reader: inout SettingsReader) {
        self.tunnels.requestTimeout = reader.value(
            "tunnel.request-timeout",
            default: self.tunnels.requestTimeout,
            in: .seconds(1) ... .hours(24),
            help: "time for the origin's response head"
        )
        self.tunnels.connectTimeout = reader.value(
            "tunnel.connect-timeout",
            default: self.tunnels.connectTimeout,
            in: .seconds(1) ... .seconds(60),
            help: "time for the connector to reach the origin"
        )
        self.tunnels.heartbeatInterval = reader.value(
            "tunnel.heartbeat-interval",
            default: self.tunnels.heartbeatInterval,
            in: .seconds(2) ... .seconds(100),
            help: "silence after which a connector is pinged"
        )
        self.tunnels.reconnectHold = reader.value(
            "tunnel.reconnect-hold",
            default: self.tunnels.reconnectHold,
            in: .zero ... .minutes(5),
            help: "time that requests wait for a connector to come back"
        )
        self.tunnels.unknownHold = reader.value(
            "tunnel.unknown-hold",
            default: self.tunnels.unknownHold,
            help: "time that requests wait for the connector of a tunnel that this edge has not met yet"
        )
        self.tunnels.idleExpiry = reader.value(
            "tunnel.idle-expiry",
            default: self.tunnels.idleExpiry,
            in: .seconds(1) ... .hours(24 * 366),
            help: "time without a connector after which a tunnel is forgotten"
        )
        self.tunnels.nameLease = reader.value(
            "tunnel.name-lease",
            default: self.tunnels.nameLease,
            in: .zero ... .hours(24 * 366),
            help: "time after that in which nobody but its owner can have its name"
        )
        self.tunnels.tokenLifetime = reader.value(
            "tunnel.token-lifetime",
            default: self.tunnels.tokenLifetime,
            in: .seconds(1) ... .hours(24 * 366),
            help: "time that a tunnel token is valid"
        )
        self.tunnels.tokenOverlap = reader.value(
            "tunnel.token-overlap",
            default: self.tunnels.tokenOverlap,
            in: .zero ... .hours(24 * 30),
            help: "time that old tokens work after a new one was asked for"
        )
        self.tunnels.maxConnections = reader.value(
            "tunnel.max-connections",
            default: self.tunnels.maxConnections,
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
        self.tunnels.maxPerKey = reader.value(
            "limits.tunnels-per-key",
            default: self.tunnels.maxPerKey,
            help: "most tunnels of an API key"
        )
        let calls = reader.value("limits.api-calls-per-second", default: 10, help: "API calls of a key")
        let failures = reader.value("limits.failed-logins-per-minute", default: 5, help: "wrong keys of an address")
        let creations = reader.value("limits.creations-per-hour", default: 30, help: "tunnels that a key makes")
        self.limits.calls = RateLimit(calls, perSeconds: 1)
        self.limits.failures = RateLimit(failures, perSeconds: 60)
        self.limits.creations = RateLimit(creations, perSeconds: 3600)
    }

    private mutating func readOperation(from reader: inout SettingsReader) {
        self.logLevel = reader.value("log.level", default: self.logLevel, help: "least severe lines to write")
        self.logFormat = reader.value("log.format", default: self.logFormat, help: "how lines look")
        self.logTimeZone = reader.value("log.timezone", default: self.logTimeZone, help: "the zone of timestamps")
        self.logFile = reader.optional("log.file", help: "a file that gets every line, too")
        self.logFileSize = reader.value(
            "log.file-size",
            default: self.logFileSize,
            help: "the size at which it is full"
        )
        self.logFileCount = reader.value(
            "log.file-count",
            default: self.logFileCount,
            help: "full files that are kept beside it"
        )
        self.shutdownDelay = reader.value(
            "shutdown.delay",
            default: self.shutdownDelay,
            help: "time in which the edge is unready but serves, so that proxies learn to go elsewhere"
        )
        self.shutdownGrace = reader.value(
            "shutdown.grace",
            default: self.shutdownGrace,
            in: .zero ... .hours(24),
            help: "time for requests in flight when the edge stops"
        )
        self.eventLoops = reader.value(
            "event-loops",
            default: self.eventLoops,
            help: "threads that carry connections; 0 for one a core"
        )
    }

    /// What can only be said of several settings together.
    private func check(_ reader: inout SettingsReader) {
        if self.isDevelopment {
            for (key, address) in [("listen", self.listen), ("admin.listen", self.adminListen)]
            where !address.isLoopback {
                reader.report(key, "with --dev only loopback addresses are allowed, since its keys are printed")
            }
        } else {
            if self.credentials.apiKeysFile == nil, self.credentials.apiKey == nil {
                reader.report(
                    "auth.api-keys-file",
                    "there is no API key: make one with culvert-edge credentials new, or try --dev"
                )
            }
            if self.credentials.signingKeysFile == nil, self.credentials.signingKey == nil {
                reader.report(
                    "auth.signing-keys-file",
                    "there is no key to sign tokens with: culvert-edge credentials new makes one, too"
                )
            }
        }
        for problem in self.productionProblems() { reader.report(problem.key, problem.message) }
        if (self.certificateFile == nil) != (self.privateKeyFile == nil) {
            reader.report("tls.certificate", "tls.certificate and tls.key need each other")
        }
        if let publicURL = self.publicURL, !Self.isPublicURL(publicURL) {
            reader.report("public.url", "\"\(publicURL)\" is not an http or https URL without path and query")
        }
        if let secret = self.credentials.signingKey, SigningKey(kid: "env", secret: secret).bytes?.count ?? 0 < 32 {
            reader.report("auth.signing-key", "the key has to be base 64 of at least 32 bytes")
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
