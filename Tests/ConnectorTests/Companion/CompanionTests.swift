// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
import Testing

@testable import Connector

@Suite("The program after --")
struct CompanionTests {
    @Test(
        "Its exit code is told, and of a signal what shells say of it",
        arguments: [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143)]
    )
    func codes(script: String, code: Int32) async {
        let companion = Companion(["/bin/sh", "-c", script])
        #expect(companion.start(url: "https://x/") == nil)
        #expect(await companion.end() == code)
    }

    @Test("It knows the URL, and none of the secrets of culvert")
    func environment() async throws {
        let folder = try TemporaryFolder()
        let companion = Companion(
            ["/bin/sh", "-c", "env > \"$0\"", folder.path + "/env"],
            environment: ["PATH": "/usr/bin:/bin", "CULVERT_API_KEY": "k3y", "CULVERT_TOKEN": "t0k", "A": "b"]
        )
        companion.start(url: "https://x/y/")
        #expect(await companion.end() == 0)
        let lines = try #require(folder.read("env")).split(separator: "\n")
        #expect(lines.contains("CULVERT_URL=https://x/y/"))
        #expect(lines.contains("A=b"))
        #expect(!lines.contains { $0.contains("k3y") || $0.contains("t0k") })
    }

    @Test("Signals reach it, and it starts once")
    func signals() async {
        let companion = Companion(["/bin/sleep", "600"])
        companion.start(url: "https://x/")
        companion.start(url: "https://x/")
        #expect(companion.pass(SIGINT, isFromTerminal: true))
        #expect(companion.pass(SIGTERM))
        #expect(await companion.end() == 143)
        #expect(!companion.pass(SIGTERM))
    }

    @Test("After a signal that came before its tunnel was online it does not start")
    func early() async {
        let companion = Companion(["/bin/false"])
        #expect(!companion.pass(SIGTERM))
        companion.start(url: "https://x/")
        #expect(await companion.end() == nil)
    }

    @Test("What is not there ends with 127, and what is no program with 126")
    func absent() async throws {
        let absent = Companion(["/no/such/program"])
        #expect(absent.start(url: "") != nil)
        #expect(await absent.end() == 127)
        let folder = try TemporaryFolder()
        let other = Companion([folder.path])
        #expect(other.start(url: "") != nil)
        #expect(await other.end() == 126)
    }
}
