// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Protocol

/// `culvert http TARGET`: makes a tunnel and serves it.
struct HTTPCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "http",
        abstract: "Expose a local HTTP server.",
        discussion: """
            Examples:
              culvert http 3000
              culvert http 3000 --name my-app
              culvert http https://localhost:8443 --origin-tls-verify off
              culvert http unix:/run/app.sock --host-header app.internal
            """
    )

    @Argument(help: "The local server: a port, host:port, http://…, https://… or unix:/path.")
    var target: String

    @Option(help: "A stable name for the tunnel: 3 to 63 of a-z, 0-9 and -.")
    var name: String?

    @Option(
        name: .customLong("host-header"),
        help: "The Host that the local server sees: rewrite, preserve or a value."
    )
    var hostHeader = "rewrite"

    @OptionGroup var edgeOptions: EdgeOptions
    @OptionGroup var credentialOptions: CredentialOptions
    @OptionGroup var originOptions: OriginOptions
    @OptionGroup var statusOptions: StatusOptions

    func run() async throws {
        try await self.reportingFailures(as: self.edgeOptions.logFormat) {
            let target = try OriginTarget.fromCommandLine(self.target)
            let access = try self.credentialOptions.resolve(self.edgeOptions)
            let run = try ServingRun(
                edgeOptions: self.edgeOptions,
                statusOptions: self.statusOptions,
                connections: self.originOptions.connections,
                logger: self.edgeOptions.makeLogger()
            )
            let tunnel = TunnelCreation(
                access: access,
                name: self.name,
                target: target,
                policy: TunnelPolicy(host: HostPolicy(self.hostHeader)),
                originTrust: try self.originOptions.originTrust(for: target),
                connections: self.originOptions.connections
            )
            try await run.run(tunnel.prepare)
        }
    }
}

extension OriginTarget {
    /// Reads a target given on the command line.
    static func fromCommandLine(_ text: String) throws(CommandFailure) -> OriginTarget {
        do {
            return try OriginTarget(parsing: text)
        } catch {
            throw CommandFailure(.usage, error.description)
        }
    }
}
