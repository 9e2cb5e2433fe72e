// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import Testing

@testable import Connector

@Suite("The width of help")
struct HelpWidthTests {
    private static func all(_ command: any ParsableCommand.Type) -> [any ParsableCommand.Type] {
        [command] + command.configuration.subcommands.flatMap { self.all($0) }
    }

    @Test("Every command's help fits 80 columns")
    func columns() {
        let commands = Self.all(CulvertCommand.self)
        #expect(commands.count > 20)
        for command in commands {
            let help = CulvertCommand.helpMessage(for: command, includeHidden: false, columns: 80)
            for line in help.split(separator: "\n") { #expect(line.count <= 80, "\(command): \(line)") }
        }
    }

    @Test("What an option takes is called by what it is, and not by the option's name once more")
    func values() {
        for command in Self.all(CulvertCommand.self) {
            let help = CulvertCommand.helpMessage(for: command, includeHidden: false, columns: 80)
            for match in help.matches(of: #/--([a-z-]+) <([a-z-]+)>/#) where match.1 == match.2 {
                // Of these the name says it.
                #expect(
                    ["file", "method", "name", "path", "port", "state", "token"].contains(match.1),
                    "\(command): \(match.0)"
                )
            }
        }
    }

    @Test("No paragraph is broken by hand, where the parser would break it a second time; examples need no breaking")
    func paragraphs() {
        for command in Self.all(CulvertCommand.self) {
            let lines = command.configuration.discussion.components(separatedBy: "\n")
            for (line, next) in zip(lines, lines.dropFirst() + [""]) {
                if line.hasPrefix(" ") {
                    #expect(line.count <= 80, "\(command): \(line)")
                } else if !line.isEmpty, !line.hasSuffix(":") {
                    #expect(next.isEmpty || next.hasPrefix(" "), "\(command): \(line)")
                }
            }
        }
    }
}
