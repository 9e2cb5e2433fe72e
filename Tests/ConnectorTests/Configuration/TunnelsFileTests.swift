// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import Foundation
import Program
import Testing

@testable import Connector

@Suite("A file of tunnels")
struct TunnelsFileTests {
    @Test("All settings are read, and what is left out has its default")
    func everything() throws {
        let folder = try TemporaryFolder()
        try folder.write("a-key", to: "key")
        try folder.write(TokenText.signed(#"{"sub":"my-other"}"#), to: "token")
        try folder.write("visitors pass\n", to: "password")
        try folder.writeCertificate(to: "origin.pem")
        let file = try TunnelsFile(
            yaml: """
                edge: https://edge.example.com
                api-key-file: key
                connections: 3
                share-connections: off
                tunnels:
                  - name: my-app
                    target: 3000
                    host-header: preserve
                  - token-file: token
                    target: https://localhost:8443
                    origin-tls-verify: off
                  - target: https://localhost:9443
                    origin-ca-file: \(folder.path)/origin.pem
                    policy:
                      path-mode: keep
                      host: app.internal:80
                      request-timeout-seconds: 60
                      max-connections: 3
                      requests-per-second: 100
                      basic-auth:
                        - {username: u, password: p}
                        - {username: v, password-file: password}
                      ip-allow: [192.0.2.0/24, "2001:db8::/32"]
                      ip-deny: [192.0.2.7]
                      upgrades: websocket
                      origin-reuse: never
                """,
            folder: folder.path
        )
        #expect(file.edge == (try EdgeAddress(parsing: "https://edge.example.com")))
        #expect(file.apiKeyFile == folder.path + "/key")
        #expect(file.connections == 3)
        #expect(file.sharesConnections == false)
        var first = TunnelsFile.Entry(
            target: try OriginTarget(parsing: "3000"),
            name: "my-app",
            policy: TunnelPolicy { $0.host = .preserve }
        )
        first.line = 6
        #expect(file.tunnels[0] == first)
        var second = TunnelsFile.Entry(
            target: try OriginTarget(parsing: "https://localhost:8443"),
            tokenFile: folder.path + "/token",
            token: try TunnelToken(parsing: TokenText.signed(#"{"sub":"my-other"}"#)),
            originTrust: OriginTrust(verifies: false, settings: .file)
        )
        second.line = 9
        #expect(file.tunnels[1] == second)
        var third = TunnelsFile.Entry(
            target: try OriginTarget(parsing: "https://localhost:9443"),
            policy: TunnelPolicy {
                $0.pathMode = .keep
                $0.host = .rewrite("app.internal:80")
                $0.requestTimeoutSeconds = 60
                $0.maxConnections = 3
                $0.requestsPerSecond = 100
                $0.basicAuth = [.init(username: "u", password: "p"), .init(username: "v", password: "visitors pass")]
                $0.ipAllow = ["192.0.2.0/24", "2001:db8::/32"]
                $0.ipDeny = ["192.0.2.7"]
                $0.upgrades = .websocket
                $0.originReuse = .never
            },
            originTrust: OriginTrust(
                authorities: try CertificateAuthorities(reading: folder.path + "/origin.pem"),
                settings: .file
            )
        )
        third.line = 12
        #expect(file.tunnels[2] == third)
    }

    @Test("Every member of the control API's policy has a setting of the same name")
    func policyMembers() throws {
        for member in PolicySchema.tunnel.members {
            let setting = member.name.replacing("_", with: "-")
            // A wrong value: the setting itself is known.
            let error = #expect(throws: TunnelsFile.Problems.self) {
                try TunnelsFile(yaml: "tunnels: [{target: 1, policy: {\(setting): {a: b}}}]")
            }
            #expect(error?.list.map(\.message).contains { $0.contains("There is no setting") } == false, "\(setting)")
        }
    }

    @Test("Everything that is wrong is said at once, each with its line and what to do")
    func problems() throws {
        let error = #expect(throws: TunnelsFile.Problems.self) {
            try TunnelsFile(
                yaml: """
                    edgee: https://edge.example.com
                    connections: 9
                    edge: ftp://x
                    tunnels:
                      - name: abc
                        target: foo
                      - nmae: b
                        target: https://localhost:3000
                        origin-tls-verify: maybe
                      - name: ccc
                      - name: ddd
                        token-file: /nowhere/t
                        target: 1
                      - target: 2
                        origin-ca-file: /nowhere/pem
                        host_header: x
                        policy:
                          path-mode: drop
                          max-connections: 1
                          ip-allow: [10.0.0.0/33, x]
                          basic-auth: [{username: "a:b", password: c}, {username: d}]
                          host: a b
                          pathmode: keep
                      - target: 2
                        name: A
                      - target: 3
                      - target: 3
                        policy: {requests-per-second: 0}
                        name: abc
                    """
            )
        }
        let report = error?.report(for: "c.yaml").split(separator: "\n").map(String.init)
        #expect(
            report == [
                "c.yaml:1: There is no setting “edgee”: did you mean “edge”?",
                "c.yaml:2: “connections” has to be a number from 1 to 8.",
                "c.yaml:3: “ftp://x” is not the address of an edge: only http://, https://, ws:// and wss:// are understood.",
                "c.yaml:6: “foo” is not a target: the port is missing, as in localhost:3000.",
                "c.yaml:7: There is no setting “nmae” of a tunnel: did you mean “name”?",
                "c.yaml:9: “origin-tls-verify” has to be on or off.",
                "c.yaml:10: “target” is missing: a port, host:port, http://…, https://…, unix:/path or ./folder.",
                "c.yaml:11: With “token-file” the tunnel is what its token says: leave “name” out.",
                "c.yaml:12: The file /nowhere/t, which should hold a tunnel token, can't be read: there is no such file.",
                "c.yaml:15: The file /nowhere/pem, which should hold certificates, can't be read: "
                    + "there is no such file.",
                "c.yaml:15: “origin-ca-file” is for https:// targets, and “http://localhost:2” is none: leave it out "
                    + "or correct the target.",
                "c.yaml:16: There is no setting “host_header” of a tunnel: it is called “host-header”.",
                "c.yaml:18: “path-mode” has to be strip, keep or root.",
                "c.yaml:19: “max-connections” is 1, and the connector keeps 2 connections: raise it, or lower "
                    + "“connections”.",
                "c.yaml:20: “ip-allow[0]” has to be an address or a network, such as 192.0.2.7 or 10.0.0.0/8.",
                "c.yaml:20: “ip-allow[1]” has to be an address or a network, such as 192.0.2.7 or 10.0.0.0/8.",
                "c.yaml:21: “basic-auth[0].username” has to be 1 to 128 of ASCII without space and colon.",
                "c.yaml:21: “basic-auth[1]” has to have “username”, and either “password” or “password-file”.",
                "c.yaml:22: “host” has to be rewrite, preserve, or a host name with or without a port.",
                "c.yaml:23: There is no setting “pathmode” of a policy: it is called “path-mode”.",
                "c.yaml:25: “A” is not a name: it takes 3 to 63 of a-z, 0-9 and -.",
                "c.yaml:27: “abc” is in the list twice, the first time in line 5: a tunnel has one target.",
                "c.yaml:28: “requests-per-second” has to be a whole number from 1 to 1000000.",
            ]
        )
    }

    @Test("One tunnel in two places is said where the second stands", arguments: ["name: abc", "token-file: t"])
    func twice(line: String) throws {
        let folder = try TemporaryFolder()
        try folder.write(TokenText.signed(#"{"sub":"my-app"}"#), to: "t")
        let error = #expect(throws: TunnelsFile.Problems.self) {
            try TunnelsFile(
                yaml: "tunnels:\n- target: 1\n  \(line)\n- target: 2\n  \(line)",
                folder: folder.path
            )
        }
        #expect(error?.list.map(\.line) == [4])
        #expect(error?.list.first?.message.contains("twice, the first time in line 2") == true)
    }

    @Test("A tunnel that is there twice is said in the same round as what else is wrong with it")
    func twiceAndWrong() {
        let error = #expect(throws: TunnelsFile.Problems.self) {
            try TunnelsFile(yaml: "tunnels:\n- {target: x, name: abc}\n- {target: 70000, name: abc}")
        }
        #expect(error?.list.map(\.line) == [2, 3, 3])
        #expect(error?.list.contains { $0.message.hasPrefix("“abc” is in the list twice") } == true)
    }

    @Test(
        "Two tokens of one tunnel are told with what else is wrong; another edge's is another"
    )
    func twiceByToken() throws {
        let folder = try TemporaryFolder()
        try folder.write(TokenText.signed(#"{"sub":"my-app","edge":"https://a.example"}"#), to: "a")
        try folder.write(TokenText.signed(#"{"sub":"my-app","edge":"https://a.example","iat":1}"#), to: "again")
        try folder.write(TokenText.signed(#"{"sub":"my-app","edge":"https://b.example"}"#), to: "b")
        func problems(_ first: String, _ second: String) -> [String] {
            do {
                let yaml = "edge: https://a.example\ntunnels:\n- {target: 1, \(first)}\n- {target: 2, \(second)}"
                _ = try TunnelsFile(yaml: yaml, folder: folder.path)
                return []
            } catch {
                return error.list.map { $0.located(in: "c") }
            }
        }
        let fault = "c:4: The token is of the tunnel “my-app”, which line 3 has, too: a tunnel has one target."
        #expect(problems("token-file: a", "token-file: again") == [fault])
        #expect(problems("token-file: a", "token-file: b") == [])
        #expect(problems("name: my-app", "token-file: b") == [])
    }

    @Test("A name and a token, and two tokens, are compared at the edges that are dialled for them")
    func twiceAtTheEdgeOfEach() throws {
        let folder = try TemporaryFolder()
        try folder.write(TokenText.signed(#"{"sub":"my-app","edge":"https://a.example"}"#), to: "a")
        try folder.write(TokenText.signed(#"{"sub":"my-app","edge":"https://b.example"}"#), to: "b")
        func problem(_ first: String, _ second: String, edge: String? = nil, variable: String? = nil) throws -> String?
        {
            let yaml = "edge: https://a.example\ntunnels:\n- {target: 1, \(first)}\n- {target: 2, \(second)}"
            let file = try TunnelsFile(yaml: yaml, folder: folder.path)
            var environment = ["CULVERT_API_KEY": "k"]
            environment["CULVERT_EDGE"] = variable
            let source = TunnelsFileSource(path: "c.yaml", edge: edge, environment: environment)
            do throws(CommandFailure) {
                _ = try source.tunnels(of: file)
                return nil
            } catch {
                return error.status == .configuration ? error.message : "\(error.status)"
            }
        }
        let token = "c.yaml:4: The token is of the tunnel “my-app”, which line 3 has, too: a tunnel has one target."
        let name = "c.yaml:4: “my-app” is in the list twice, the first time in line 3: a tunnel has one target."
        #expect(try problem("name: my-app", "token-file: a") == token)
        #expect(try problem("token-file: a", "name: my-app") == name)
        #expect(try problem("name: my-app", "token-file: b") == nil)
        // Names are for the edge of the variable, tokens for their own.
        #expect(try problem("name: my-app", "token-file: a", variable: "https://b.example") == nil)
        #expect(try problem("name: my-app", "token-file: b", variable: "https://b.example") == token)
        // A flag is for all of them.
        #expect(try problem("token-file: a", "token-file: b") == nil)
        #expect(try problem("token-file: a", "token-file: b", edge: "https://c.example") == token)
        #expect(try problem("name: my-app", "token-file: b", edge: "https://c.example") == token)
    }

    @Test("Tunnels without a name may have the same target")
    func unnamed() throws {
        #expect(try TunnelsFile(yaml: "tunnels: [{target: 1}, {target: 1}]").tunnels.count == 2)
    }

    @Test(
        "What is not YAML is said with the line",
        arguments: [("a: [", 2), ("a: b\n\tc: d", 2), ("edge: a\nedge: b", 1), ("a: 'x", 1)]
    )
    func notYAML(yaml: String, line: Int) {
        let error = #expect(throws: TunnelsFile.Problems.self) { try TunnelsFile(yaml: yaml) }
        #expect(error?.list.count == 1)
        #expect(abs((error?.list.first?.line ?? 0) - line) <= 1, "\(String(describing: error?.list))")
    }

    @Test(
        "What holds no tunnels is refused",
        arguments: [
            "", "[]", "edge: x", "tunnels: []", "tunnels: 3", "tunnels: [3]", "a: [",
            "tunnels: [{target: 1, name: abc}, {target: 2, name: abc}]",
        ]
    )
    func refused(yaml: String) {
        #expect(throws: TunnelsFile.Problems.self) { try TunnelsFile(yaml: yaml) }
    }

    @Test("A file of more tunnels, entries or bytes than its bounds is refused")
    func bounds() throws {
        func tunnels(_ count: Int) -> String {
            "tunnels:\n" + (0..<count).map { "- target: \($0 + 1)\n" }.joined()
        }
        #expect(try TunnelsFile(yaml: tunnels(TunnelsFile.mostTunnels)).tunnels.count == TunnelsFile.mostTunnels)
        #expect(throws: TunnelsFile.Problems.self) { try TunnelsFile(yaml: tunnels(TunnelsFile.mostTunnels + 1)) }
        let networks = Array(repeating: "::1", count: 65).joined(separator: "\", \"")
        #expect(throws: TunnelsFile.Problems.self) {
            try TunnelsFile(yaml: "tunnels: [{target: 1, policy: {ip-deny: [\"\(networks)\"]}}]")
        }
        let folder = try TemporaryFolder()
        let large = tunnels(1) + String(repeating: "#", count: TunnelsFile.largestFile)
        try folder.write(large, to: "large.yaml")
        let failure = #expect(throws: CommandFailure.self) {
            try TunnelsFile(reading: folder.path + "/large.yaml")
        }
        #expect(failure?.status == .configuration)
        #expect(failure?.message.contains("more than 1 MiB") == true)
    }

    @Test(
        "The files of other programs, and a colon without its space, are known for what they are",
        arguments: [
            ("serverAddr = \"x\"\n[[proxies]]\n", "c:1: This looks like TOML or INI"),
            ("# frp\n[common]\nserver_addr = x\n", "c:2: This looks like TOML or INI"),
            ("tunnels:\n  - target:3000\n    name: abc\n", "no space behind it"),
            ("tunnels:\n  app: {target: 3000}\n", "each entry begins with a hyphen"),
            ("just a text", "The file holds no settings"),
            (
                "listen: 0.0.0.0:8989\npublic: {url: http://a}\n",
                "c: These are settings of the server: culvert-edge --config"
            ),
            ("target: 3000\npublic: off\n", "“tunnels” is missing"),
            ("environment: production\n", "A file of tunnels has “tunnels:”"),
            ("listen: 1\ntunnels: [{target: 1}]\n", "c:1: There is no setting “listen”"),
            ("[a, b]", "The file holds no settings"),
        ]
    )
    func otherFormats(yaml: String, words: String) {
        let error = #expect(throws: TunnelsFile.Problems.self) { try TunnelsFile(yaml: yaml) }
        let report = error?.report(for: "c") ?? ""
        #expect(report.contains(words), "\(report)")
    }

    @Test("Files of secrets that a tunnel would share with its folder are refused, the file of tunnels among them")
    func exposedFiles() throws {
        let folder = try TemporaryFolder()
        try folder.write("secret", to: "site/password.txt")
        try folder.write("secret", to: "password.txt")
        func problems(_ credential: String) throws -> [String] {
            let text = "tunnels: [{target: ./site, policy: {basic-auth: [{username: u, \(credential)}]}}]"
            do {
                _ = try TunnelsFile(text: text, of: folder.path + "/tunnels.yaml")
                return []
            } catch {
                return error.list.map(\.message)
            }
        }
        let inside = try problems("password-file: site/password.txt")
        #expect(inside.count == 1 && inside[0].contains("site/password.txt lies in"), "\(inside)")
        #expect(try problems("password-file: password.txt").isEmpty)
        #expect(try problems("password: secret").isEmpty, "The file of tunnels is not shared.")
        let shared = #expect(throws: TunnelsFile.Problems.self) {
            try TunnelsFile(
                text: "tunnels: [{target: ./, policy: {basic-auth: [{username: u, password: secret}]}}]",
                of: folder.path + "/tunnels.yaml"
            )
        }
        #expect(shared?.list.first?.message.contains("tunnels.yaml lies in") == true)
        _ = try TunnelsFile(text: "tunnels: [{target: ./}]", of: folder.path + "/tunnels.yaml")
    }

    @Test("Of very many problems the first fifty are listed, and the rest is counted")
    func manyProblems() {
        let yaml = "tunnels:\n" + String(repeating: "- target: x\n", count: 60)
        let error = #expect(throws: TunnelsFile.Problems.self) { try TunnelsFile(yaml: yaml) }
        let lines = error?.report(for: "c").split(separator: "\n") ?? []
        #expect(lines.count == 51)
        #expect(lines.last == "c: There are 10 more problems.")
    }

    @Test("A target may be a folder, whose path starts at the folder of the file; one that is not there is told")
    func folders() throws {
        let folder = try TemporaryFolder()
        try folder.write("hello", to: "site/index.html")
        let file = try TunnelsFile(
            yaml: "tunnels: [{target: ./site, name: one-app}, {target: \(folder.path)/site, name: two-app}]",
            folder: folder.path
        )
        #expect(file.tunnels.map(\.target.folder) == ["\(folder.path)/site", "\(folder.path)/site"])
        #expect(file.namedFiles == [])
        let error = #expect(throws: TunnelsFile.Problems.self) {
            try TunnelsFile(
                yaml: """
                    tunnels:
                      - target: ./none
                      - target: site
                      - target: ./site
                        kind: tcp
                    """,
                folder: folder.path
            )
        }
        #expect(
            error?.list.map(\.description) == [
                ":2: There is no folder \(folder.path)/none.",
                ":3: The folder “site” is written ./site.",
                ":4: “./site” is not a target: a folder is shared by culvert http ./folder, or by a tunnel of kind http in a "
                    + "file.",
            ]
        )
    }

    @Test("A hash of htpasswd is no password, neither in the file nor in one that it names")
    func foreignHashes() throws {
        let folder = try TemporaryFolder()
        let hash = "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/"
        try folder.write("ann:\(hash)\n", to: "htpasswd")
        for (setting, value) in [("password", hash), ("password-file", "htpasswd")] {
            let error = #expect(throws: TunnelsFile.Problems.self) {
                try TunnelsFile(
                    yaml: "tunnels: [{target: 1, policy: {basic-auth: [{username: ann, \(setting): \(value)}]}}]",
                    folder: folder.path
                )
            }
            #expect(
                error?.list.map(\.message) == [
                    "“basic-auth[0].\(setting)” looks like a hash, as htpasswd writes it: the plain password is wanted, and the "
                        + "edge hashes it."
                ]
            )
        }
    }

    @Test("A password never comes into a message")
    func secrets() {
        let error = #expect(throws: TunnelsFile.Problems.self) {
            try TunnelsFile(
                yaml:
                    "tunnels: [{target: 1, policy: {basic-auth: [{username: 'u:u', password: 'hunter2\\u00e9'}, hunter2]}}]"
            )
        }
        #expect(error?.report(for: "c").contains("hunter2") == false)
    }

    @Test("What comes by standard input is called so")
    func standardInput() {
        let problems = TunnelsFile.Problems(list: [TunnelsFile.Problem(line: 3, message: "It is wrong.")])
        #expect(problems.report(for: "-") == "standard input:3: It is wrong.")
        #expect(BoundedFile.subject("-") == "Standard input" && BoundedFile.subject("a.yaml") == "The file a.yaml")
        #expect(FileFault.words("-") == "it can't be read")
    }
}
