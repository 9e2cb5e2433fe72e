// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Program
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeProxy
@testable import EdgeTunnels

@Suite("Every error code")
struct CodeTableTests {
    /// Every code that the edge can answer with, from the types themselves.
    private func codes() throws -> [String] {
        VisitorError.allCases.map { "visitor: \($0.code)" } + ProblemTests.all.map { "caller: \($0.code)" }
            + Set(try ProblemTests.handshakeCodes()).map { "upgrade: \($0)" }
    }

    @Test("Each code has a case that provokes it")
    func complete() throws {
        #expect(Walk.faults(of: try self.codes(), shownBy: CodeCase.all.map(\.name)) == [])
    }

    @Test("The walk names a code without a case")
    func walk() throws {
        let names = CodeCase.all.map(\.name)
        #expect(Walk.faults(of: names + ["visitor: new_code"], shownBy: names) == ["visitor: new_code has no case"])
    }

    @Test("A provoked error has its status, its code and its field", arguments: CodeCase.all)
    func met(error: CodeCase) async throws {
        let met = try await error.provoke()
        #expect(met.code == error.code)
        #expect(met.status == error.status)
        #expect(met.field == error.field)
    }

    @Test("docs/errors.md gives each code the status that was met")
    func documentation() throws {
        let lines = try Walk.text(of: "docs/errors.md").split(separator: "\n")
        for error in CodeCase.all {
            #expect(
                lines.contains { $0.contains("`\(error.code)`") && $0.contains("| \(error.status) |") },
                "\(error.name)"
            )
        }
    }
}
