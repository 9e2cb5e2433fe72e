// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Program
import Testing

@testable import Connector

@Suite("Flags and commands of other programs")
struct FamiliarFlagTests {
    /// What culvert says of arguments; `nil` if it understands them.
    private func correction(_ line: String) -> String? {
        let typed = TypedCommand(words: line.split(separator: " ").map(String.init))
        do {
            _ = try CulvertCommand.parseAsRoot(typed.understood)
            return nil
        } catch {
            return CulvertCommand.correction(of: typed) ?? CulvertCommand.message(for: error)
        }
    }

    @Test(
        "What users of ngrok, cloudflared and frp type is taken for what it is called here",
        arguments: [
            ("http 3000 --url my-app", "http 3000 --name my-app"),
            ("http 3000 --url=my-app", "http 3000 --name my-app"),
            (
                "http 3000 --url https://my-app.tunnels.example.com",
                "http 3000 --name my-app --asked-host my-app.tunnels.example.com"
            ),
            ("http 3000 --domain my-app.example.com", "http 3000 --name my-app --asked-host my-app.example.com"),
            ("http 3000 --hostname=my-app.example.com:443", "http 3000 --name my-app --asked-host my-app.example.com"),
            ("http 3000 --subdomain my-app", "http 3000 --name my-app"),
            ("http --url http://localhost:3000", "http http://localhost:3000"),
            ("http --url http://192.168.1.5:8080 --connections 4", "http http://192.168.1.5:8080 --connections 4"),
            ("http --url=http://web:8080", "http http://web:8080"),
            ("tcp 22 --url tcp://1.tcp.example.com:20022", "tcp 22 --port 20022"),
            ("tcp 22 --url tcp://my-ssh.example.com", "tcp 22 --name my-ssh"),
            ("http 3000 --custom_domain a.example", "http 3000 --name a --asked-host a.example"),
            ("tcp 22 --domain my-app.example.com", "tcp 22 --name my-app"),
            ("http 3000 --cidr-allow 192.0.2.0/24", "http 3000 --ip-allow 192.0.2.0/24"),
            ("http 3000 --cidr-deny=192.0.2.0/24", "http 3000 --ip-deny=192.0.2.0/24"),
            ("http 3000 --auth a:b", "http 3000 --basic-auth a:b"),
            ("http 3000 --http-host-header x.test", "http 3000 --host-header x.test"),
            ("http 3000 --host_header_rewrite x.test", "http 3000 --host-header x.test"),
            ("http https://localhost:1 --no-tls-verify", "http https://localhost:1 --origin-tls-verify off"),
            ("http 3000 --ha-connections 4", "http 3000 --connections 4"),
            ("http 3000 --loglevel debug", "http 3000 --log-level debug"),
            ("http 3000 --name a-b --pooling-enabled", "http 3000 --name a-b --pool"),
            ("http 3000 --name a-b --pooling-enabled=true", "http 3000 --name a-b --pool"),
            ("http 3000 --pooling-enabled=false", "http 3000"),
            ("http 3000 --inspect=false", "http 3000 --inspect=false"),
            ("tunnels create --url my-app", "tunnels create --name my-app"),
            ("127.0.0.1:3000", "http 127.0.0.1:3000"), ("[::1]:3000", "http [::1]:3000"),
            ("3000", "http 3000"), (":3000 --name my-app", "http :3000 --name my-app"),
            ("http://localhost:3000", "http http://localhost:3000"),
            ("connect --to 3000", "connect --to 3000"),
            ("", ""),
        ]
    )
    func aliases(typed: String, understood: String) throws {
        let words = TypedCommand(words: typed.split(separator: " ").map(String.init)).understood
        #expect(words.joined(separator: " ") == understood)
        if !words.isEmpty { _ = try CulvertCommand.parseAsRoot(words) }
    }

    @Test("What follows -- belongs to another program, and is left alone")
    func terminator() {
        let words = ["http", "3000", "--url", "a-b", "--", "npm", "--url", "x"]
        #expect(TypedCommand(words: words).understood == ["http", "3000", "--name", "a-b", "--", "npm", "--url", "x"])
        #expect(!TypedCommand(words: ["http", "3", "--", "x", "--log-format=json"]).wantsJSON)
    }

    @Test(
        "A wrong flag gets the advice that its user needs",
        arguments: [
            ("http --port 3000", "culvert http 3000"), ("http -p 3000", "culvert http 3000"),
            ("http --local_port 3000", "culvert http 3000"), ("http -l 3000", "culvert http 3000"),
            ("http --local_ip 10.0.0.1", "culvert http 192.0.2.7:3000"),
            ("http 3000 --authtoken x", "culvert login"), ("http 3000 --api-key x", "culvert login"),
            ("http 3000 -t x", "culvert login"), ("http 3000 --token x", "culvert connect --token-file"),
            ("http 3000 --region eu", "--edge"), ("http 3000 --server_addr x", "--edge"),
            ("http 3000 --server-port 7000", "--edge"), ("http 3000 -s x:7000", "--edge"),
            ("http 3000 --remote_port 6000", "culvert tcp 22 --port"),
            ("http 3000 --config x.yml", "culvert start --config"),
            ("start --all", "culvert start --config"), ("http 3000 -c frpc.toml", "culvert start --config"),
            ("http 3000 --log stdout", "standard error"), ("http 3000 --logfile x", "standard error"),
            ("http 3000 --log-file x", "standard error"), ("http 3000 --web-addr :4040", "--inspect"),
            ("http 3000 --scheme https", "public.url"), ("http 3000 --bind-tls true", "public.url"),
            ("http 3000 --tls-enable", "public.url"), ("http 3000 --oauth google", "--basic-auth"),
            ("http 3000 --oidc x", "--basic-auth"), ("http 3000 --http-user a", "--basic-auth USER:PASSWORD"),
            ("http 3000 --http_pwd a", "--basic-auth USER:PASSWORD"),
            ("http 3000 --traffic-policy-file x", "culvert http --help"),
            ("http 3000 --verify-webhook github", "culvert inbox set NAME"),
            ("http 3000 --request-header-add a:b", "your own server"),
            ("http 3000 --compression", "your own server"), ("http 3000 --uc", "your own server"),
            ("http 3000 --locations /a", "your own server"), ("http 3000 --ue", "https://"),
            ("http 3000 --mutual-tls-cas x", "ends TLS in front"), ("http --unix-socket /x", "unix:/run/app.sock"),
            ("http --hello-world", "./folder"), ("http 3000 --origin-server-name x", "--host-header"),
            ("http 3000 --protocol quic", "nothing to set"), ("http 3000 --no-autoupdate", "nothing to set"),
            ("http 3000 --metrics :1", "nothing to set"), ("http 3000 -d", "culvert service install"),
            ("connect --to 3000 --url x", "--name is an option of culvert http"),
            ("connect --to 3000 --cidr-allow x", "--ip-allow is an option of culvert http"),
            ("tcp --local-port 22", "culvert tcp 22."), ("tcp --local_ip 10.0.0.1", "culvert tcp 192.0.2.7:22"),
            ("tls --local-port 1", "culvert tls 8443."), ("tcp 22 --policy-file x", "culvert tcp --help"),
            ("tcp 22 -cidr-allow ::1", "It is called --ip-allow"), ("tcp 22 --auth a:b", "--basic-auth"),
            ("tcp 22 -url x", "It is called --name"), ("connect --to 3 --pooling-enabled", "--pool is an option"),
            ("--url localhost:3000", "culvert http 3000"), ("access ssh --hostname x", "culvert access NAME"),
            ("http 3000 --insecure", "--ca-file"), ("http 3000 -k", "--ca-file"),
            ("tcp 22 --host-header x", "--host-header is an option of culvert http"),
            ("http 3000 --foo", "culvert http --help"), ("tcp 22 -r 6000", "--port 20022"),
            ("http 3000 -d my.example.com", "--name NAME"), ("http 3000 -n my-app", "It is called --name"),
            ("http 3000 -i 10.0.0.1", "culvert http 192.0.2.7:3000"), ("http 3000 -u me", "--name NAME"),
            ("http 3000 -P 7000", "--edge URL"), ("http 3000 --token-file x", "culvert connect --token-file"),
            ("http 3000 --credentials-contents x", "culvert connect --token-file"),
            ("tcp 22 --allow-users x", "--private"), ("tcp 22 --server-name x", "culvert access NAME"),
            ("tunnels list -o json", "--json prints"), ("tunnels list --output json", "--json prints"),
            ("tcp 3306 --bandwidth-limit 1MB", "--bytes-per-second"),
            ("tcp 3306 --proxy-protocol-version v2", "It is --proxy-protocol v1 or v2"),
            ("http 3000 --proxy-protocol v2", "X-Forwarded-For"), ("http 3000 --rate-limit 5", "--requests-per-second"),
            ("http 3000 --verbose", "--log-level debug"), ("http 3000 -v", "--log-level debug"),
            ("http 3000 --apikey x", "culvert login"), ("login --authtoken x", "when culvert login asks"),
            ("login --api-key cvk_x", "--api-key-file FILE names a file that holds the key"),
            ("inbox set hk1 --verify github --secret abc", "--secret-file FILE names a file that holds it"),
            ("login --token x", "culvert connect --token-file"),
            ("http 3000 --connect-timeout 5s", "--request-timeout"),
            ("http 3000 --nmae x", "Did you mean --name?"), ("http 3000 --ip-alow ::1", "Did you mean --ip-allow?"),
            ("tunnels create my-app --ttl 3d", "tunnel.token-lifetime"),
            ("tunnels create my-app --lifetime 3d", "tunnel.token-lifetime"),
            ("tunnels access my-app --ttl 12h", "It is called --lifetime."),
            ("tunnels access my-app -lifetime 12h", "It is called --lifetime."),
            ("tunnels list --jsno", "Did you mean --json?"), ("http 3000 --zzzzzz", "culvert http --help"),
        ]
    )
    func advice(line: String, words: String) throws {
        let correction = try #require(self.correction(line))
        #expect(correction.contains(words), "\(correction)")
        #expect(correction.hasPrefix("There is no option -"))
    }

    @Test(
        "No flag of ngrok, cloudflared, frp, bore, localtunnel or chisel is met with a list of ours alone",
        arguments: [
            """
            app-protocol authtoken basic-auth binding cidr-allow cidr-deny circuit-breaker compression config description domain \
            host-header http2 inspect label log log-format log-level metadata mutual-tls-cas name oauth oauth-allow-domain \
            oauth-allow-email oauth-client-id oauth-client-secret oauth-scope oidc oidc-client-id pooling-enabled proxy-proto \
            region remote-addr request-header-add request-header-remove response-header-add response-header-remove scheme \
            subdomain terminate-at tls-crt traffic-policy-file traffic-policy-url ua-filter-allow ua-filter-deny \
            upstream-protocol upstream-tls-verify upstream-tls-verify-cas url verify-webhook verify-webhook-secret \
            websocket-tcp-converter
            """,
            """
            autoupdate-freq bastion compression-quality credentials-file edge edge-bind-address edge-ip-version features force \
            grace-period ha-connections hello-world hostname http-host-header http2-origin icmpv4-src label lb-pool \
            log-directory logfile loglevel management-diagnostics management-hostname max-active-flows metrics name \
            no-autoupdate no-chunked-encoding no-happy-eyeballs no-tls-verify origin-ca-pool origin-server-name origincert \
            overwrite-dns pidfile post-quantum protocol proxy-address proxy-connect-timeout proxy-keepalive-connections \
            proxy-keepalive-timeout proxy-no-happy-eyeballs proxy-port proxy-tcp-keepalive proxy-tls-timeout region retries \
            socks5 tag token trace-output transport-loglevel tunnel-id unix-socket url
            """,
            """
            annotations bandwidth-limit bandwidth-limit-mode bind-addr bind-port custom_domain disable-log-color dns-server group \
            group-key health-check-type host_header_rewrite http_pwd http_user local_ip local_port locations log-file log-level \
            log-max-days metadatas mux plugin protocol proxy_name remote_port role sd server-addr server-port sk tls-server-name \
            tls_enable token uc ue use-compression use-encryption user
            """,
            """
            allow-invalid-cert auth fingerprint header host hostname keepalive local-ca local-cert local-host local-https \
            local-key max-retry-count max-retry-interval open pid port print-requests proxy secret sni subdomain tls-ca tls-cert \
            tls-key tls-skip-verify to
            """,
        ]
    )
    func foreignFlags(names: String) {
        for name in names.split(whereSeparator: \.isWhitespace) {
            for command in ["http 3000", "tcp 22"] {
                let words = "\(command) --\(name) 1".split(separator: " ").map(String.init)
                let said = CulvertCommand.correction(of: TypedCommand(words: words)) ?? ""
                #expect(!said.contains("lists those that there are"), "\(command) --\(name): \(said)")
                #expect(!said.contains("Did you mean"), "\(command) --\(name): \(said)")
            }
        }
    }

    @Test("Lines of the log that are warnings are asked for by either word", arguments: ["warn", "warning"])
    func warnings(word: String) throws {
        let command = try CulvertCommand.parseAsRoot(["http", "3000", "--log-level", word])
        let http = try #require(command as? HTTPCommand)
        #expect(http.edgeOptions.logLevel == .warning)
    }

    @Test(
        "A wrong command gets the one that was meant",
        arguments: [
            ("htpp 3000", "culvert http"), ("conect --to 3", "culvert connect"), ("strat", "culvert start"),
            ("tunnel --url http://localhost:3000", "culvert http 3000"), ("authtoken x", "culvert login"),
            ("run my-tunnel", "culvert start"), ("verify", "culvert config check"), ("reload", "SIGHUP"),
            ("tunnel create x", "culvert tunnels create"), ("tunnel ingress validate", "culvert config check"),
            ("tunnel run my-tunnel", "culvert start"), ("tunnel list", "culvert tunnels"),
            ("tunnel login", "culvert login"), ("tunnel route dns a b", "nothing to set"),
            ("udp 53", "none of UDP"),
            ("stcp 22", "culvert tcp 22 --private"), ("ssh", "culvert tcp 22"), ("list", "culvert tunnels"),
            ("replay x", "culvert requests"),
            ("version", "culvert --version"), ("zzzzzz", "culvert --help"), ("log-out", "culvert logout"),
            ("credentials new", "culvert-edge credentials new"), ("health", "culvert-edge health"),
        ]
    )
    func commands(line: String, words: String) throws {
        let correction = try #require(self.correction(line))
        #expect(correction.contains(words), "\(correction)")
        #expect(correction.hasPrefix("There is no command “"))
    }

    @Test(
        "Who asks for the help of a wrong command gets the one that was meant",
        arguments: [
            ("help htpp", "There is no command “htpp”. Did you mean “culvert http”?"),
            ("htpp --help", "There is no command “htpp”. Did you mean “culvert http”?"),
            ("htpp -h", "There is no command “htpp”. Did you mean “culvert http”?"),
            ("help tunnels lst", "There is no command “tunnels lst”. Did you mean “culvert tunnels list”?"),
            ("tunnels lst --help", "There is no command “tunnels lst”. Did you mean “culvert tunnels list”?"),
            ("help tunnel", "There is no command “tunnel”. A local server is exposed by culvert http 3000."),
            ("help zzzzzz", "There is no command “zzzzzz”. culvert --help lists those that there are."),
        ]
    )
    func help(line: String, words: String) {
        #expect(CulvertCommand.wrongHelp(TypedCommand(words: line.split(separator: " ").map(String.init))) == words)
    }

    @Test(
        "Help that there is, is left to the parser",
        arguments: [
            "help", "help http", "help tunnels list", "--help", "http --help", "tunnels --help", "3000 --help",
            "htpp 3000",
            "http 3000 -- npm --help", "help 3000",
        ]
    )
    func rightHelp(line: String) {
        #expect(CulvertCommand.wrongHelp(TypedCommand(words: line.split(separator: " ").map(String.init))) == nil)
    }

    @Test("Two names for one tunnel are refused, by whatever words they were given")
    func twoNames() {
        func fault(_ line: String) -> String? {
            TypedCommand(words: line.split(separator: " ").map(String.init)).secondName
        }
        let both = "The tunnel is named twice, “a-b” and “c-d”: leave one out."
        #expect(fault("http 3000 --name a-b --name c-d") == both)
        #expect(fault("http 3000 --name=a-b --url https://c-d.example.com") == both)
        #expect(fault("tunnels create --subdomain a-b --name c-d") == both)
        #expect(fault("http 3000 --name a-b --subdomain a-b") == nil)
        #expect(fault("http 3000 --name a-b -- npm --name c-d") == nil)
        #expect(fault("3000 --name a-b --name c-d") == both)
        #expect(fault("tls 8443 --name a-b --name c-d") == both)
        // The name of a service is no tunnel's, and one that is missing is the parser's to tell.
        #expect(fault("service install --name a-b --name c-d") == nil)
        #expect(fault("http 3000 --name a-b --name") == nil)
        #expect(fault("http 3000 --name --name a-b") == nil)
    }

    @Test(
        "A wrong command below another one gets the one that was meant, too",
        arguments: [
            ("tunnels lst", "Did you mean “culvert tunnels list”?"), ("tunnels rm x", "“culvert tunnels delete”"),
            ("tunnels ls", "“culvert tunnels list”"), ("inbox remove x", "“culvert inbox delete”"),
            ("config chekc", "“culvert config check”"), ("requests replya 1", "“culvert requests replay”"),
            ("tunnels zzzzzz", "culvert tunnels --help"), ("config add-authtoken x", "culvert login stores"),
        ]
    )
    func subcommands(line: String, words: String) throws {
        let correction = try #require(self.correction(line))
        #expect(correction.contains(words), "\(correction)")
        #expect(
            correction.hasPrefix("There is no command “\(line.split(separator: " ").prefix(2).joined(separator: " "))”")
        )
    }

    @Test("Each advice is for a flag that the command does not have, and each alias leads to one that it has")
    func table() {
        // The parser itself, which takes long for a hundred commands, need not be asked whether it knows an option.
        func answer(to flag: String) -> String {
            CulvertCommand.correction(of: TypedCommand(words: ["http", "3000", flag, "on"])) ?? ""
        }
        for flag in FamiliarFlag.all {
            for name in flag.names where name.count > 1 && flag.isAlias {
                let said = answer(to: "--\(name)")
                #expect(!said.contains("There is no option"), "--\(name): \(said)")
            }
            for name in flag.names where !flag.isAlias {
                let said = answer(to: "\(name.count == 1 ? "-" : "--")\(name)")
                #expect(said.contains("There is no option"), "--\(name): \(said)")
            }
        }
    }

    @Test(
        "How far two words are apart is the number of slips",
        arguments: [
            ("http", "http", 0), ("htpp", "http", 1), ("hptt", "http", 2), ("", "ab", 2), ("strat", "start", 1),
        ]
    )
    func distance(first: String, second: String, slips: Int) {
        #expect(NearestWord.distance(first, second) == slips)
        #expect(NearestWord.distance(second, first) == slips)
    }

    @Test("Usage errors are JSON for programs that ask for it", arguments: ["--log-format json", "--log-format=json"])
    func json(format: String) {
        #expect(TypedCommand(words: ("http 3000 --x " + format).split(separator: " ").map(String.init)).wantsJSON)
        #expect(!TypedCommand(words: ["http", "3000", "--log-format", "text"]).wantsJSON)
    }
}
