// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import Testing

@testable import Connector

@Suite("Commands in the README and the documents")
struct DocumentedCommandsTests {
    /// A command of `culvert`, and whether what is shown below it is its refusal.
    private struct Example {
        var place: String
        var words: [String]
        var isRefused: Bool
    }

    private static func examples() throws -> [Example] {
        let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let documents = try FileManager.default.contentsOfDirectory(atPath: repository.path + "/docs").sorted()
            .filter { $0.hasSuffix(".md") }.map { "docs/\($0)" }
        var examples: [Example] = []
        for document in ["README.md", "helm/culvert-edge/README.md", "examples/sample-origin/README.md"] + documents {
            let text = try String(contentsOf: repository.appendingPathComponent(document), encoding: .utf8)
            let lines = text.components(separatedBy: "\n")
            var isShell = false
            for (number, line) in lines.enumerated() {
                let place = "\(document):\(number + 1)"
                let next = number + 1 < lines.count ? lines[number + 1] : ""
                if line.hasPrefix("```") { isShell = line == "```sh" }
                var shown: [Substring] = isShell ? [line[...]] : line.hasPrefix("$ ") ? [line.dropFirst(2)] : []
                // What stands between back quotes in a table of the README is to be typed, too.
                if document == "README.md", line.hasPrefix("|") {
                    shown += line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
                        .filter { !$0.offset.isMultiple(of: 2) }.map(\.element)
                }
                for words in shown.flatMap(self.calls) {
                    let isRefused = next.hasPrefix("culvert: There is no")
                    examples.append(Example(place: place, words: words, isRefused: isRefused))
                }
            }
        }
        return examples
    }

    /// The arguments of each `culvert` that a line of a shell calls, also in parentheses and behind others.
    private static func calls(in line: Substring) -> [[String]] {
        var (commands, isQuoted) = ([[""]], false)
        for character in line {
            let (last, word) = (commands.count - 1, commands[commands.count - 1].count - 1)
            switch character {
            case "'": isQuoted.toggle()
            case " " where !isQuoted: commands[last].append("")
            case "(", ")", ";", "|", "&", "#", ">", "\"":
                if isQuoted { commands[last][word].append(character) } else { commands.append([""]) }
            default: commands[last][word].append(character)
            }
        }
        return commands.compactMap { self.call(in: $0.filter { !$0.isEmpty }[...]) }
    }

    private static func call(in line: ArraySlice<String>) -> [String]? {
        var words = line
        while let first = words.first, first == "sudo" || first.contains("=") { words.removeFirst() }
        guard words.popFirst().map({ $0 == "culvert" || $0.hasSuffix("/culvert") }) == true else { return nil }
        // The number of a stream that is redirected.
        return Array(words.last == "2" && line.last == "2" ? words.dropLast() : words)
    }

    @Test("Each is understood, or refused where its refusal is shown")
    func understood() throws {
        let examples = try Self.examples()
        #expect(examples.count > 40)
        for example in examples {
            let typed = TypedCommand(words: example.words)
            let shown = "\(example.place): culvert \(example.words.joined(separator: " "))"
            if example.isRefused {
                #expect(throws: (any Error).self, "\(shown)") { _ = try CulvertCommand.parseAsRoot(typed.understood) }
            } else {
                #expect(throws: Never.self, "\(shown)") { _ = try CulvertCommand.parseAsRoot(typed.understood) }
            }
        }
    }
}
