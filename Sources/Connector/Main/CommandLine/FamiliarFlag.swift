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

    private init(_ names: String..., advice: String) {
        self.init(names: names, meaning: .advice(advice))
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
            label: "--name"
        ),
        FamiliarFlag("cidr-allow", "allow-cidr", "allow", alias: "--ip-allow"),
        FamiliarFlag("cidr-deny", "deny-cidr", "deny", alias: "--ip-deny"),
        FamiliarFlag("auth", "http-auth", alias: "--basic-auth"),
        FamiliarFlag("http-host-header", "host-header-rewrite", alias: "--host-header"),
        FamiliarFlag("no-tls-verify", alias: "--origin-tls-verify", "off"),
        FamiliarFlag("origin-ca-pool", alias: "--origin-ca-file"),
        FamiliarFlag("ha-connections", "pool-count", alias: "--connections"),
        FamiliarFlag(
            "insecure",
            "k",
            "skip-verify",
            "root-cas",
            "origincert",
            advice:
                "--ca-file FILE has the certificates that the edge is trusted by; a local server's: --origin-tls-verify off."
        ),
        FamiliarFlag("loglevel", alias: "--log-level"),
        FamiliarFlag("pooling-enabled", toggle: "--pool"),
        FamiliarFlag("p", "port", "local-port", "l", advice: "The port is an argument: culvert http 3000."),
        FamiliarFlag("local-ip", "local-addr", advice: "The address is an argument: culvert http 192.0.2.7:3000."),
        FamiliarFlag("unix-socket", advice: "A socket is an argument: culvert http unix:/run/app.sock."),
        FamiliarFlag("hello-world", "static", "dir", advice: "A folder is an argument: culvert http ./folder."),
        FamiliarFlag("authtoken", "t", "api-key", "key", advice: "culvert login stores the API key, once for all."),
        FamiliarFlag(
            "token",
            "credentials-file",
            "cred-file",
            advice: "A tunnel is served with its token by culvert connect --token-file FILE --to 3000."
        ),
        FamiliarFlag(
            "region",
            "server-addr",
            "server-port",
            "server",
            "s",
            "remote",
            "api",
            advice: "--edge URL names the edge, and culvert login stores it."
        ),
        FamiliarFlag(
            "remote-port",
            "remote-addr",
            advice: "A port of the edge is for TCP: culvert tcp 22 --port 20022."
        ),
        FamiliarFlag("config", "c", "all", advice: "A file of tunnels is served by culvert start --config FILE."),
        FamiliarFlag(
            "log",
            "logfile",
            "log-file",
            advice: "Log lines go to standard error: redirect it with 2> FILE; --log-format json is for programs."
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
            "oidc",
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
        FamiliarFlag("mutual-tls-cas", advice: "What ends TLS in front of the edge asks for certificates of clients."),
        FamiliarFlag("request-header-add", "request-header-remove", "response-header-add", advice: Self.ownServer),
        FamiliarFlag("compression", "use-compression", "uc", "circuit-breaker", "locations", advice: Self.ownServer),
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
            advice:
                "There is nothing to set: a connector speaks WebSocket over HTTPS, reconnects for ever, and does not update "
                + "itself."
        ),
        FamiliarFlag(
            "background",
            "daemon",
            "detach",
            "d",
            advice: "culvert service install makes a service that systemd starts."
        ),
    ]

    private static let ownServer = "The edge passes requests on as they are: this is for your own server."
}
