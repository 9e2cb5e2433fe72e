// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import Testing

@testable import Edge
@testable import Program

@Suite("What culvert-edge says of itself")
struct ManualTests {
    /// The commands with the words that call them.
    private func all(_ command: CommandDocument, _ path: String) -> [(path: String, command: CommandDocument)] {
        [(path, command)]
            + (command.subcommands ?? []).filter { $0.commandName != "help" }
            .flatMap { self.all($0, "\(path) \($0.commandName)") }
    }

    @Test("The man page has every command, every option, every setting and every exit code")
    func page() throws {
        let page = try ManualCommand.page()
        #expect(page.hasPrefix(".TH CULVERT\\-EDGE 1 \"\""))
        func escaped(_ text: String) -> String { text.replacing("-", with: "\\-") }
        let commands = try CommandDocument(dumpedHelp: EdgeCommand._dumpHelp())
        for (path, command) in self.all(commands, "culvert-edge").dropFirst() {
            #expect(page.contains(".SS \"\(escaped(path))"), "\(path)")
            for argument in command.arguments ?? [] where argument.shouldDisplay {
                for name in argument.names ?? [] where name.kind == "long" && !["help", "version"].contains(name.name) {
                    #expect(page.contains(escaped("--\(name.name)")), "\(name.name)")
                }
            }
        }
        #expect(page.contains(escaped("--tunnel-request-timeout")))
        for code in [0] + EdgeExitCode.allCases.map(\.rawValue) { #expect(page.contains("\\fB\(code)\\fR\n")) }
        #expect(page.utf8.allSatisfy { $0 < 0x80 })
    }

    @Test("The examples of the program are understood")
    func examples() throws {
        let examples = (EdgeCommand.configuration.discussion.components(separatedBy: "Examples:\n").last ?? "")
            .split(separator: "\n")
        #expect(examples.count >= 4)
        for example in examples {
            let words = example.split(separator: " ").map(String.init)
            #expect(words.first == "culvert-edge")
            #expect(throws: Never.self, "\(example)") { _ = try EdgeCommand.parseAsRoot(Array(words.dropFirst())) }
        }
    }

    @Test("groff finds nothing wrong with the man page")
    func groff() throws {
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/groff") else {
            print("groff is not installed: the man page was not checked with it")
            return
        }
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("culvert-edge-\(UUID()).1")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(try ManualCommand.page().utf8).write(to: file)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/groff")
        process.arguments = ["-man", "-ww", "-Tutf8", file.path]
        let complaints = Pipe()
        process.standardOutput = FileHandle.nullDevice
        process.standardError = complaints
        try process.run()
        let text = String(decoding: complaints.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(text.isEmpty, "\(text)")
    }
}
