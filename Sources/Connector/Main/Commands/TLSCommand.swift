// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import ControlAPI
import Logging

/// `culvert tls TARGET`: makes a tunnel of TLS and serves it.
struct TLSCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tls",
        abstract: "Expose a local TLS server, which keeps its own certificate.",
        discussion: """
            Examples:
              culvert tls 443
              culvert tls 192.168.1.20:8443 --name my-site
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

    @Option(help: ArgumentHelp("How many connections to keep to the edge, 1 to 8.", valueName: "n"))
    var connections = 2

    @OptionGroup(title: "Edge Options") var edgeOptions: EdgeOptions
    @OptionGroup(title: "Edge Options") var credentialOptions: CredentialOptions
    @OptionGroup(title: "Serving Options") var statusOptions: StatusOptions
    @OptionGroup(title: "Policy Options") var policyOptions: PolicyOptions<TLSPolicySchema>

    func validate() throws {
        try ConnectionServing.validatePool(self.pool, self.name)
        try ConnectionServing.validate(self.connections, try self.policyOptions.values()["max_connections"])
    }

    func run() async throws {
        try await self.reportingFailures(as: self.edgeOptions.logFormat) {
            try await self.credentialOptions.access(self.edgeOptions) { credentials in
                try await ConnectionServing(
                    target: try OriginTarget.fromCommandLine(self.target, for: .tls),
                    name: self.name,
                    isPrivate: self.isPrivate,
                    pools: self.pool,
                    connections: self.connections,
                    policy: try self.policyOptions.policy()
                ).run(credentials, self.edgeOptions, self.statusOptions)
            }
        }
    }
}
