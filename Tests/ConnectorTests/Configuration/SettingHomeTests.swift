// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Testing

@testable import Connector

@Suite("Settings at another place of a file of tunnels")
struct SettingHomeTests {
    private func problems(_ yaml: String) -> [String] {
        do {
            _ = try TunnelsFile(yaml: yaml)
            return []
        } catch {
            return error.list.map { "\($0.line ?? 0): \($0.message)" }
        }
    }

    @Test("A setting one level too high or too deep is told where it belongs")
    func levels() {
        #expect(
            self.problems(
                """
                edge: https://edge.example
                target: 3000
                tunnels:
                  - name: my-app
                    target: 3000
                    basic-auth: [{username: ann, password: p}]
                    connections: 2
                    policy:
                      inbox: on
                      username: ann
                    inbox:
                      attempts: 3
                      delivery: {messages: 5}
                """
            ) == [
                "2: There is no setting “target”: it belongs to a tunnel of the list “tunnels”.",
                "6: There is no setting “basic-auth” of a tunnel: it belongs under “policy” of a tunnel.",
                "7: There is no setting “connections” of a tunnel: it belongs at the top of the file, beside “tunnels”.",
                "9: There is no setting “inbox” of a policy: it belongs to a tunnel of the list “tunnels”.",
                "10: There is no setting “username” of a policy: it belongs to an entry of “basic-auth” of a policy.",
                "12: There is no setting “attempts” of “inbox”: it belongs under “delivery” of “inbox”.",
                "13: There is no setting “messages” of “delivery”: it belongs under “keep” of “inbox”.",
            ]
        )
    }

    @Test(
        "A name is told by its other spelling at its other place, as the API or a flag writes it",
        arguments: [
            (
                SettingHome.tunnel, "ip_allow",
                "There is no setting “ip_allow” of a tunnel: “ip-allow” belongs under “policy” of a tunnel."
            ),
            (
                .policy, "max_connection",
                "There is no setting “max_connection” of a policy: did you mean “max-connections”?"
            ),
            (
                .policy, "request-timeout",
                "There is no setting “request-timeout” of a policy: it is called “request-timeout-seconds”."
            ),
            (
                .tunnel, "origin-header",
                "There is no setting “origin-header” of a tunnel: “origin” belongs under “policy” of a tunnel."
            ),
            (
                .signature, "colour",
                "There is no setting “colour” of a signature: there are scheme, secret-file, tunnel."
            ),
        ]
    )
    func spelling(home: SettingHome, typed: String, words: String) {
        #expect(home.refusal(of: typed, .tunnel) == words)
    }

    @Test("A slip in a setting of this place comes before the same word at another place")
    func nearHere() {
        #expect(
            self.problems("tunnel:\n  - target: 1") == [
                "0: “tunnels” is missing: list at least one tunnel with its target.",
                "1: There is no setting “tunnel”: did you mean “tunnels”?",
            ]
        )
        for typed in ["tunel", "Tunnel", "tunnles", "tunels"] {
            #expect(
                SettingHome.file.refusal(of: typed, .tunnel)
                    == "There is no setting “\(typed)”: did you mean “tunnels”?"
            )
        }
        #expect(
            SettingHome.signature.refusal(of: "tunnels", .tunnel)
                == "There is no setting “tunnels” of a signature: did you mean “tunnel”?"
        )
    }

    @Test(
        "What flags and the files of other programs have is told by its name and place here",
        arguments: [
            (
                SettingHome.policy, "basic-auth-file",
                "of a policy: under “policy” of a tunnel each entry of the list “basic-auth” has “username” and "
                    + "“password-file”, a file with this one password."
            ),
            (
                .tunnel, "basic_auth_file",
                "of a tunnel: under “policy” of a tunnel each entry of the list “basic-auth” has “username” and "
                    + "“password-file”, a file with this one password."
            ),
            (.credential, "user", "of an entry of “basic-auth”: it is called “username”."),
            (.tunnel, "tls-verify", "of a tunnel: it is called “origin-tls-verify”."),
            (.policy, "tls_verify", "of a policy: “origin-tls-verify” belongs to a tunnel of the list “tunnels”."),
            (.tunnel, "addr", "of a tunnel: it is called “target”."),
            (
                .tunnel, "hostname",
                "of a tunnel: “name” of a tunnel is the first label of its host, as my-app; the edge has the rest."
            ),
            (.tunnel, "proto", "of a tunnel: it is called “kind”."),
            (
                .file, "ingress",
                ": “tunnels” is the list of them, each with a “target” as 3000, and a “name” if it is to keep one."
            ),
            (.file, "api-key", ": “api-key-file”, at the top of the file, names a file that holds it."),
            (.tunnel, "authtoken", "of a tunnel: “api-key-file”, at the top of the file, names a file that holds it."),
            (.file, "serverAddr", ": it is called “edge”."),
            (.tunnel, "httpHostHeader", "of a tunnel: it is called “host-header”."),
            (.file, "credentials-file", ": “token-file” belongs to a tunnel of the list “tunnels”."),
            (
                .tunnel, "originRequest",
                "of a tunnel: “host-header”, “origin-tls-verify” and “origin-ca-file” stand beside "
                    + "“target” of a tunnel."
            ),
        ]
    )
    func familiar(home: SettingHome, name: String, words: String) {
        let space = words.hasPrefix(":") ? "" : " "
        #expect(home.refusal(of: name, .tunnel) == "There is no setting “\(name)”\(space)\(words)")
    }

    @Test("Each name of another program leads to a setting that there is, and is none itself")
    func table() {
        for familiar in FamiliarSetting.all {
            #expect(familiar.home.settings(.tunnel).contains(familiar.setting), "\(familiar.setting)")
            for name in familiar.names {
                let homes = SettingHome.allCases.filter { $0.settings(.tunnel).contains(name) }
                #expect(homes.isEmpty, "\(name)")
            }
        }
    }

    @Test("Each setting of a policy is told where it belongs when it stands beside the target")
    func policy() {
        for member in PolicySchema.tunnel.members {
            #expect(
                SettingHome.tunnel.refusal(of: member.fileName, .tunnel).hasSuffix(
                    "belongs under “policy” of a tunnel."
                ),
                "\(member.fileName)"
            )
        }
    }
}
