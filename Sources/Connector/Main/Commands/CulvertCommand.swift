// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Program

/// `culvert`: exposes local servers through an edge.
@main
struct CulvertCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "culvert",
        abstract: "Expose a local server through a Culvert edge.",
        discussion: """
            Examples:
              culvert login --edge https://edge.example.com
              culvert http 3000
              culvert tcp 22
              culvert connect --token-file token.txt --to 3000
              culvert start --config culvert.yaml
            """,
        version: ProgramVersion.description,
        subcommands: [
            HTTPCommand.self, TCPCommand.self, TLSCommand.self, AccessCommand.self, ConnectCommand.self,
            StartCommand.self, TunnelsCommand.self,
            InboxCommand.self, RequestsCommand.self, LoginCommand.self, LogoutCommand.self, DiagnoseCommand.self,
            ConfigCommand.self,
            ServiceCommand.self,
            CompletionsCommand.self, ManualCommand.self,
        ]
    )

    /// Runs the command that the arguments name.
    static func main() async {
        OpenFiles.prepare()
        await self.run(Array(ArgumentSecrets.takeArguments().dropFirst()))
    }
}
