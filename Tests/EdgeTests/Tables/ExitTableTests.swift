// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Program
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

@Suite("Every exit code")
struct ExitTableTests {
    /// A way for the program to end.
    struct ExitCase: Sendable, CustomTestStringConvertible {
        let code: Int32
        /// Has the program end so, and gives its exit code.
        let end: @Sendable () throws -> Int32

        var testDescription: String { "\(self.code)" }
    }

    private static let nowhere = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]

    static var cases: [ExitCase] {
        [
            ExitCase(code: 0) {
                let edge = try EdgeProgram(["--dev"] + Self.nowhere)
                #expect(edge.greeting().contains("culvert-edge listens on"))
                edge.terminate()
                return edge.end()
            },
            ExitCase(code: 64) { try EdgeProgram(["health", "--url", "no-url"]).end() },
            ExitCase(code: 69) {
                let first = try EdgeProgram(["--dev"] + Self.nowhere)
                let greeting = first.greeting()
                let address = greeting.split(separator: " ").first { $0.hasPrefix("http://") }?.dropFirst(7)
                let second = try EdgeProgram([
                    "--dev", "--listen", "\(try #require(address))", "--admin-listen", "127.0.0.1:0",
                ])
                let code = second.end()
                first.terminate()
                _ = first.end()
                return code
            },
            ExitCase(code: 78) { try EdgeProgram(["--dev", "--listen", "here"]).end() },
        ]
    }

    @Test("Each exit code of the program, and each that docs/errors.md names, has a case")
    func complete() throws {
        let known = ["0"] + EdgeExitCode.allCases.map { "\($0.rawValue)" }
        let shown = Self.cases.map { "\($0.code)" }
        #expect(Walk.faults(of: known, shownBy: shown) == [])
        let documented = try Walk.text(of: "docs/errors.md").components(separatedBy: "## Exit codes of culvert-edge")[1]
            .matches(of: /\n\| ([0-9]+) \|/).map { String($0.output.1) }
        #expect(documented == shown)
    }

    @Test("The program ends with the code", arguments: Self.cases)
    func code(exit: ExitCase) throws {
        #expect(try exit.end() == exit.code)
    }

    @Test("Without any configuration health asks where an edge of --dev listens, and does not complain of missing keys")
    func healthWithoutConfiguration() throws {
        // Somebody may listen there.
        let code = try EdgeProgram(["health"]).end()
        #expect([0, EdgeExitCode.unavailable.rawValue].contains(code))
    }

    @Test("Health asks whatever other settings say, and minds a wrong address of the admin listener")
    func healthWithOtherSettings() throws {
        let unavailable = EdgeExitCode.unavailable.rawValue
        let others = [
            "CULVERT_API_KEY": "x", "CULVERT_EDGE": "http://edge.example.com", "CULVERT_LISTEN": "nowhere",
        ]
        #expect([0, unavailable].contains(try EdgeProgram(["health"], environment: others).end()))
        // Port 1 is nobody's.
        let asking = ["health", "--admin-listen", "127.0.0.1:1"]
        #expect(try EdgeProgram(asking, environment: others).end() == unavailable)
        let wrong = EdgeExitCode.configuration.rawValue
        #expect(try EdgeProgram(["health", "--admin-listen", "nowhere"]).end() == wrong)
        #expect(try EdgeProgram(["health"], environment: ["CULVERT_ADMIN_LISTEN": "nowhere"]).end() == wrong)
        let file = FileManager.default.temporaryDirectory.appending(path: "culvert-\(UUID().uuidString).yaml")
        try Data("admin: [".utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        #expect(try EdgeProgram(["health", "--config", file.path]).end() == wrong)
    }
}
