// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import Testing

@testable import Connector

@Suite("An inbox in a file of tunnels")
struct InboxInFileTests {
    private static func inbox(_ text: String, folder: String = "/nowhere") throws -> InboxSettings? {
        let yaml = "edge: https://edge.example\ntunnels:\n  - name: my-app\n    target: 1\n    inbox: \(text)\n"
        return try TunnelsFile(yaml: yaml, folder: folder).tunnels[0].inbox
    }

    @Test("Every setting of the control API can be said, and what is left out has its default")
    func everything() throws {
        let folder = try TemporaryFolder()
        try folder.write("hush-hush\n", to: "secret")
        let text = """

                  when: always
                  methods: [POST, DELETE]
                  paths: [/hooks/*, /other]
                  answer: {status: 200, content-type: text/plain, body: ""}
                  echo: ["query:hub.challenge"]
                  verify:
                    scheme: generic
                    secret-file: secret
                    on-failure: mark
                    tolerance-seconds: 60
                    generic: {field: X-Sign, prefix: "v=", hash: sha1, coding: base64, template: "{path}{body}", time-field: X-Time}
                  delivery: {attempts: 3, timeout-seconds: 5s, order: any, per-second: 7}
                  keep: {delivered-hours: 1h, waiting-hours: 2, messages: 3, bytes: 4096, body-bytes: 5}
            """
        var all = InboxSettings()
        (all.when, all.methods, all.paths) = (.always, ["POST", "DELETE"], ["/hooks/*", "/other"])
        (all.answer.status, all.answer.contentType, all.answer.body) = (200, "text/plain", "")
        all.echo = ["query:hub.challenge"]
        var verify = InboxSettings.Verification(scheme: .generic, secret: "hush-hush")
        (verify.onFailure, verify.toleranceSeconds) = (.mark, 60)
        var generic = InboxSettings.GenericSignature(field: "X-Sign")
        (generic.prefix, generic.hash, generic.coding) = ("v=", .sha1, .base64)
        (generic.template, generic.timeField) = ("{path}{body}", "X-Time")
        verify.generic = generic
        all.verify = verify
        all.delivery.attempts = 3
        (all.delivery.timeoutSeconds, all.delivery.order, all.delivery.perSecond) = (5, .any, 7)
        (all.keep.deliveredHours, all.keep.waitingHours, all.keep.messages) = (1, 2, 3)
        (all.keep.bytes, all.keep.bodyBytes) = (4_096, 5)
        #expect(try Self.inbox(text, folder: folder.path) == all)
        #expect(try Self.inbox("on") == InboxSettings())
        #expect(try Self.inbox("{}") == InboxSettings())
        #expect(try Self.inbox("{delivery: {attempts: 1}}")?.delivery.timeoutSeconds == 30)
    }

    @Test("A tunnel without one says nothing, and one that changes is another tunnel")
    func changes() throws {
        let head = "edge: https://edge.example\ntunnels:\n  - {name: my-app, target: 1"
        #expect(try TunnelsFile(yaml: "\(head)}\n").tunnels[0].inbox == nil)
        let source = TunnelsFileSource(path: "c.yaml", environment: ["CULVERT_API_KEY": "k"])
        let tunnels = try ["}", ", inbox: on}", ", inbox: {when: always}}", ", inbox: {}}"].map {
            try source.tunnels(of: TunnelsFile(yaml: "\(head)\($0)\n")).tunnels[0]
        }
        #expect(tunnels[0] != tunnels[1] && tunnels[1] != tunnels[2] && tunnels[1] == tunnels[3])
    }

    @Test(
        "What is wrong is said with its line",
        arguments: [
            (
                "maybe",
                "5: “inbox” has to be on, or have settings: when, methods, paths, answer, echo, verify, delivery, keep."
            ),
            (
                "off",
                "5: “inbox” has to be on, or have settings: when, methods, paths, answer, echo, verify, delivery, keep."
            ),
            ("{when: never}", "5: “when” has to be one of unreachable, always."),
            (
                "{path: [/a]}",
                "5: There is no setting “path” of “inbox”: did you mean “paths”?"
            ),
            (
                "{keep: {body_bytes: 1}}",
                "5: There is no setting “body_bytes” of “keep”: it is called “body-bytes”."
            ),
            ("{keep: {messages: 0}}", "5: “messages” has to be a number from 1 to 100000."),
            (
                "\n      paths:\n        - /a\n        - hooks",
                "8: “inbox.paths[1]” has to be a path such as /hooks/*, "
                    + "of 512 bytes and 8 asterisks at most."
            ),
            ("{paths: []}", "5: “inbox.paths” has to have 1 to 64 elements."),
            ("{methods: POST}", "5: “methods” has to be a list: each entry begins with a hyphen."),
            ("{verify: {scheme: github}}", "5: “verify” has to have “scheme” and “secret-file”."),
            ("{verify: {scheme: github, secret: s}}", "5: “verify” has to have “scheme” and “secret-file”."),
            ("{answer: {status: 500}}", "5: “status” has to be a number from 200 to 299."),
        ]
    )
    func problems(text: String, problem: String) {
        let failure = #expect(throws: TunnelsFile.Problems.self) { try Self.inbox(text) }
        #expect(failure?.report(for: "c.yaml") == "c.yaml:\(problem)")
    }

    @Test(
        "Only a public tunnel of HTTP with a name has one",
        arguments: [
            (
                "{target: 1, inbox: on}",
                "“inbox” needs “name”: an inbox outlives the program, and keeps its tunnel's name."
            ),
            (
                "{target: 1, name: db-1, kind: tcp, inbox: on}",
                "“inbox” is for public tunnels of kind http: leave it out."
            ),
            (
                "{target: 1, name: app-1, public: off, inbox: on}",
                "“inbox” is for public tunnels of kind http: leave it out."
            ),
        ]
    )
    func others(tunnel: String, problem: String) {
        let failure = #expect(throws: TunnelsFile.Problems.self) {
            try TunnelsFile(yaml: "edge: https://edge.example\ntunnels:\n  - \(tunnel)\n")
        }
        #expect(failure?.report(for: "c.yaml") == "c.yaml:3: \(problem)")
    }
}
