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

        @OptionGroup var options: AnswerOptions

        func run() async throws {
            try await self.reportingFailures(as: self.options.control.logFormat) {
                let tunnels = try await self.options.control.perform {
                    client async throws(EdgeFailure) in try await client.list()
                }
                try self.options.write(
                    TunnelList(tunnels: tunnels),
                    as: TunnelTable.list(tunnels, width: TerminalDevice().columns)
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

        @OptionGroup var named: NamedTunnel

        @OptionGroup var options: AnswerOptions

        func run() async throws {
            try await self.reportingFailures(as: self.options.control.logFormat) {
                let id = self.named.tunnel
                let status = try await self.options.control.perform {
                    client async throws(EdgeFailure) in try await client.status(of: id)
                }
                try self.options.write(status, as: TunnelTable.details(status, width: TerminalDevice().columns))
            }
        }
    }

    /// `culvert tunnels delete ID`.
    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a tunnel: its token ends and its connectors are sent away.",
            usage: "culvert tunnels delete <tunnel> [--yes] [<options>]",
            discussion: """
                The tunnel's inbox goes with it. Where webhooks wait in it, the command asks first, and where nobody can be \
                asked it needs --yes.

                Examples:
                  culvert tunnels delete my-app
                  culvert tunnels delete my-app --yes
                """
        )

        @OptionGroup var named: NamedTunnel

        @Flag(name: [.short, .long], help: "Delete the webhooks that wait in its inbox, too, without a question.")
        var yes = false

        @OptionGroup var control: ControlOptions

        func run() async throws {
            try await self.reportingFailures(as: self.control.logFormat) {
                let id = self.named.tunnel
                if !self.yes { try await DeletionQuestion.settle(of: id, deleting: .tunnel, self.control) }
                try await self.control.change { client async throws(EdgeFailure) in try await client.delete(id) }
                StandardStream.output.writeLine(ShownText.stripped("Deleted \(id)."))
            }
        }
    }
}
