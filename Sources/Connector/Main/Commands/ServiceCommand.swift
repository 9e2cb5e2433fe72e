// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Foundation
import Program

/// `culvert service …`: the connector as a service of systemd.
struct ServiceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "service",
        abstract: "Run the connector as a systemd service.",
        discussion: """
            Examples:
              sudo culvert service install --config /etc/culvert/culvert.yaml
              culvert service uninstall --user
            """,
        subcommands: [Install.self, Uninstall.self]
    )

    /// `culvert service uninstall`.
    struct Uninstall: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a unit that culvert service install made.",
            discussion: """
                Stop the service before: a unit that is gone can't be stopped by its name after a reload of systemd.

                Examples:
                  sudo systemctl disable --now culvert && sudo culvert service uninstall
                  culvert service uninstall --user --name my-app
                """
        )

        @OptionGroup var place: UnitPlace

        func run() async throws {
            try await self.reportingFailures {
                let file = try self.place.file()
                try file.uninstall()
                StandardStream.output.writeLine(
                    """
                    Removed \(file.path). Now run:
                      \(self.place.systemctl) daemon-reload
                    """
                )
            }
        }
    }
}

/// Which unit, and where.
struct UnitPlace: ParsableArguments {
    @Flag(help: "A service of yours instead of the machine's.")
    var user = false

    @Option(help: "The name of the service.")
    var name = "culvert"

    @Option(
        help: ArgumentHelp("Take this folder for /, as packagers do.", valueName: "folder"),
        completion: .directory
    )
    var root: String?

    func validate() throws {
        // A system service gets a user of this name, so it has to be valid as a user name.
        guard let first = self.name.unicodeScalars.first, "abcdefghijklmnopqrstuvwxyz".unicodeScalars.contains(first),
            self.name.utf8.count <= 31,
            self.name.unicodeScalars.allSatisfy({
                "abcdefghijklmnopqrstuvwxyz0123456789-_".unicodeScalars.contains($0)
            })
        else { throw ValidationError("--name has 1 to 31 of a-z, 0-9, - and _, and begins with a letter.") }
    }

    var scope: ServiceUnit.Scope { self.user ? .user : .system }

    /// How to call systemd for the unit.
    var systemctl: String { self.user ? "systemctl --user" : "sudo systemctl" }

    /// The unit's file.
    func file() throws(CommandFailure) -> ServiceUnitFile {
        try ServiceUnitFile(
            name: self.name,
            scope: self.scope,
            root: self.root ?? "",
            environment: ProgramEnvironment.variables
        )
    }
}
