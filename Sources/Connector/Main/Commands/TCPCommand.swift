// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import ControlAPI
import Logging

/// `culvert tcp TARGET`: makes a tunnel of TCP and serves it.
struct TCPCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tcp",
        abstract: "Expose a local TCP server, such as SSH or a database.",
        discussion: """
            Examples:
              culvert tcp 22
              culvert tcp 5432 --name my-database --ip-allow 192.0.2.0/24
              culvert tcp 192.168.1.20:22 --port 20022
              culvert tcp 22 --private --name my-ssh
              culvert tcp unix:/run/app.sock --proxy-protocol v2
            """
    )

    @Argument(help: "The local server: a port, host:port or unix:/path.")
    var target: String

    @Option(help: "A stable name for the tunnel: 3 to 63 of a-z, 0-9 and -.")
    var name: String?

    @Flag(name: .customLong("private"), help: "No public address: visitors use culvert access, with an access token.")
    var isPrivate = false

    @Flag(help: "Serve a tunnel that is served from elsewhere, too, and share its visitors; needs --name.")
    var pool = false

    @Option(help: "The port of the edge to ask for; without it the edge chooses one.")
    var port: UInt16?

    @Option(help: ArgumentHelp("How many connections to keep to the edge, 1 to 8.", valueName: "n"))
    var connections = 2

    @OptionGroup(title: "Edge Options") var edgeOptions: EdgeOptions
    @OptionGroup(title: "Edge Options") var credentialOptions: CredentialOptions
    @OptionGroup(title: "Serving Options") var statusOptions: StatusOptions
    @OptionGroup(title: "Policy Options") var policyOptions: PolicyOptions<TCPPolicySchema>

    func validate() throws {
        try ConnectionServing.validatePool(self.pool, self.name)
        guard self.port == nil || !self.isPrivate else {
            throw ValidationError("A private tunnel has no port of the edge: leave --port or --private out.")
        }
        guard self.port != 0 else { throw ValidationError("--port is a number from 1 to 65535.") }
        try ConnectionServing.validate(self.connections, try self.policyOptions.values()["max_connections"])
    }

    func run() async throws {
        try await self.reportingFailures(as: self.edgeOptions.logFormat) {
            try await self.credentialOptions.access(self.edgeOptions) { credentials in
                try await ConnectionServing(
                    target: try OriginTarget.fromCommandLine(self.target, for: .tcp),
                    name: self.name,
                    port: self.port,
                    isPrivate: self.isPrivate,
                    pools: self.pool,
                    connections: self.connections,
                    policy: try self.policyOptions.policy()
                ).run(credentials, self.edgeOptions, self.statusOptions)
            }
        }
    }
}
