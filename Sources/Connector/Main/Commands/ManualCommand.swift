// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Program

/// `culvert manual`: the man page, made from the commands.
struct ManualCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "manual",
        abstract: "Print the manual as a man page.",
        discussion: """
            Examples:
              culvert manual | man -l -
              culvert manual > /usr/local/share/man/man1/culvert.1
            """
    )

    func run() async throws {
        try await self.reportingFailures {
            StandardStream.output.write(try Self.page())
        }
    }

    /// The page, as the source of man(7).
    static func page() throws -> String {
        let commands = try CommandDocument(dumpedHelp: CulvertCommand._dumpHelp())
        return ManualPage(
            commands: commands,
            version: ProgramVersion.description,
            exitStatuses: CommandStatus.allCases.map { (code: $0.rawValue, meaning: $0.meaning) }
        ).source
    }
}
