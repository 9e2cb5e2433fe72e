// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import ControlAPI
import Testing

@testable import Connector

@Suite("The command line")
struct CommandLineTests {
    @Test(
        "The commands of docs/connector.md are understood",
        arguments: [
            "http 3000", "http 3000 --name my-app",
            "http 3000 --edge https://e --api-key-file k --otp 123456 --no-retry",
            "http https://localhost:8443 --origin-tls-verify off --host-header preserve --connections 8",
            "http 3000 --qr --log-requests --log-format json", "connect --token-file t --to 3000 --qr",
            "start --config c.yaml --qr --log-requests", "connect --to 3000", "tunnels list", "tunnels status x --json",
            "tunnels delete x", "start --config c.yaml", "diagnose --to 3000", "login --edge https://e",
            "http https://localhost:8443 --origin-ca-file ca.pem",
            "http 3000 --path-mode keep --request-timeout 60 --max-connections 4 --requests-per-second 10",
            "http 3000 --basic-auth a:b --basic-auth c:d --basic-auth-file f --ip-allow ::1 --ip-deny 10.0.0.0/8",
            "http 3000 --upgrades websocket --origin-reuse never", "config check --config c.yaml",
            "completions bash", "completions zsh", "completions fish", "manual",
            "service install --config c.yaml --user --print", "service install --token-file t --to 3000 --force",
            "service uninstall --root /r --name my-app",
            "http 3000 --inspect on --inspect-memory 20MiB --inspect-body 4MiB --inspect-token",
            "connect --to 3000 --inspect 4041 --inspect-allow-host dev.example", "start --config c.yaml --inspect off",
            "http 3000 --inspect-drop Authorization --inspect-drop Cookie --inspect-signature stripe:secret",
            "requests list --tunnel x --filter status:5xx --limit 3 --follow --json",
            "requests show 019ad0c3f2a1b004 --body --response --reveal",
            "requests clear --inspector http://localhost:4041",
            "requests replay 019ad0c3f2a1b004 --method PUT --path /x --header X:1 --drop-header Y --body z --times 3",
            "requests curl 019ad0c3f2a1b004 --public", "requests export --har - --with-secrets",
        ]
    )
    func understood(line: String) throws {
        _ = try CulvertCommand.parseAsRoot(line.split(separator: " ").map(String.init))
    }

    @Test(
        "A time is taken with and without a unit",
        arguments: [("3600", 3600), ("1h", 3600), ("7d", 604_800), ("30m", 1800), ("2000ms", 2)]
    )
    func times(text: String, seconds: Int) throws {
        let words = ["tunnels", "access", "x", "--lifetime", text]
        let access = try #require(try CulvertCommand.parseAsRoot(words) as? TunnelsCommand.Access)
        #expect(access.lifetime == seconds)
        if seconds <= 3600 {
            let http = try #require(
                try CulvertCommand.parseAsRoot(["http", "3000", "--request-timeout", text]) as? HTTPCommand
            )
            #expect(try http.policyOptions.values()["request_timeout_seconds"] == .number(seconds))
        }
    }

    @Test(
        "What is taken is said to who gives another time",
        arguments: [
            ("tunnels access x --lifetime soon", 31_536_000), ("tunnels access x --lifetime 500ms", 31_536_000),
            ("http 3000 --request-timeout 500ms", 3600), ("http 3000 --request-timeout 1d", 3600),
        ]
    )
    func wrongTimes(line: String, most: Int) throws {
        let error = #expect(throws: (any Error).self) {
            let read = try CulvertCommand.parseAsRoot(line.split(separator: " ").map(String.init))
            _ = try (read as? HTTPCommand)?.policyOptions.values()
        }
        let requirement = "a number of seconds from 1 to \(most), or a time as 30s or 5m"
        #expect(CulvertCommand.report(of: try #require(error)).contains(requirement))
    }

    @Test("The help says what --json prints: an object a line, one object, or what the API says")
    func jsonLines() {
        func json(_ command: any ParsableCommand.Type) -> String {
            let lines = CulvertCommand.helpMessage(for: command, columns: 200).split(separator: "\n")
            return lines.filter { $0.contains("--json  ") }.joined()
        }
        #expect(
            json(RequestsCommand.List.self).hasSuffix(
                "Print a JSON object a line, one for each request, and no list around them."
            )
        )
        #expect(json(RequestsCommand.Show.self).hasSuffix("one object, or with --frames one a line."))
        #expect(json(TunnelsCommand.List.self).hasSuffix("Print the JSON of the control API."))
    }

    @Test(
        "What says which certificates to trust is refused for a target without TLS",
        arguments: [["--origin-tls-verify", "off"], ["--origin-ca-file", "ca.pem"]]
    )
    func trust(words: [String]) throws {
        let options = try OriginTrustOptions.parse(words)
        let target = try OriginTarget(parsing: "3000")
        let failure = #expect(throws: CommandFailure.self) { try options.originTrust(for: target) }
        #expect(failure?.message.hasPrefix("\(words[0]) is for https:// targets") == true)
        #expect(try OriginTrustOptions.parse([]).originTrust(for: target) == OriginTrust())
    }

    @Test(
        "A command line that makes no sense ends with the exit code for usage",
        arguments: [
            "http", "http 3000 --connections 0", "http 3000 --connections 9", "http 3000 --no-such-option", "nonsense",
            "http 3000 --origin-tls-verify maybe", "http 3000 --path-mode drop", "http 3000 --host-header a/b",
            "http 3000 --basic-auth secret", "http 3000 --max-connections 1", "http 3000 --ip-allow 10.0.0.0/33",
            "http 3000 --inspect maybe", "http 3000 --inspect example.com:4040", "http 3000 --inspect 0",
            "http 3000 --inspect-memory 1kB", "http 3000 --inspect-memory 1TB", "http 3000 --inspect-body x",
            "http 3000 --inspect-memory 1MiB --inspect-body 2MiB", "requests replay x --times 101", "requests export",
            "requests replay x --body a --body-file b", "requests replay x --header none",
            "connect", "tunnels delete", "http 3000 --log-format xml",
            "completions", "completions tcsh", "service uninstall --name /x",
            "http https://localhost --origin-tls-verify off --origin-ca-file ca.pem",
        ]
    )
    func refused(line: String) {
        do {
            _ = try CulvertCommand.parseAsRoot(line.split(separator: " ").map(String.init))
            Issue.record("\(line) was understood")
        } catch {
            #expect(CulvertCommand.exitCode(for: error).rawValue == CommandStatus.usage.rawValue)
            let report = CulvertCommand.report(of: error)
            #expect(report.hasPrefix("culvert: ") && !report.contains("Error: "))
        }
    }

    @Test("An unexpected error ends with the exit code for a bug, and a failure with its own")
    func failures() async throws {
        struct Surprise: Error {}
        let command = ManualCommand()
        let bug = await #expect(throws: ExitCode.self) { try await command.reportingFailures { throw Surprise() } }
        #expect(bug?.rawValue == 1)
        for status in CommandStatus.allCases {
            let code = await #expect(throws: ExitCode.self) {
                try await command.reportingFailures { throw CommandFailure(status, "A test.") }
            }
            #expect(code?.rawValue == status.rawValue)
        }
        await #expect(throws: Never.self) { try await command.reportingFailures {} }
    }

    @Test("The exit codes are those of docs/connector.md")
    func exitCodes() {
        #expect(CommandStatus.allCases.map(\.rawValue) == [0, 1, 64, 66, 69, 73, 77, 78])
    }
}
