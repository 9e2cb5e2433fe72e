// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation

/// `culvert start`: serves all tunnels of a file.
struct StartCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Serve several tunnels from a file.",
        discussion: """
            The file:
              edge: https://edge.example.com
              tunnels:
                - name: my-app
                  target: 3000
                - token-file: /etc/culvert/token
                  target: unix:/run/app.sock

            Example:
              culvert start --config culvert.yaml
            """
    )

    @Option(help: ArgumentHelp("The file with the tunnels.", valueName: "file"))
    var config: String

    @OptionGroup var edgeOptions: EdgeOptions
    @OptionGroup var credentialOptions: CredentialOptions
    @OptionGroup var statusOptions: StatusOptions

    func run() async throws {
        try await self.reportingFailures(as: self.edgeOptions.logFormat) {
            let file = try Self.read(self.config)
            let environment = ProcessInfo.processInfo.environment
            let session = try ServingSession(
                edgeOptions: self.edgeOptions,
                statusOptions: self.statusOptions,
                connections: file.connections ?? 2,
                logger: self.edgeOptions.makeLogger()
            )
            let needsKey = file.tunnels.contains { $0.tokenFile == nil }
            let access =
                needsKey
                ? try EdgeAccess.resolve(
                    edge: self.edgeOptions.edge ?? environment["CULVERT_EDGE"] ?? file.edge,
                    apiKeyFile: self.credentialOptions.apiKeyFile
                        ?? (environment["CULVERT_API_KEY"] == nil ? file.apiKeyFile : nil),
                    oneTimeCode: self.credentialOptions.otp,
                    environment: environment
                ) : nil
            try await session.run(try file.tunnels.map { try self.preparation($0, access: access, file: file) })
        }
    }

    private func preparation(
        _ entry: TunnelsFile.Entry,
        access: EdgeAccess?,
        file: TunnelsFile
    ) throws(CommandFailure) -> ServingSession.Preparation {
        if let tokenFile = entry.tokenFile {
            let token = try ConnectCommand.token(file: tokenFile, argument: nil, environment: [:])
            let address = try (self.edgeOptions.edge ?? (token.edge == nil ? file.edge : nil)).map(EdgeAccess.address)
            guard let edge = address ?? token.edge else {
                throw CommandFailure(.configuration, "The token in \(tokenFile) does not say which edge to dial.")
            }
            let tunnel = ServingSession.Tunnel(
                token: token,
                edge: edge,
                publicURL: token.publicURL ?? (token.edge ?? edge).url("/\(token.tunnelID)/"),
                target: entry.target,
                verifiesOriginTLS: entry.verifiesOriginTLS
            )
            return { _ in tunnel }
        }
        guard let access else { throw CommandFailure(.bug, "A tunnel without token and key was let through.") }
        return TunnelPreparation(
            access: access,
            name: entry.name,
            target: entry.target,
            hostHeader: entry.hostHeader,
            verifiesOriginTLS: entry.verifiesOriginTLS
        ).prepare
    }

    /// Reads the file; everything that is wrong with it is said at once.
    static func read(_ path: String) throws(CommandFailure) -> TunnelsFile {
        guard let data = FileManager.default.contents(atPath: path), let text = String(data: data, encoding: .utf8)
        else {
            throw CommandFailure(.configuration, "The file \(path) can't be read.")
        }
        do {
            return try TunnelsFile(yaml: text)
        } catch {
            let lines = error.list.map { "\(path): \($0)" }
            throw CommandFailure(.configuration, lines.joined(separator: "\n         "))
        }
    }
}
