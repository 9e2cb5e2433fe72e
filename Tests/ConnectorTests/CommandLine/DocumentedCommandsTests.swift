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
        for document in ["README.md"] + documents {
            let text = try String(contentsOf: repository.appendingPathComponent(document), encoding: .utf8)
            let lines = text.components(separatedBy: "\n")
            for (number, line) in lines.enumerated() {
                let place = "\(document):\(number + 1)"
                let next = number + 1 < lines.count ? lines[number + 1] : ""
                if line.hasPrefix("$ "), let words = self.call(in: line.dropFirst(2)) {
                    let isRefused = next.hasPrefix("culvert: There is no")
                    examples.append(Example(place: place, words: words, isRefused: isRefused))
                }
                // What stands between back quotes in a table of the README is to be typed, too.
                guard document == "README.md", line.hasPrefix("|") else { continue }
                for part in line.components(separatedBy: "`") where part.hasPrefix("culvert ") {
                    guard let words = self.call(in: part[...]) else { continue }
                    examples.append(Example(place: place, words: words, isRefused: false))
                }
            }
        }
        return examples
    }

    /// The arguments of `culvert` in a line of a shell; `nil` if it calls something else.
    private static func call(in line: Substring) -> [String]? {
        var (words, isQuoted) = ([""], false)
        for character in line {
            switch character {
            case "'": isQuoted.toggle()
            case " " where !isQuoted: words.append("")
            default: words[words.count - 1].append(character)
            }
        }
        return self.call(in: words.filter { !$0.isEmpty }[...])
    }

    private static func call(in line: ArraySlice<String>) -> [String]? {
        var words = line
        while let first = words.first, first == "sudo" || first.contains("=") { words.removeFirst() }
        guard words.popFirst().map({ $0 == "culvert" || $0.hasSuffix("/culvert") }) == true else { return nil }
        return Array(words.prefix { !["|", ">", "&&", "||", "2>"].contains($0) && !$0.hasPrefix("#") })
    }

    @Test("Each is understood, or refused where its refusal is shown")
    func understood() throws {
        let examples = try Self.examples()
        #expect(examples.count > 25)
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
