// SPDX-License-Identifier: Apache-2.0

/// A flag of another program that people type here out of habit, and what it is called here.
struct FamiliarFlag: Sendable {
    /// What to do with the flag.
    enum Meaning: Equatable, Sendable {
        /// It is taken for these words; the value follows the last one.
        case alias([String])
        /// The same, and its value is a host or a URL, of which the first label counts.
        case label(String)
        /// It is taken for a flag without a value: ngrok's flags of that kind may have `=true`, or `=false`.
        case toggle(String)
        /// It is refused, with this advice.
        case advice(String)
    }

    /// The spellings, without the hyphens in front and with hyphens inside.
    var names: [String]
    var meaning: Meaning
    /// The advice of commands for connections instead of requests, `tcp` and `tls`, where it is another one.
    var adviceForConnections: String?
    /// What commands call it that do have it, which need no advice.
    var option: String?

    /// Whether a flag stands for another one.
    var isAlias: Bool {
        if case .advice = self.meaning { false } else { true }
    }

    /// Finds what a flag means; frp spells `local_port` what others spell `local-port`.
    ///
    /// - Parameter flag: The flag with its hyphens, without a value.
    static func named(_ flag: String) -> FamiliarFlag? {
        guard flag.hasPrefix("-") else { return nil }
        let name = String(flag.drop { $0 == "-" }).replacing("_", with: "-")
        return self.byName[name]
    }

    private static let byName = Dictionary(
        uniqueKeysWithValues: all.flatMap { flag in flag.names.map { ($0, flag) } }
    )

    private init(_ names: String..., alias words: String...) {
        self.init(names: names, meaning: .alias(words))
    }

    private init(_ names: String..., label word: String) {
        self.init(names: names, meaning: .label(word))
    }

    private init(_ names: String..., toggle word: String) {
        self.init(names: names, meaning: .toggle(word))
    }

    private init(_ names: String..., advice: String, forConnections: String? = nil, option: String? = nil) {
        self.init(names: names, meaning: .advice(advice))
        self.adviceForConnections = forConnections
        self.option = option
    }

    private init(names: [String], meaning: Meaning) {
        self.names = names
        self.meaning = meaning
    }

    /// The flags of ngrok, cloudflared and frp.
    static let all: [FamiliarFlag] = [
        FamiliarFlag(
            "url",
            "domain",
            "hostname",
            "subdomain",
            "sd",
            "custom-domain",
            "custom-domains",
            "proxy-name",
            "n",
            label: "--name"
        ),
        FamiliarFlag("cidr-allow", "allow-cidr", "allow", alias: "--ip-allow"),
        FamiliarFlag("cidr-deny", "deny-cidr", "deny", alias: "--ip-deny"),
        FamiliarFlag("auth", "http-auth", alias: "--basic-auth"),
        FamiliarFlag("http-host-header", "host-header-rewrite", alias: "--host-header"),
        FamiliarFlag("no-tls-verify", "allow-invalid-cert", alias: "--origin-tls-verify", "off"),
        FamiliarFlag("origin-ca-pool", "upstream-tls-verify-cas", "local-ca", alias: "--origin-ca-file"),
        FamiliarFlag("ha-connections", "pool-count", alias: "--connections"),
        FamiliarFlag(
            "insecure",
            "k",
            "skip-verify",
            "root-cas",
            "origincert",
            "tls-ca",
            "tls-skip-verify",
            "fingerprint",
            advice:
                "--ca-file FILE has the certificates that the edge is trusted by; a local server's: --origin-tls-verify off."
        ),
        FamiliarFlag("loglevel", alias: "--log-level"),
        FamiliarFlag("pooling-enabled", toggle: "--pool"),
        FamiliarFlag("print-requests", toggle: "--log-requests"),
        FamiliarFlag("p", "port", "local-port", "l", advice: "The port is an argument: culvert http 3000."),
        FamiliarFlag(
            "local-ip",
            "i",
            "local-addr",
            "local-host",
            advice: "The address is an argument: culvert http 192.0.2.7:3000."
        ),
        FamiliarFlag("unix-socket", advice: "A socket is an argument: culvert http unix:/run/app.sock."),
        FamiliarFlag("hello-world", "static", "dir", advice: "A folder is an argument: culvert http ./folder."),
        FamiliarFlag(
            "local-https",
            advice: "A local server with TLS is an argument: culvert http https://localhost:8443."
        ),
        FamiliarFlag(
            "authtoken",
            "t",
            "api-key",
            "apikey",
            "key",
            "secret",
            advice: "culvert login stores the API key, once for all."
        ),
        FamiliarFlag(
            "token",
            "token-file",
            "credentials-file",
            "credentials-contents",
            "cred-file",
            advice: "A tunnel is served with its token by culvert connect --token-file FILE --to 3000."
        ),
        FamiliarFlag(
            "region",
            "server-addr",
            "server-port",
            "server",
            "s",
            "P",
            "remote",
            "api",
            "to",
            "host",
            advice: "--edge URL names the edge, and culvert login stores it."
        ),
        FamiliarFlag(
            "remote-port",
            "r",
            "remote-addr",
            advice: "A port of the edge is for TCP: culvert tcp 22 --port 20022."
        ),
        FamiliarFlag("config", "c", "all", advice: "A file of tunnels is served by culvert start --config FILE."),
        FamiliarFlag(
            "log",
            "logfile",
            "log-file",
            "log-directory",
            "log-max-days",
            "agent-log",
            "trace-output",
            advice: "Log lines go to standard error: redirect it with 2> FILE; --log-format json is for programs."
        ),
        FamiliarFlag(
            "lifetime",
            "ttl",
            "expires",
            "expires-in",
            advice: "The edge decides how long a token lives, by tunnel.token-lifetime; connectors renew theirs.",
            option: "--lifetime"
        ),
        FamiliarFlag("web-addr", "web-port", advice: "--inspect ADDRESS says where requests can be looked at."),
        FamiliarFlag(
            "scheme",
            "schemes",
            "bind-tls",
            "tls-enable",
            advice: "The edge decides on http or https: its setting public.url."
        ),
        FamiliarFlag(
            "oauth",
            "oauth-provider",
            "oauth-allow-email",
            "oauth-allow-domain",
            "oauth-client-id",
            "oauth-client-secret",
            "oauth-scope",
            "oidc",
            "oidc-client-id",
            "oidc-client-secret",
            advice:
                "Visitors can be asked for a password, with --basic-auth; OAuth is for a proxy before your server."
        ),
        FamiliarFlag("http-user", "http-pwd", "http-password", advice: "Both in one: --basic-auth USER:PASSWORD."),
        FamiliarFlag(
            "traffic-policy-file",
            "traffic-policy-url",
            "policy-file",
            advice: "A policy is flags here (culvert http --help), or “policy” of a tunnel in a file for culvert start."
        ),
        FamiliarFlag(
            "verify-webhook",
            "verify-webhook-provider",
            "verify-webhook-secret",
            advice:
                "The inbox of a tunnel checks signatures: culvert inbox set NAME --path '/hooks/*' --verify github --secret-file FILE."
        ),
        FamiliarFlag(
            "mutual-tls-cas",
            "client-cas",
            advice: "What ends TLS in front of the edge asks for certificates of clients."
        ),
        FamiliarFlag(
            "crt",
            "tls-crt",
            "tls-cert",
            "tls-key",
            "terminate-at",
            advice: "TLS ends at the edge, or at your own server: culvert tls 8443."
        ),
        FamiliarFlag("local-cert", "local-key", advice: "A connector shows your server no certificate of its own."),
        FamiliarFlag(
            "tls-server-name",
            "sni",
            advice: "The edge has to show a certificate for the host of --edge URL."
        ),
        FamiliarFlag("request-header-add", "request-header-remove", "header", advice: Self.ownServer),
        FamiliarFlag("response-header-add", "response-header-remove", advice: Self.ownServer),
        FamiliarFlag("ua-filter-allow", "ua-filter-deny", advice: Self.ownServer),
        FamiliarFlag("compression", "use-compression", "uc", "circuit-breaker", "locations", advice: Self.ownServer),
        FamiliarFlag("no-chunked-encoding", "disable-chunked-encoding", advice: Self.ownServer),
        FamiliarFlag(
            "http2",
            "http2-origin",
            "app-protocol",
            "upstream-protocol",
            advice: "Your server is asked by HTTP/1.1. One that speaks HTTP/2 itself is served by culvert tls 8443."
        ),
        FamiliarFlag(
            "upstream-tls-verify",
            advice: "An https:// target has to show a trusted certificate, unless there is --origin-tls-verify off."
        ),
        FamiliarFlag(
            "proxy-proto",
            "proxy-protocol",
            "proxy-protocol-version",
            advice:
                "An HTTP server is told the visitor's address in X-Forwarded-For; culvert tcp and culvert tls have "
                + "--proxy-protocol v2.",
            forConnections: "It is --proxy-protocol v1 or v2."
        ),
        FamiliarFlag(
            "websocket-tcp-converter",
            "socks5",
            "bastion",
            "proxy-address",
            "proxy-port",
            "plugin",
            advice: "A tunnel leads to one server: one that does not speak HTTP is served by culvert tcp 22."
        ),
        FamiliarFlag(
            "binding",
            "bindings",
            "role",
            "sk",
            "secret-key",
            "bind-addr",
            "bind-port",
            "allow-users",
            "server-name",
            "server-user",
            advice: "--private makes a tunnel without a public address; culvert access NAME is for its visitors."
        ),
        FamiliarFlag(
            "group",
            "group-key",
            "lb-pool",
            advice: "--pool has several connectors share the visitors of a tunnel with --name."
        ),
        FamiliarFlag("description", "metadata", "metadatas", "annotations", advice: Self.nameAlone),
        FamiliarFlag("label", "labels", "tag", "tags", "user", "u", advice: Self.nameAlone),
        FamiliarFlag(
            "bandwidth-limit",
            "bandwidth-limit-mode",
            "max-active-flows",
            "rate-limit",
            "limit",
            advice: "--requests-per-second and --max-requests-per-visitor limit what visitors ask for.",
            forConnections: "--bytes-per-second and --max-visitors limit connections."
        ),
        FamiliarFlag(
            "connect-timeout",
            "proxy-connect-timeout",
            "proxy-tls-timeout",
            "proxy-keepalive-connections",
            "proxy-keepalive-timeout",
            advice: "--request-timeout SECONDS is the time that your server has for an answer; no other is set here.",
            forConnections:
                "Your server has as long for an answer as it wants: a connection has no time-out of that kind."
        ),
        FamiliarFlag("verbose", "v", "debug", "vv", advice: "--log-level debug logs more."),
        FamiliarFlag("dev", advice: "The server is a program of its own: culvert-edge --dev."),
        FamiliarFlag("quiet", "q", "silent", advice: "--log-level error logs less."),
        FamiliarFlag(
            "output",
            "o",
            advice: "--json prints for programs what commands print for people; --log-format json is for log lines."
        ),
        FamiliarFlag("proxy", advice: "A proxy on the way to the edge is taken from https_proxy of the environment."),
        FamiliarFlag("disable-log-color", advice: "NO_COLOR=1 in the environment takes the colours away."),
        FamiliarFlag("open", advice: "The URL is printed when it can be reached; --qr shows it to a phone."),
        FamiliarFlag(
            "tunnel-id",
            "overwrite-dns",
            "force",
            "f",
            advice: "--name NAME takes a tunnel that your key made before; its address is the edge's to give."
        ),
        FamiliarFlag("use-encryption", "ue", advice: "A connector speaks TLS wherever the edge's URL is https://."),
        FamiliarFlag(
            "origin-server-name",
            advice: "--host-header HOST is also the name that an https:// target has to show a certificate for."
        ),
        FamiliarFlag(
            "protocol",
            "edge-ip-version",
            "no-autoupdate",
            "autoupdate-freq",
            "retries",
            "metrics",
            "pidfile",
            "pid",
            "grace-period",
            "keepalive",
            "mux",
            "max-retry-count",
            "max-retry-interval",
            "edge-bind-address",
            "dns-server",
            "happy-eyeballs",
            "no-happy-eyeballs",
            "proxy-no-happy-eyeballs",
            "proxy-tcp-keepalive",
            "post-quantum",
            "features",
            "compression-quality",
            "health-check-type",
            "management-hostname",
            "management-diagnostics",
            "transport-loglevel",
            "icmpv4-src",
            advice:
                "There is nothing to set: a connector speaks WebSocket over HTTPS, reconnects for ever, and does not update "
                + "itself."
        ),
        FamiliarFlag(
            "background",
            "daemon",
            "detach",
            advice: "culvert service install makes a service that systemd starts."
        ),
        FamiliarFlag(
            "d",
            advice: "--name NAME is the tunnel's name; culvert service install makes a service that systemd starts."
        ),
    ]

    private static let nameAlone = "A tunnel is known by its name alone: --name NAME."
    private static let ownServer = "The edge passes requests on as they are: this is for your own server."
}
