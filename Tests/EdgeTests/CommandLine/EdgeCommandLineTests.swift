// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import Testing

@testable import Edge

@Suite("The command line of culvert-edge")
struct EdgeCommandLineTests {
    private static func all(_ command: any ParsableCommand.Type) -> [any ParsableCommand.Type] {
        [command] + command.configuration.subcommands.flatMap { self.all($0) }
    }

    @Test(
        "A wrong command gets the one that was meant",
        arguments: [
            ("srve", "Did you mean “culvert-edge serve”?"), ("run", "“culvert-edge serve”"),
            ("credentials add", "“culvert-edge credentials new”"), ("config validate", "“culvert-edge config check”"),
            ("credentials new --nme x", "no option --nme here. Did you mean --name?"),
            ("credentials list --x", "--help"),
            ("credentials zzzzzz", "culvert-edge credentials --help"), ("3000", "culvert-edge --help"),
            ("help srve", "Did you mean “culvert-edge serve”?"), ("http 3000", "culvert http."),
            ("start culvert.yaml", "culvert start."), ("edge.yaml", "culvert-edge --config edge.yaml."),
        ]
    )
    func commands(line: String, words: String) throws {
        let correction = try #require(EdgeCommand.correction(of: line.split(separator: " ").map(String.init)))
        #expect(correction.contains(words), "\(correction)")
    }

    @Test(
        "What begins with a command or a flag is left to the parser",
        arguments: ["serve --dev", "--dev", "", "help", "credentials new --name=x --no-otp --config y"]
    )
    func known(line: String) {
        #expect(EdgeCommand.correction(of: line.split(separator: " ").map(String.init)) == nil)
    }

    @Test("What the parser refuses bears the program's name, as all other failures do")
    func reports() {
        let error = #expect(throws: (any Error).self) { try EdgeCommand.parseAsRoot(["credentials", "new"]) }
        let report = error.flatMap { EdgeCommand.report(of: $0) } ?? ""
        #expect(report.hasPrefix("culvert-edge: ") && !report.contains("Error: "))
        #expect(EdgeCommand.report(of: CleanExit.helpRequest()) == nil)
    }

    @Test("Every command's help fits 80 columns")
    func columns() {
        let commands = Self.all(EdgeCommand.self)
        #expect(commands.count > 8)
        for command in commands {
            let help = EdgeCommand.helpMessage(for: command, includeHidden: false, columns: 80)
            for line in help.split(separator: "\n") { #expect(line.count <= 80, "\(command): \(line)") }
        }
    }

    /// A command of `culvert-edge` that a document shows.
    private struct Example {
        var place: String
        var words: [String]
    }

    private static func examples() throws -> [Example] {
        let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let documents = try FileManager.default.contentsOfDirectory(atPath: repository.path + "/docs").sorted()
            .filter { $0.hasSuffix(".md") }.map { "docs/\($0)" }
        var examples: [Example] = []
        for document in ["README.md", "helm/culvert-edge/README.md", "scripts/packaging/edge.yaml"] + documents {
            let text = try String(contentsOf: repository.appendingPathComponent(document), encoding: .utf8)
            for (number, line) in text.components(separatedBy: "\n").enumerated() {
                // After a prompt, in the comments of a file, or alone on a line.
                guard ["$ ", "#  ", "culvert-edge "].contains(where: line.hasPrefix),
                    let words = self.call(in: line.drop { "$# ".contains($0) })
                else { continue }
                examples.append(Example(place: "\(document):\(number + 1)", words: words))
            }
        }
        return examples
    }

    /// The arguments of `culvert-edge` in a line of a shell; `nil` if it calls something else.
    private static func call(in line: Substring) -> [String]? {
        var words = line.split(separator: " ").map(String.init)[...]
        if words.first == "sudo" { words.removeFirst() }
        if words.first == "-u" { words.removeFirst(min(2, words.count)) }
        while let first = words.first, first.contains("=") { words.removeFirst() }
        guard words.popFirst() == "culvert-edge" else { return nil }
        return Array(words.prefix { !["|", ">", "&&", "||", "2>", "&"].contains($0) && !$0.hasPrefix("#") })
            .filter { $0 != "…" }
    }

    @Test(
        "Each of its commands in the README, the documents and the packages is understood, with settings that there are"
    )
    func documented() throws {
        let examples = try Self.examples()
        #expect(examples.count >= 5)
        for example in examples {
            let shown = "\(example.place): culvert-edge \(example.words.joined(separator: " "))"
            // What a setting is for stands in the help of `serve`, two columns from the margin.
            let settings = ConfigurationLoading.help.split(separator: "\n").compactMap { line in
                line.hasPrefix("  --") ? line.split(separator: " ").first.map(String.init) : nil
            }
            #expect(throws: Never.self, "\(shown)") {
                switch try EdgeCommand.parseAsRoot(example.words) {
                case let serve as ServeCommand:
                    for flag in serve.loading.settings where flag.hasPrefix("--") {
                        #expect(settings.contains(String(flag.prefix { $0 != "=" })), "\(shown)")
                    }
                default: break
                }
            }
        }
    }
}
