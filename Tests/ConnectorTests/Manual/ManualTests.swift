// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Foundation
import Testing

@testable import Connector
@testable import Program

@Suite("What culvert says of itself")
struct ManualTests {
    private func commands() throws -> CommandDocument {
        try CommandDocument(dumpedHelp: CulvertCommand._dumpHelp())
    }

    /// The commands with the words that call them.
    private func all(_ command: CommandDocument, _ path: String) -> [(path: String, command: CommandDocument)] {
        [(path, command)]
            + (command.subcommands ?? []).filter { $0.commandName != "help" }
            .flatMap { self.all($0, "\(path) \($0.commandName)") }
    }

    @Test("Every command's help shows examples, and every example is understood")
    func examples() throws {
        for (path, command) in self.all(try self.commands(), "culvert") {
            let discussion = try #require(command.discussion, "\(path)")
            #expect(discussion.contains("Examples:\n"), "\(path)")
            let examples = discussion.components(separatedBy: "Examples:\n").last?.split(separator: "\n") ?? []
            #expect(!examples.isEmpty)
            for example in examples {
                let words = example.split(separator: " ").map(String.init)
                guard let first = words.firstIndex(of: "culvert"), !words.contains("kill"),
                    words.dropFirst(first + 1).first.map({ !$0.hasPrefix("&") }) == true, !words.contains("disable")
                else { continue }
                let call = words.dropFirst(first + 1).prefix { !["|", ">", "&&"].contains($0) }
                #expect(throws: Never.self, "\(example)") { _ = try CulvertCommand.parseAsRoot(Array(call)) }
            }
        }
    }

    @Test("The man page has every command, every option and every exit code")
    func page() throws {
        let page = try ManualCommand.page()
        #expect(page.hasPrefix(".TH CULVERT 1 \"\""))
        func escaped(_ text: String) -> String { text.replacing("-", with: "\\-") }
        for (path, command) in self.all(try self.commands(), "culvert").dropFirst() {
            #expect(page.contains(".SS \"\(path)"), "\(path)")
            for argument in command.arguments ?? [] where argument.shouldDisplay {
                for name in argument.names ?? [] where name.kind == "long" && !["help", "version"].contains(name.name) {
                    #expect(page.contains(escaped("--\(name.name)")), "\(name.name)")
                }
            }
        }
        for status in CommandStatus.allCases { #expect(page.contains("\\fB\(status.rawValue)\\fR\n")) }
        #expect(page.utf8.allSatisfy { $0 < 0x80 })
    }

    @Test("The page of the connector in the documentation has every exit code")
    func documentedExitCodes() throws {
        let page = try String(contentsOf: URL(fileURLWithPath: Self.repository + "/docs/connector.md"), encoding: .utf8)
        for status in CommandStatus.allCases { #expect(page.contains("| \(status.rawValue) | "), "\(status)") }
    }

    @Test("groff finds nothing wrong with the man page")
    func groff() throws {
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/groff") else {
            print("groff is not installed: the man page was not checked with it")
            return
        }
        let folder = try TemporaryFolder()
        try folder.write(try ManualCommand.page(), to: "culvert.1")
        let script = "groff -man -ww -Tutf8 '\(folder.path)/culvert.1' 2>&1 >/dev/null | grep -c . | grep -qx 0"
        #expect(try ServiceUnitTests.run("/bin/sh", ["-c", script]) == 0)
    }

    @Test("Shells accept their completion scripts, which complete files", arguments: CompletionsCommand.Shell.allCases)
    func completions(shell: CompletionsCommand.Shell) throws {
        let script = CompletionsCommand.script(for: shell)
        #expect(script.contains("token-file"))
        #expect(script.contains("yaml"))
        guard
            let path = ["/usr/bin", "/bin"].map({ "\($0)/\(shell)" })
                .first(where: FileManager.default.isExecutableFile(atPath:))
        else {
            #expect(shell != .bash)
            print("\(shell) is not installed: its completion script was not checked with it")
            return
        }
        let folder = try TemporaryFolder()
        try folder.write(script, to: "script")
        #expect(try ServiceUnitTests.run(path, ["-n", folder.path + "/script"]) == 0)
    }

    @Test("The version names the commit where it is known")
    func version() {
        #expect(ProgramVersion.describe(revision: "") == ProgramVersion.current)
        #expect(ProgramVersion.describe(revision: "abc") == "\(ProgramVersion.current) (commit abc)")
    }

    private static let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path
}
