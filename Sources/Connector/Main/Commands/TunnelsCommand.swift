// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import ControlAPI
import Foundation
import NIOPosix
import Program

/// `culvert tunnels …`: the control API from the command line.
struct TunnelsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tunnels",
        abstract: "Make, list, describe and delete tunnels, and give access to them.",
        discussion: """
            Examples:
              culvert tunnels create --name my-app --to 3000
              culvert tunnels list
              culvert tunnels status my-app
              culvert tunnels token my-app
              culvert tunnels access my-app
              culvert tunnels delete my-app
            """,
        subcommands: [Create.self, List.self, Status.self, Token.self, Access.self, Delete.self]
    )

    /// `culvert tunnels list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the tunnels of the API key.",
            usage: "culvert tunnels list [<options>]",
            discussion: """
                Examples:
                  culvert tunnels list
                  culvert tunnels list --json
                """
        )

        @Flag(help: "Print the JSON of the control API.")
        var json = false

        @OptionGroup var edgeOptions: EdgeOptions
        @OptionGroup var credentialOptions: CredentialOptions

        func run() async throws {
            try await self.reportingFailures(as: self.edgeOptions.logFormat) {
                let tunnels = try await ControlCall(self.edgeOptions, self.credentialOptions).perform {
                    client async throws(EdgeFailure) in try await client.list()
                }
                try StandardStream.output.writeLine(
                    self.json
                        ? JSONText.of(TunnelList(tunnels: tunnels))
                        : TunnelTable.list(tunnels, width: TerminalDevice().columns)
                )
            }
        }
    }

    /// `culvert tunnels status ID`.
    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Describe one tunnel.",
            usage: "culvert tunnels status <tunnel> [<options>]",
            discussion: """
                Examples:
                  culvert tunnels status my-app
                  culvert tunnels status my-app --json
                """
        )

        @Argument(help: "The tunnel's id or name.")
        var tunnel: String

        @Flag(help: "Print the JSON of the control API.")
        var json = false

        @OptionGroup var edgeOptions: EdgeOptions
        @OptionGroup var credentialOptions: CredentialOptions

        func run() async throws {
            try await self.reportingFailures(as: self.edgeOptions.logFormat) {
                let id = self.tunnel
                let status = try await ControlCall(self.edgeOptions, self.credentialOptions).perform {
                    client async throws(EdgeFailure) in try await client.status(of: id)
                }
                try StandardStream.output.writeLine(
                    self.json ? JSONText.of(status) : TunnelTable.details(status, width: TerminalDevice().columns)
                )
            }
        }
    }

    /// `culvert tunnels delete ID`.
    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a tunnel: its token ends and its connectors are sent away.",
            usage: "culvert tunnels delete <tunnel> [<options>]",
            discussion: """
                Examples:
                  culvert tunnels delete my-app
                """
        )

        @Argument(help: "The tunnel's id or name.")
        var tunnel: String

        @OptionGroup var edgeOptions: EdgeOptions
        @OptionGroup var credentialOptions: CredentialOptions

        func run() async throws {
            try await self.reportingFailures(as: self.edgeOptions.logFormat) {
                let id = self.tunnel
                try await self.credentialOptions.access(self.edgeOptions) { credentials in
                    try await ControlCall(self.edgeOptions, credentials).perform {
                        client async throws(EdgeFailure) in try await client.delete(id)
                    }
                }
                StandardStream.output.writeLine(ShownText.stripped("Deleted \(id)."))
            }
        }
    }
}
