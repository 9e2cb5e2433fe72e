// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Foundation
import Logging
import Program

/// `culvert connect`: serves a tunnel with its token alone.
struct ConnectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connect",
        abstract: "Serve a tunnel with its token.",
        discussion: """
            Examples:
              culvert connect --token-file token.txt --to 3000
              CULVERT_TOKEN=… culvert connect --to https://localhost:8443
            """
    )

    @Option(
        name: .customLong("token-file"),
        help: ArgumentHelp("A file with the tunnel token, - for standard input (CULVERT_TOKEN).", valueName: "file"),
        completion: .file()
    )
    var tokenFile: String?

    @Option(help: "The tunnel token itself. Prefer --token-file: arguments stay in the history of the shell.")
    var token: String?

    @Option(
        name: .customLong("to"),
        help: ArgumentHelp(
            "The local server: a port, host:port, http://…, https://… or unix:/path.",
            valueName: "target"
        )
    )
    var target: String

    @OptionGroup var edgeOptions: EdgeOptions
    @OptionGroup var originOptions: OriginOptions
    @OptionGroup var statusOptions: StatusOptions
    @OptionGroup(title: "Inspection Options") var inspectOptions: InspectOptions

    func run() async throws {
        try await self.reportingFailures(as: self.edgeOptions.logFormat) {
            let environment = ProgramEnvironment.variables
            let logger = self.edgeOptions.makeLogger()
            if self.token != nil, self.tokenFile == nil {
                logger.warning("--token stays in the history of the shell, token and all; --token-file FILE does not.")
            }
            let tokenFile = self.tokenFile.flatMap { TokenFile($0) }
            let token =
                try tokenFile?.read()
                ?? TunnelToken.read(file: self.tokenFile, argument: self.token, environment: environment)
            let target = try OriginTarget.fromCommandLine(self.target, for: token.kind)
            let edge = try self.edge(for: token, environment: environment)
            let run = try ServingRun(
                edgeOptions: self.edgeOptions,
                statusOptions: self.statusOptions,
                inspectOptions: self.inspectOptions,
                targets: [target],
                connections: self.originOptions.connections,
                logger: logger
            )
            let publicURL = token.publicURL ?? (token.edge ?? edge).url("/\(token.tunnelID)/")
            let tunnel = ServedTunnel(
                token: token,
                edge: edge,
                publicURL: publicURL,
                target: target,
                originTrust: try self.originOptions.originTrust(for: target).naming(token.hostField),
                connections: self.originOptions.connections,
                tokenFile: tokenFile
            )
            try await run.run { _ in tunnel }
        }
    }

    private func edge(for token: TunnelToken, environment: [String: String]) throws(CommandFailure) -> EdgeAddress {
        if let text = self.edgeOptions.edge { return try EdgeAccess.address(text) }
        // The token's own edge is more specific than what the environment says for all commands.
        if let edge = token.edge { return edge }
        if let text = environment["CULVERT_EDGE"] { return try EdgeAccess.address(text) }
        throw CommandFailure(.configuration, "The token does not say which edge to dial: give --edge URL.")
    }
}
