// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import ControlAPI
import Foundation
import Testing

@testable import Connector
@testable import Edge
@testable import EdgeControl
@testable import JSONText

/// The policy's schema with a member of each kind that it does not have, or has under another name.
private enum LargerSchema: PolicySchemaSource {
    static let schema: PolicySchema = {
        var schema = PolicySchema.tunnel
        schema.members += [
            PolicyMember(
                "host_fallback",
                .toggle,
                default: .value(.toggle(false)),
                documentation: "Whether a path without a tunnel's id reaches the tunnel of the `Referer`."
            ),
            PolicyMember(
                "visitor_idle_seconds",
                .seconds(5...90),
                default: .value(.number(30)),
                documentation: "The time after which a visitor is forgotten."
            ),
            PolicyMember(
                "inbox",
                .choice(["none", "keep", "forward"]),
                default: .value(.text("none")),
                documentation: "What happens to requests while no connector is there."
            ),
            PolicyMember(
                "admins",
                .credentials(atMost: 2),
                default: .described("nobody"),
                documentation: "Who may look into the inbox."
            ),
            PolicyMember(
                "hooks_from",
                .texts(.network, atMost: 2),
                default: .described("everybody"),
                documentation: "The networks whose requests are kept."
            ),
        ]
        return schema
    }()
}

@Suite("A member that is added to a copy of the policy's schema")
struct AddedMemberTests {
    private let added = LargerSchema.schema.members.dropFirst(PolicySchema.tunnel.members.count)

    @Test("The OpenAPI document describes it, with its bounds and its default")
    func openAPI() throws {
        func properties(_ schema: PolicySchema) throws -> [String: Any] {
            let json = Data(OpenAPIDocument.json(policy: schema).utf8)
            let document = try #require(try JSONSerialization.jsonObject(with: json) as? [String: Any])
            let components = try #require(document["components"] as? [String: Any])
            let schemas = try #require(components["schemas"] as? [String: [String: Any]])
            return try #require(schemas["TunnelPolicy"]?["properties"] as? [String: Any])
        }
        let before = try properties(.tunnel)
        let after = try properties(LargerSchema.schema)
        #expect(Set(after.keys).subtracting(before.keys) == Set(self.added.map(\.name)))
        let toggle = try #require(after["host_fallback"] as? [String: Any])
        #expect(toggle["type"] as? [String] == ["boolean", "null"])
        #expect(toggle["default"] as? Bool == false)
        let seconds = try #require(after["visitor_idle_seconds"] as? [String: Any])
        #expect(seconds["minimum"] as? Int == 5 && seconds["maximum"] as? Int == 90 && seconds["default"] as? Int == 30)
        #expect(seconds["description"] as? String == "The time after which a visitor is forgotten.")
        let choice = try #require(after["inbox"] as? [String: Any])
        #expect((choice["enum"] as? [Any])?.compactMap { $0 as? String } == ["none", "keep", "forward"])
        let list = try #require(after["hooks_from"] as? [String: Any])
        #expect(list["maxItems"] as? Int == 2)
        let credentials = try #require(after["admins"] as? [String: Any])
        #expect((credentials["items"] as? [String: String])?["$ref"] == "#/components/schemas/BasicCredential")
    }

    @Test(
        "Strict JSON takes it within its bounds, and names it otherwise",
        arguments: [
            (#""host_fallback":true"#, nil), (#""host_fallback":null"#, nil), (#""visitor_idle_seconds":9e1"#, nil),
            (#""inbox":"keep""#, nil), (#""admins":[{"username":"a","password":"b"}]"#, nil),
            (#""hooks_from":["::/0"]"#, nil),
            (#""host_fallback":"on""#, "policy.host_fallback has to be true or false"),
            (
                #""visitor_idle_seconds":91"#,
                "policy.visitor_idle_seconds has to be a whole number of seconds from 5 to 90"
            ),
            (#""inbox":"x""#, "policy.inbox has to be none, keep or forward"),
            (#""admins":[{"username":"a"}]"#, "policy.admins[0] needs either password or password_hash"),
            (
                #""hooks_from":["::","x"]"#,
                "policy.hooks_from[1] has to be an address or a network, such as 192.0.2.7 or 10.0.0.0/8"
            ),
        ] as [(String, String?)]
    )
    func strictJSON(member: String, fault: String?) {
        func decode(_ schema: PolicySchema) -> String? {
            do {
                _ = try StrictJSON.decode(
                    CreateTunnelRequest.self,
                    members: .createTunnel(schema),
                    from: Array(#"{"policy":{\#(member)}}"#.utf8),
                    decoder: APICoding.makeDecoder()
                )
                return nil
            } catch {
                return error.description
            }
        }
        #expect(decode(LargerSchema.schema) == fault)
        let name = member.split(separator: "\"")[0]
        #expect(decode(.tunnel) == "policy.\(name) is not known here")
    }

    @Test(
        "A file of tunnels takes it within its bounds, and names it and the line otherwise",
        arguments: [
            ("host-fallback: on", nil), ("visitor-idle-seconds: 90", nil), ("inbox: keep", nil),
            ("visitor-idle-seconds: 1m", nil),
            ("admins: [{username: a, password: b}]", nil), ("hooks-from: [\"::/0\"]", nil),
            ("host-fallback: 3", "c.yaml:4: “host-fallback” has to be on or off."),
            (
                "visitor-idle-seconds: 91",
                "c.yaml:4: “visitor-idle-seconds” has to be a number of seconds from 5 to 90, or a time as 30s or 5m."
            ),
            ("inbox: x", "c.yaml:4: “inbox” has to be none, keep or forward."),
            (
                "admins: [{username: a}]",
                "c.yaml:4: “admins[0]” has to have “username”, and either “password” or “password-file”."
            ),
            (
                "hooks-from: [x]",
                "c.yaml:4: “hooks-from[0]” has to be an address or a network, such as 192.0.2.7 or 10.0.0.0/8."
            ),
        ] as [(String, String?)]
    )
    func file(setting: String, report: String?) {
        func read(_ schema: PolicySchema) -> String? {
            do {
                _ = try TunnelsFile(
                    yaml: "tunnels:\n  - target: 3000\n    policy:\n      \(setting)\n",
                    policySchema: schema
                )
                return nil
            } catch {
                return error.report(for: "c.yaml")
            }
        }
        #expect(read(LargerSchema.schema) == report)
        #expect(read(.tunnel)?.hasPrefix("c.yaml:4: There is no setting “\(setting.prefix { $0 != ":" })”") == true)
    }

    private struct Command: ParsableCommand {
        @OptionGroup var policy: PolicyOptions<LargerSchema>
    }

    @Test("It is a flag, with its choices, bounds and default in the help and in completions")
    func flags() throws {
        let line = """
            --host-fallback on --visitor-idle 90s --inbox keep --admins a:b:c --admins d:e --hooks-from ::/0 --path-mode keep
            """
        let values = try Command.parse(line.split(separator: " ").map(String.init)).policy.values()
        #expect(
            values == [
                "host_fallback": .toggle(true), "visitor_idle_seconds": .number(90), "inbox": .text("keep"),
                "admins": .credentials([
                    BasicCredential(username: "a", password: "b:c"), BasicCredential(username: "d", password: "e"),
                ]),
                "hooks_from": .texts(["::/0"]), "path_mode": .text("keep"),
            ]
        )
        #expect(try Command.parse([]).policy.values().isEmpty)
        let help = Command.helpMessage(columns: 1_000)
        for text in [
            "--host-fallback <on|off>", "reaches the tunnel of the Referer (default: off).", "--visitor-idle <seconds>",
            "(5 to 90, also as 30s or 5m; default: 30)", "--inbox <none|keep|forward>", "--admins <user:password>",
            "--admins-file <file>",
            "--hooks-from <network>", "(may be repeated; default: everybody)",
        ] {
            #expect(help.contains(text), "\(text)")
        }
        for member in self.added {
            #expect(Command.completionScript(for: .bash).contains("--\(member.flag)"), "\(member.flag)")
        }
        #expect(Command.completionScript(for: .fish).contains("forward"))
    }

    @Test(
        "A flag's value that is out of bounds is refused, and no secret is repeated",
        arguments: [
            ("--host-fallback yes", "--host-fallback has to be on or off."),
            ("--visitor-idle 4", "--visitor-idle has to be a number of seconds from 5 to 90, or a time as 30s or 5m."),
            ("--visitor-idle 2m", "--visitor-idle has to be a number of seconds from 5 to 90, or a time as 30s or 5m."),
            ("--inbox x", "--inbox has to be none, keep or forward."),
            ("--admins hunter2", "The value of --admins has to be USER:PASSWORD, and there is no colon."),
            (
                "--admins hunter2é:hunter2",
                "The user name of --admins has to be 1 to 128 of ASCII without space and colon."
            ),
            ("--admins a:hunter2é", "The password of --admins has to be 1 to 256 of ASCII."),
            (
                "--admins ann:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/",
                "The password of --admins looks like a hash, as htpasswd writes it: the plain password is wanted, and the edge "
                    + "hashes it."
            ),
            ("--admins a:b --admins a:b --admins a:b", "--admins may have 2 entries at most."),
            (
                "--hooks-from ::1 --hooks-from x",
                "“x” of --hooks-from has to be an address or a network, such as 192.0.2.7 or 10.0.0.0/8."
            ),
        ]
    )
    func wrongFlags(line: String, message: String) {
        do {
            _ = try Command.parse(line.split(separator: " ").map(String.init))
            Issue.record("\(line) was understood")
        } catch {
            #expect(Command.message(for: error) == message)
            #expect(Command.exitCode(for: error).rawValue == CommandStatus.usage.rawValue)
        }
    }

    @Test("The tables of the documentation have it")
    func documentation() throws {
        let tables = PolicyTables(schema: LargerSchema.schema)
        #expect(
            tables.members.text.hasSuffix(
                """
                | `host_fallback` | `http` | `true` or `false` | `false` | Whether a path without a tunnel's id reaches the \
                tunnel of the `Referer`. |
                | `visitor_idle_seconds` | `http` | 5 to 90 | 30 | The time after which a visitor is forgotten. |
                | `inbox` | `http` | `none` or `keep` or `forward` | `none` | What happens to requests while no connector is \
                there. |
                | `admins` | `http` | at most 2 of `{"username": …, "password": …}` | nobody | Who may look into the inbox. |
                | `hooks_from` | `http` | at most 2 texts, each an address or a network, such as 192.0.2.7 or 10.0.0.0/8 \
                | everybody | The networks whose requests are kept. |

                """
            )
        )
        #expect(
            tables.settings.text.contains(
                "| `host-fallback` | `--host-fallback <on\\|off>` | `http` | Whether a path without a tunnel's id"
            )
        )
        #expect(
            tables.settings.text.contains(
                "| `admins` | `--admins <user:password>`, `--admins-file <file>` | `http` | Who may look into the inbox. |"
            )
        )
    }
}
