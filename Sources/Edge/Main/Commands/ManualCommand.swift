// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Program
import Protocol

/// `culvert-edge manual`: the man page, made from the commands.
struct ManualCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "manual",
        abstract: "Print the manual as a man page.",
        discussion: """
            Examples:
              culvert-edge manual | man -l -
              culvert-edge manual > /usr/local/share/man/man1/culvert-edge.1
            """
    )

    func run() throws {
        LogSink.standardOutput.write(try Self.page())
    }

    /// The page, as the source of man(7).
    static func page() throws -> String {
        let success: (code: Int32, meaning: String) = (0, "The edge was asked to stop, or did what it was asked to do.")
        return ManualPage(
            commands: try CommandDocument(dumpedHelp: EdgeCommand._dumpHelp()),
            version: ProgramVersion.description,
            exitStatuses: [success] + EdgeExitCode.allCases.map { (code: $0.rawValue, meaning: $0.meaning) }
        ).source
    }
}
