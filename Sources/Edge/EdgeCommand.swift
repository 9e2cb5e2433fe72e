// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Protocol

/// `culvert-edge`: the server.
@main
struct EdgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "culvert-edge",
        abstract: "Serves tunnels: visitors on one side, connectors on the other.",
        version: ProgramVersion.description,
        subcommands: [ServeCommand.self, HealthCommand.self, ConfigCommand.self, CredentialsCommand.self],
        defaultSubcommand: ServeCommand.self
    )
}
