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
                a line “file:line: what is wrong” for each problem. With --json these are “problems” on standard output, \
                each with its “message”, and its “line” if it has one.

                Examples:
                  culvert config check --config culvert.yaml
                  culvert config check --config culvert.yaml && systemctl reload culvert
                """
        )

        @OptionGroup var tunnels: TunnelsFileOptions

        @Flag(help: "Print the tunnels, or the problems, as JSON.")
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

        /// What a file has, or what is wrong with it, as a program reads it.
        static func json(of path: String) throws -> (text: String, status: CommandStatus) {
            switch self.read(path) {
            case .success(let file):
                let rows = file.tunnels.map {
                    Row(name: $0.name, tunnelID: $0.token?.tunnelID, target: "\($0.target)")
                }
                return (try JSONText.of(["tunnels": rows]), .success)
            case .failure(let problems):
                return (try JSONText.of(["problems": problems.list]), .configuration)
            }
        }

        /// The same of the file that was named, or of none that could be meant.
        static func json(of options: TunnelsFileOptions) throws -> (text: String, status: CommandStatus) {
            let path: String
            do throws(CommandFailure) {
                path = try options.path()
            } catch {
                guard error.status == .configuration else { throw error }
                let problem = TunnelsFile.Problem(line: nil, message: error.message)
                return (try JSONText.of(["problems": [problem]]), .configuration)
            }
            return try Self.json(of: path)
        }

        private static func read(_ path: String) -> Result<TunnelsFile, TunnelsFile.Problems> {
            let text: String
            do throws(CommandFailure) {
                text = try TunnelsFile.text(of: path)
            } catch {
                return .failure(TunnelsFile.Problems(list: [TunnelsFile.Problem(line: nil, message: error.message)]))
            }
            do throws(TunnelsFile.Problems) {
                return .success(try TunnelsFile(text: text, of: path))
            } catch {
                return .failure(error)
            }
        }

        func run() async throws {
            try await self.reportingFailures {
                if self.json {
                    let (text, status) = try Self.json(of: self.tunnels)
                    StandardStream.output.writeLine(text)
                    if status != .success { throw ExitCode(status.rawValue) }
                    return
                }
                let file = try TunnelsFile(reading: try self.tunnels.path())
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
