// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Connector

@Suite("A file of tunnels")
struct TunnelsFileTests {
    @Test("All settings are read, and what is left out has its default")
    func everything() throws {
        let file = try TunnelsFile(
            yaml: """
                edge: https://edge.example.com
                api-key-file: /etc/culvert/key
                connections: 3
                tunnels:
                  - name: my-app
                    target: 3000
                    host-header: preserve
                  - token-file: /etc/culvert/token
                    target: https://localhost:8443
                    origin-tls-verify: off
                """
        )
        #expect(file.edge == "https://edge.example.com")
        #expect(file.apiKeyFile == "/etc/culvert/key")
        #expect(file.connections == 3)
        #expect(
            file.tunnels == [
                .init(target: try OriginTarget(parsing: "3000"), name: "my-app", hostHeader: "preserve"),
                .init(
                    target: try OriginTarget(parsing: "https://localhost:8443"),
                    tokenFile: "/etc/culvert/token",
                    verifiesOriginTLS: false
                ),
            ]
        )
    }

    @Test("Everything that is wrong is said at once, each with its line")
    func problems() {
        let error = #expect(throws: TunnelsFile.Problems.self) {
            try TunnelsFile(
                yaml: """
                    edgee: https://edge.example.com
                    connections: 9
                    tunnels:
                      - name: a
                        target: foo
                      - nmae: b
                        target: 3000
                        origin-tls-verify: maybe
                      - name: c
                      - name: d
                        token-file: t
                        target: 1
                    """
            )
        }
        #expect(
            error?.list.map(\.description) == [
                "line 1: there is no setting “edgee”",
                "line 2: “connections” has to be a number from 1 to 8",
                "line 5: “foo” is not a target: the port is missing, as in localhost:3000.",
                "line 6: there is no setting “nmae” of a tunnel",
                "line 8: “origin-tls-verify” is on or off",
                "line 9: “target” is missing",
                "line 10: with “token-file”, name and host-header are those of the token",
            ]
        )
    }

    @Test(
        "What holds no tunnels is refused",
        arguments: [
            "", "[]", "edge: x", "tunnels: []", "tunnels: 3", "tunnels: [3]", "a: [",
            "tunnels: [{target: 1, name: a}, {target: 2, name: a}]",
        ]
    )
    func refused(yaml: String) {
        #expect(throws: TunnelsFile.Problems.self) { try TunnelsFile(yaml: yaml) }
    }
}
