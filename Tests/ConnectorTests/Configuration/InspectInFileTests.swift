// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Inspection
import Testing

@testable import Connector

@Suite("The inspector in a file of tunnels")
struct InspectInFileTests {
    private static func file(_ inspect: String, folder: String = "/nowhere") throws -> TunnelsFile {
        try TunnelsFile(yaml: "edge: https://edge.example\n\(inspect)\ntunnels:\n  - target: 1\n", folder: folder)
    }

    private static func settings(
        _ inspect: String,
        _ line: String = "",
        isWatched: Bool = false
    ) throws -> TrafficInspection.Settings? {
        let options = try InspectOptions.parse(line.split(separator: " ").map(String.init))
        return options.settings(isWatched: isWatched, file: try Self.file(inspect).inspect)
    }

    @Test("It is on, off or at an address, and the command line outranks it")
    func choice() throws {
        #expect(try Self.settings("") == nil)
        #expect(try Self.settings("", isWatched: true) != nil)
        #expect(try Self.settings("inspect: on") != nil)
        #expect(try Self.settings("inspect: true") != nil)
        #expect(try Self.settings("inspect: off", isWatched: true) == nil)
        #expect(try Self.settings("inspect: 4041")?.address == InspectorAddress(port: 4_041))
        #expect(try Self.settings("inspect: {listen: '[::1]:4041'}")?.address == InspectorAddress("[::1]:4041"))
        #expect(try Self.settings("inspect: on", "--inspect off") == nil)
        #expect(try Self.settings("inspect: 4041", "--inspect 4042")?.address == InspectorAddress(port: 4_042))
    }

    @Test("Sizes, a token and names are those of the options")
    func members() throws {
        let text = "inspect: {listen: on, memory: 10MiB, body: 2kB, token: on, allow-hosts: [a.example]}"
        let settings = try #require(try Self.settings(text))
        #expect(settings.budget == CaptureBudget(bytes: 10 << 20, body: 2_000))
        #expect(settings.requiresToken && settings.allowedHosts == ["a.example"])
        let line = "--inspect-memory 5MiB --inspect-body 3kB --inspect-allow-host b.example"
        let outranked = try #require(try Self.settings(text, line))
        #expect(outranked.budget == CaptureBudget(bytes: 5 << 20, body: 3_000))
        #expect(outranked.allowedHosts == ["b.example", "a.example"])
        // A budget below what is kept of a body by default bounds that, too.
        let small = try #require(try Self.settings("inspect: {listen: on, memory: 64KiB}"))
        #expect(small.budget == CaptureBudget(bytes: 64 << 10, body: 64 << 10))
    }

    @Test("Fields that are not kept are those of the file and of the command line")
    func dropped() throws {
        let text = "inspect: {listen: on, drop: [Authorization, X-Token]}"
        let settings = try #require(try Self.settings(text, "--inspect-drop Cookie --inspect-drop x-token"))
        #expect(settings.dropped == DroppedFields(["authorization", "x-token", "cookie"]))
        #expect(try Self.settings("inspect: on")?.dropped.isEmpty == true)
    }

    @Test("One tunnel can be left out")
    func tunnel() throws {
        let file = try TunnelsFile(
            yaml: "edge: https://edge.example\ntunnels:\n  - {target: 1, inspect: off}\n  - {target: 2}\n"
        )
        #expect(file.tunnels.map(\.isInspected) == [false, true])
    }

    @Test("Secrets come from files, and no description shows them")
    func secrets() throws {
        let folder = try TemporaryFolder()
        try folder.write("hush-hush\n", to: "stripe")
        try folder.write("whsec_aGVsbG8=\n", to: "standard")
        let text = """
            inspect:
              signatures:
                - {scheme: stripe, secret-file: stripe, tunnel: my-app}
                - {scheme: standard, secret-file: standard}
            """
        let secrets = try Self.file(text, folder: folder.path).inspect.signingSecrets
        #expect(
            secrets
                == [
                    SigningSecret(.stripe, secret: "hush-hush", tunnel: "my-app"),
                    SigningSecret(.standard, secret: "aGVsbG8="),
                ].compactMap(\.self)
        )
        #expect(secrets.count == 2 && !"\(secrets)".contains("hush"))
    }

    @Test(
        "What is wrong is said with its line",
        arguments: [
            ("inspect: maybe", "c.yaml:2: “inspect” has to be on, off, or an address to listen on, as 127.0.0.1:4040."),
            ("inspect: [on]", "c.yaml:2: “inspect” has to be on, off, or an address to listen on, as 127.0.0.1:4040."),
            ("inspect: {memory: 1kB}", "c.yaml:2: “memory” has to be a size from 64KiB to 64GiB, as 50MiB."),
            ("inspect: {body: much}", "c.yaml:2: “body” has to be a size up to 64GiB, as 50MiB."),
            (
                "inspect: {drop: [a b]}",
                "c.yaml:2: “drop” has to be a list of names of fields, as Authorization, without Host."
            ),
            (
                "inspect: {drop: [HOST]}",
                "c.yaml:2: “drop” has to be a list of names of fields, as Authorization, without Host."
            ),
            ("inspect: {token: yes please}", "c.yaml:2: “token” has to be on or off."),
            (
                "inspect: {signatures: [{scheme: stripe}]}",
                "c.yaml:2: A signature has to have “scheme” and “secret-file”."
            ),
            (
                "inspect: {signatures: [{scheme: x, secret-file: y}]}",
                "c.yaml:2: “scheme” has to be one of stripe, slack, standard, svix, github, shopify."
            ),
            (
                "inspect: {port: 1}",
                "c.yaml:2: There is no setting “port” of “inspect”: there are listen, memory, body, token, "
                    + "allow-hosts, drop, signatures. “port” belongs to a tunnel of the list “tunnels”."
            ),
        ]
    )
    func problems(text: String, problem: String) {
        let failure = #expect(throws: TunnelsFile.Problems.self) { try Self.file(text) }
        #expect(failure?.report(for: "c.yaml") == problem)
    }
}
