// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Foundation

/// `culvert config …`: questions about the file of tunnels.
struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Check a file of tunnels.",
        discussion: """
            Examples:
              culvert config check --config culvert.yaml
            """,
        subcommands: [Check.self]
    )

    /// `culvert config check`.
    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check",
            abstract: "List the tunnels of a file, or everything that is wrong with it; start nothing.",
            discussion: """
                Also reads the files that it names: tokens, keys, passwords and certificates. Ends with 0, or with 78 and \
                a line “file:line: what is wrong” for each problem.

                Examples:
                  culvert config check --config culvert.yaml
                  culvert config check --config culvert.yaml && systemctl reload culvert
                """
        )

        @OptionGroup var tunnels: TunnelsFileOptions

        @Flag(help: "Print the tunnels as JSON.")
        var json = false

        /// A tunnel of the file.
        private struct Row: Encodable {
            /// Its name; none if one is drawn at random, or if a token tells it.
            var name: String?
            var tunnelID: String?
            var target: String

            private enum CodingKeys: String, CodingKey {
                case name
                case tunnelID = "tunnel_id"
                case target
            }
        }

        func run() async throws {
            try await self.reportingFailures {
                let file = try TunnelsFile(reading: try self.tunnels.path())
                if self.json {
                    let rows = file.tunnels.map {
                        Row(name: $0.name, tunnelID: $0.token?.tunnelID, target: "\($0.target)")
                    }
                    return try StandardStream.output.writeLine(JSONText.of(["tunnels": rows]))
                }
                for (entry, identity) in zip(file.tunnels, DesiredTunnel.Identity.of(file.tunnels)) {
                    let name =
                        switch identity {
                        case .name(let name): name
                        case .tokenFile: entry.token?.tunnelID ?? "\(identity)"
                        case .target: "(a random name)"
                        }
                    StandardStream.output.writeLine("\(name) -> \(entry.target)")
                }
            }
        }
    }
}
