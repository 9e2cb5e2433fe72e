// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Program

/// `culvert-edge`: the server.
@main
struct EdgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "culvert-edge",
        abstract: "Serves tunnels: visitors on one side, connectors on the other.",
        discussion: """
            Examples:
              culvert-edge --dev
              culvert-edge serve --config edge.yaml
              culvert-edge config check --config edge.yaml
              culvert-edge credentials new --name alice
            """,
        version: ProgramVersion.description,
        subcommands: [
            ServeCommand.self, HealthCommand.self, ConfigCommand.self, CredentialsCommand.self, ManualCommand.self,
        ],
        defaultSubcommand: ServeCommand.self
    )

    /// Runs the command that the arguments name.
    static func main() async {
        OpenFiles.prepare()
        await self.main(nil)
    }
}
