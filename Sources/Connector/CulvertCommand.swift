// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// `culvert`: exposes local servers through an edge.
@main
struct CulvertCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "culvert",
        abstract: "Expose a local server through a Culvert edge.",
        version: ProgramVersion.current,
        subcommands: [
            HTTPCommand.self, ConnectCommand.self, TunnelsCommand.self, LoginCommand.self, DiagnoseCommand.self,
            StartCommand.self, ConfigCommand.self,
        ]
    )
}
