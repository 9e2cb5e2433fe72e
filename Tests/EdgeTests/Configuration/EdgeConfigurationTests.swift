// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import Logging
import NIOCore
import Testing

@testable import Edge

@Suite("Configuration")
struct EdgeConfigurationTests {
    private func read(
        _ arguments: [String] = [],
        _ environment: [String: String] = [:],
        file: String? = nil
    ) -> (EdgeConfiguration, [String]) {
        var reader = SettingsReader(
            arguments: arguments,
            environment: environment,
            file: file.map { ("edge.yaml", $0) }
        )
        let configuration = EdgeConfiguration(from: &reader)
        return (configuration, reader.problems.map(\.description))
    }

    @Test("With --dev nothing else is needed, and only this machine can connect")
    func development() {
        let (configuration, problems) = self.read(["--dev"])
        #expect(problems == [])
        #expect(configuration.isDevelopment)
        #expect(configuration.listen == ListenAddress(host: "127.0.0.1", port: 8989))
        #expect(configuration.adminListen == ListenAddress(host: "127.0.0.1", port: 8990))
        #expect(configuration.effectivePublicURL(listeningOn: configuration.listen) == "http://127.0.0.1:8989")
        #expect(configuration.wildcardDomain == "localhost")
        #expect(self.read(["--dev", "--public-wildcard-domain", "t.test"]).0.wildcardDomain == "t.test")
        #expect(self.read(["--public-url", "https://a.b"]).0.wildcardDomain == nil)
    }

    @Test("A flag outranks the environment, which outranks the file, which outranks the default")
    func precedence() {
        let file = "tunnel:\n  request-timeout: 1s\n  max-connections: 7\n  idle-expiry: 2h\n"
        let environment = ["CULVERT_TUNNEL_REQUEST_TIMEOUT": "2s", "CULVERT_TUNNEL_MAX_CONNECTIONS": "8"]
        let (configuration, problems) = self.read(["--dev", "--tunnel-request-timeout", "3s"], environment, file: file)
        #expect(problems == [])
        #expect(configuration.tunnels.requestTimeout == .seconds(3))
        #expect(configuration.tunnels.maxConnections == 8)
        #expect(configuration.tunnels.idleExpiry == .hours(2))
        #expect(configuration.tunnels.connectTimeout == .seconds(5))
    }

    @Test("Production refuses what is convenient elsewhere, and tokens live for a week")
    func production() {
        let keys = ["--auth-api-keys-file", "a", "--auth-signing-keys-file", "s"]
        let strict = self.read(
            ["--environment", "production", "--public-url", "http://a.b", "--proxies-trusted", "10.0.0.0/8,0.0.0.0/0"]
                + keys,
            ["CULVERT_AUTH_API_KEY": "key-of-some-length"]
        )
        #expect(strict.1.map { $0.prefix { $0 != " " } } == ["public.url", "auth.api-key", "proxies.trusted"])
        #expect(self.read(["--dev", "--environment", "production", "--public-url", "https://a.b"]).1.count == 1)

        let (configuration, problems) = self.read(
            ["--environment", "production", "--public-url", "https://a.b", "--proxies-trusted", "10.0.0.0/8"] + keys
        )
        #expect(problems == [])
        #expect(configuration.tunnels.tokenLifetime == .hours(24 * 7))
        let sandbox = self.read(keys, ["CULVERT_AUTH_API_KEY": "key-of-some-length"])
        #expect(sandbox.1 == [])
        #expect(sandbox.0.environment == .sandbox)
        #expect(sandbox.0.tunnels.tokenLifetime == .hours(24 * 30))
        #expect(self.read(["--dev"]).0.environment == .local)
    }

    @Test("Everything that is wrong is told at once, with where it came from")
    func everyProblem() {
        let (_, problems) = self.read(
            ["--dev", "--tunnel-request-timeout=soon", "--no-such-thing", "1"],
            ["CULVERT_LISTEN": "here", "CULVERT_NO_SUCH": "1"],
            file: "http:\n  max-head-size: big\nlog:\n  colour: yes\n"
        )
        #expect(
            problems == [
                "CULVERT_LISTEN (environment): \"here\" is not \(ListenAddress.expectation)",
                "http.max-head-size (edge.yaml, line 2): \"big\" is not \(ByteCount.expectation)",
                "--tunnel-request-timeout (flag): \"soon\" is not \(TimeAmount.expectation)",
                "--no-such-thing (flag): there is no such setting",
                "CULVERT_NO_SUCH (environment): there is no such setting",
                "log.colour (edge.yaml, line 4): there is no such setting",
            ]
        )
    }

    @Test("A duration that the protocol or a timer can't live with is refused, naming the bounds")
    func bounds() {
        let (_, problems) = self.read(
            ["--dev", "--tunnel-heartbeat-interval", "1s", "--tunnel-token-lifetime", "0s"],
            file: "tunnel:\n  connect-timeout: 2m\n"
        )
        #expect(
            problems == [
                "tunnel.connect-timeout (edge.yaml, line 2): 2m is not from 1s to 1m",
                "tunnel.heartbeat-interval (flag): 1s is not from 2s to 100s",
                "tunnel.token-lifetime (flag): 0ms is not from 1s to 366d",
            ]
        )
        // Protocol B.4: an idle time-out is from 5 to 300 s, and three times the interval.
        #expect(self.read(["--dev", "--tunnel-heartbeat-interval", "100s"]).1 == [])
    }

    @Test("Outside --dev nothing starts without keys")
    func withoutKeys() {
        let (_, problems) = self.read()
        #expect(problems.count == 2)
        #expect(problems.first?.contains("there is no API key") == true)
        let environment = [
            "CULVERT_AUTH_API_KEY": "key-of-some-length",
            "CULVERT_AUTH_SIGNING_KEY": String(repeating: "AAAA", count: 11),
        ]
        #expect(self.read([], environment).1 == [])
    }

    @Test(
        "An API key that is empty, short or no word is refused outside --dev",
        arguments: ["", "k", "a b c d e f g h i"]
    )
    func weakKey(key: String) {
        let environment = [
            "CULVERT_AUTH_API_KEY": key, "CULVERT_AUTH_SIGNING_KEY": String(repeating: "AAAA", count: 11),
        ]
        let problem = "auth.api-key (environment): the key has to be at least 16 ASCII characters without a space"
        #expect(self.read([], environment).1 == [problem])
        #expect(self.read(["--dev"], ["CULVERT_AUTH_API_KEY": key]).1.isEmpty == (key == "k"))
    }

    @Test("What is wrong with a file is told with its place, and without its contents, which may be secret")
    func malformedFile() {
        let secret = "auth:\n  api-key: do-not-show-this-one\n"
        for (text, problem) in [
            ("\(secret)log: {a: b: c}", "line 3, column 11: did not find expected ',' or '}'"),
            ("\(secret)\(secret)", "line 1: auth is there twice"), ("- \(secret)", "it has to hold keys with values"),
            ("do-not-show-this-one", "it has to hold keys with values"),
        ] {
            // Without --dev there would be no keys, which the file may well have.
            for arguments in [["--dev"], []] {
                let problems = self.read(arguments, file: text).1
                #expect(problems == ["--config (edge.yaml): the file can't be read as YAML: \(problem)"])
            }
        }
    }

    @Test("A file of tunnels is told to be one, and nothing else is said of it")
    func fileOfTunnels() {
        for arguments in [["--dev"], []] {
            let problems = self.read(arguments, file: "edge: https://a\ntunnels:\n  - target: 3000\n").1
            #expect(
                problems == [
                    "--config (edge.yaml): this is a file of tunnels, which is for culvert start FILE; culvert-edge serve "
                        + "--help lists the settings of an edge"
                ]
            )
        }
    }

    @Test("A value too many is refused, as are addresses that two listeners can't share")
    func conflicts() {
        let twice = self.read(["--dev", "--log-level", "info", "--log-level", "debug", "--event-loops", "1", "2"]).1
        #expect(
            twice == [
                "--log-level (flag): \"info\" and \"debug\" where one value is expected",
                "--event-loops (flag): \"1\" and \"2\" where one value is expected",
            ]
        )
        let shared = self.read(["--dev", "--listen", "127.0.0.1:9", "--admin-listen", "127.0.0.1:9"]).1
        #expect(
            shared == ["admin.listen (flag): listen has the same address: health and metrics need one of their own"]
        )
        #expect(self.read(["--dev", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]).1 == [])
    }

    @Test("Numbers and sizes that nothing could live with are refused, naming the bounds")
    func numberBounds() {
        let (_, problems) = self.read([
            "--dev", "--http-max-head-size", "0", "--limits-api-calls-per-second", "\(Int.max)",
            "--event-loops", "\(Int.max)", "--shutdown-delay", "25h",
        ])
        #expect(
            problems == [
                "http.max-head-size (flag): 0 is not from 1KiB to 1MiB",
                "limits.api-calls-per-second (flag): \(Int.max) is not from 1 to 1000000000",
                "shutdown.delay (flag): 25h is not from 0ms to 1d",
                "event-loops (flag): \(Int.max) is not from 0 to 1024",
            ]
        )
    }

    @Test("With --dev a public address is refused, since the keys are printed")
    func publicDevelopment() {
        let (_, problems) = self.read(["--dev", "--listen", "0.0.0.0:8989"])
        #expect(
            problems == ["listen (flag): with --dev only loopback addresses are allowed, since its keys are printed"]
        )
    }

    @Test("A secret can't be a flag, since every user can see flags")
    func secretFlag() {
        let (_, problems) = self.read(["--dev", "--auth-api-key", "k"])
        #expect(problems == ["--auth-api-key (flag): has to come from the environment: other users can see flags"])
    }

    @Test("A short signing key is refused, and no message or listing shows a secret")
    func shortSigningKey() {
        var reader = SettingsReader(
            arguments: ["--dev"],
            environment: ["CULVERT_AUTH_SIGNING_KEY": "c2hvcnQ=", "CULVERT_AUTH_API_KEY": "cvk_secret"],
            file: nil
        )
        _ = EdgeConfiguration(from: &reader)
        #expect(reader.problems.count == 1)
        let text = "\(reader.problems) \(reader.settings)"
        #expect(!text.contains("c2hvcnQ="))
        #expect(!text.contains("cvk_secret"))
    }

    @Test("The connector's variables and those of an orchestrator are not ours")
    func foreignVariables() {
        let environment = [
            "CULVERT_EDGE": "http://e", "CULVERT_EDGE_PORT_8989_TCP": "x", "CULVERT_API_KEY": "k",
            "CULVERT_CONFIG": "f", "CULVERT_SERVICE_HOST": "10.0.0.1", "CULVERT_PORT": "tcp://10.0.0.1:80",
            "CULVERT_PORT_80_TCP_ADDR": "10.0.0.1", "CULVERT_REDIS_SERVICE_PORT_MAIN": "6379",
            "CULVERT_REDIS_PORT_6379_TCP": "x",
        ]
        #expect(self.read(["--dev"], environment).1 == [])
        #expect(self.read(["--dev"], ["CULVERT_PORT": "80"]).1.count == 1, "that is somebody's slip")
    }

    @Test("A variable that begins with CULVERT_EDGE_ and is no orchestrator's is told of, with the one that was meant")
    func strayVariables() {
        var reader = SettingsReader(arguments: [], environment: [:], file: nil)
        _ = EdgeConfiguration(from: &reader)
        let keys = reader.settings.map(\.key)
        let orchestrator = [
            "CULVERT_EDGE_SERVICE_HOST": "10.0.0.1", "CULVERT_EDGE_SERVICE_PORT": "80",
            "CULVERT_EDGE_SERVICE_PORT_HTTP": "80", "CULVERT_EDGE_PORT": "tcp://10.0.0.1:80",
            "CULVERT_EDGE_PORT_80_TCP": "tcp://10.0.0.1:80", "CULVERT_EDGE_PORT_80_TCP_PROTO": "tcp",
            "CULVERT_EDGE_ADMIN_PORT_8990_TCP_ADDR": "10.0.0.1", "CULVERT_LISTEN": "x", "CULVERT_EDGE": "http://e",
        ]
        #expect(StrayVariables.warnings(orchestrator, keys: keys) == [])
        let stray = ["CULVERT_EDGE_LISTEN": "the-secret", "CULVERT_EDGE_LOG_LEVL": "x", "CULVERT_EDGE_ZZZZZZZZ": "x"]
        #expect(
            StrayVariables.warnings(stray.merging(orchestrator) { one, _ in one }, keys: keys) == [
                "the environment variable CULVERT_EDGE_LISTEN does nothing: there is no such setting; "
                    + "did you mean CULVERT_LISTEN?",
                "the environment variable CULVERT_EDGE_LOG_LEVL does nothing: there is no such setting; "
                    + "did you mean CULVERT_LOG_LEVEL?",
                "the environment variable CULVERT_EDGE_ZZZZZZZZ does nothing: there is no such setting",
            ]
        )
        let many = Dictionary(uniqueKeysWithValues: (0..<9).map { ("CULVERT_EDGE_X\($0)", "x") })
        #expect(StrayVariables.warnings(many, keys: keys).count == 5)
        #expect(StrayVariables.warnings(many, keys: keys).last == "5 more such variables do nothing")
    }

    @Test(
        "A misspelt --config, --help or --version gets the right one, as a setting does",
        arguments: [
            ("--confg", "did you mean --config?"), ("--config-file", "it is called --config here"),
            ("--helo", "did you mean --help?"), ("--verson", "did you mean --version?"),
        ]
    )
    func besideSettings(flag: String, meant: String) {
        #expect(self.read(["--dev", flag, "x"]).1 == ["\(flag) (flag): there is no such setting; \(meant)"])
    }

    @Test("The level of the log that other programs call warn is taken")
    func warn() {
        #expect(self.read(["--dev", "--log-level", "warn"]).0.logLevel == .warning)
        #expect(self.read(["--dev"], file: "log: {level: warn}").0.logLevel == .warning)
    }

    @Test("A list is written with commas or as a YAML sequence")
    func lists() {
        let (flags, _) = self.read(["--dev", "--proxies-trusted", "10.0.0.0/8, 192.0.2.1"])
        #expect(flags.http.trustedProxies.map(\.description) == ["10.0.0.0/8", "192.0.2.1/32"])
        let (file, _) = self.read(["--dev"], file: "proxies:\n  trusted: [10.0.0.0/8, 192.0.2.1]\n")
        #expect(file.http.trustedProxies == flags.http.trustedProxies)
    }

    @Test("A list in a file may be empty, may hold values alone, and a setting is there once however it is nested")
    func fileLists() {
        let (empty, problems) = self.read(["--dev"], file: "proxies:\n  trusted: []\n")
        #expect(problems == [])
        #expect(empty.http.trustedProxies.isEmpty)
        let wrong = self.read(["--dev"], file: "log.level: info\nlog: {level: debug}\nproxies: {trusted: [{a: 1}]}\n")
        #expect(
            wrong.1 == [
                "log.level (edge.yaml, line 2): the setting is there twice",
                "proxies.trusted (edge.yaml, line 3): a list has to hold values alone",
            ]
        )
    }

    @Test("A setting that is misspelt gets the one that was meant, in the spelling of its place")
    func nearest() {
        let (_, problems) = self.read(
            ["--dev", "--lisen", "x"],
            ["CULVERT_LISTN": "x"],
            file: "tls:\n  certficate: x\n"
        )
        #expect(
            problems == [
                "--lisen (flag): there is no such setting; did you mean --listen?",
                "CULVERT_LISTN (environment): there is no such setting; did you mean CULVERT_LISTEN?",
                "tls.certficate (edge.yaml, line 2): there is no such setting; did you mean tls.certificate?",
            ]
        )
    }

    @Test("A setting that is called otherwise in other programs gets its name here")
    func familiar() {
        let (_, problems) = self.read(
            ["--dev", "--port", "8080", "--bind_port", "7000", "--domain", "a.example"],
            ["CULVERT_LOGLEVEL": "info"],
            file: """
                bindAddr: 0.0.0.0
                vhost-http-port: 80
                subDomainHost: a.example
                webServer: {port: 7500}
                auth: {token: x}
                tls: {cert: a.pem}
                """
        )
        #expect(
            problems == [
                "--bind_port (flag): there is no such setting; it is called --listen here",
                "--domain (flag): there is no such setting; it is called --public-wildcard-domain here",
                "--port (flag): there is no such setting; it is called --listen here",
                "CULVERT_LOGLEVEL (environment): there is no such setting; it is called CULVERT_LOG_LEVEL here",
                "auth.token (edge.yaml, line 5): there is no such setting; an API key for whoever makes tunnels is made by "
                    + "culvert-edge credentials new",
                "bindAddr (edge.yaml, line 1): there is no such setting; it is called listen here",
                "subDomainHost (edge.yaml, line 3): there is no such setting; it is called public.wildcard-domain here",
                "tls.cert (edge.yaml, line 6): there is no such setting; it is called tls.certificate here",
                "vhost-http-port (edge.yaml, line 2): there is no such setting; it is called listen here",
                "webServer.port (edge.yaml, line 4): there is no such setting; it is called admin.listen here",
            ]
        )
    }

    @Test("A setting at another level of the file is told where it belongs")
    func levels() {
        let (_, problems) = self.read(
            ["--dev", "--request-timeout", "3s"],
            ["CULVERT_REDIS_URL": "x"],
            file: """
                request-timeout: 3s
                public:
                  listen: 127.0.0.1:1
                  format: json
                redis: {url: x}
                cluster: on
                """
        )
        #expect(
            problems == [
                "--request-timeout (flag): there is no such setting; did you mean --tunnel-request-timeout?",
                "CULVERT_REDIS_URL (environment): there is no such setting; did you mean CULVERT_CLUSTER_REDIS_URL?",
                "cluster (edge.yaml, line 6): there is no such setting; it holds settings: cluster.redis.url, "
                    + "cluster.redis.password-file, cluster.redis.sentinel-password-file, cluster.redis.ca, "
                    + "cluster.redis.prefix, cluster.lease, cluster.listen, cluster.advertise, cluster.tls.certificate, "
                    + "cluster.tls.key, cluster.tls.ca, cluster.max-guests, cluster.rebalance",
                "public.format (edge.yaml, line 4): there is no such setting; format belongs under log, as log.format",
                "public.listen (edge.yaml, line 3): there is no such setting; listen belongs at the top of the file",
                "redis.url (edge.yaml, line 5): there is no such setting; url belongs under cluster.redis, as "
                    + "cluster.redis.url",
                "request-timeout (edge.yaml, line 1): there is no such setting; request-timeout belongs under tunnel, as "
                    + "tunnel.request-timeout",
            ]
        )
    }

    @Test("A flag's value may follow it or its equals sign, and a value without a flag is refused")
    func flagForms() {
        let (forms, problems) = self.read(["--dev", "--log-level=debug", "--public-url", "https://a.b"])
        #expect(problems == [])
        #expect(forms.logLevel == .debug)
        #expect(forms.publicURL == "https://a.b")
        let problem = "stray (flag): settings are written --key value, and --config FILE names a file of them"
        #expect(self.read(["--dev", "--log-level=debug", "stray"]).1 == [problem])
        #expect(self.read(["stray", "--dev"]).1 == [problem])
    }

    @Test(
        "A wildcard domain is a domain",
        arguments: [
            ("tunnels.example.com", true), ("t", true), ("*.example.com", false), ("https://t.example", false),
            ("t..example", false), ("-t.example", false), ("t.example:80", false), ("t.example.", false),
        ]
    )
    func wildcardDomain(text: String, isValid: Bool) {
        #expect(self.read(["--dev", "--public-wildcard-domain", text]).1.isEmpty == isValid)
    }

    @Test(
        "A public URL is a scheme and an authority",
        arguments: [
            ("https://t.example", true), ("http://t.example:81/", true), ("t.example", false), ("https://", false),
            ("https://t.example/path", false), ("ftp://t.example", false), ("https://a@b", false),
        ]
    )
    func publicURL(text: String, isValid: Bool) {
        #expect(self.read(["--dev", "--public-url", text]).1.isEmpty == isValid)
    }

    @Test(
        "Durations and sizes have units",
        arguments: [("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("12h", 43_200_000), ("7d", 604_800_000)]
    )
    func durations(text: String, milliseconds: Int64) {
        #expect(TimeAmount(setting: text) == .milliseconds(milliseconds))
        #expect(TimeAmount(setting: text)?.settingText == text)
    }

    @Test("A duration without a unit is seconds, as it is for culvert")
    func plainDuration() {
        #expect(TimeAmount(setting: "30") == .seconds(30))
        #expect(TimeAmount(setting: "30")?.settingText == "30s")
        let (_, problems) = self.read(["--dev", "--tunnel-request-timeout", "soon"])
        #expect(problems == ["--tunnel-request-timeout (flag): \"soon\" is not \(TimeAmount.expectation)"])
        #expect(TimeAmount.expectation.hasSuffix("a number alone is seconds"))
    }

    @Test("What is no duration, size or address is refused")
    func malformedValues() {
        for text in ["", "s", "-1", "-1s", "1.5s", "9999999999999d"] { #expect(TimeAmount(setting: text) == nil) }
        for text in ["", "KiB", "-1", "1.5MiB", "9999999999999GiB"] { #expect(ByteCount(setting: text) == nil) }
        for text in ["", ":1", "a", "a:", "a:65536", "::1:80", "[::1]"] { #expect(ListenAddress(setting: text) == nil) }
        #expect(ByteCount(setting: "64KiB") == ByteCount(65_536))
        #expect(ByteCount(65_536).settingText == "64KiB")
        #expect(ListenAddress(setting: "[::1]:80")?.description == "[::1]:80")
        #expect(ListenAddress(setting: "[::1]:80")?.isLoopback == true)
        #expect(ListenAddress(setting: "0.0.0.0:80")?.isLoopback == false)
    }
}
