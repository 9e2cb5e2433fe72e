// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import ControlAPI
import Program

extension TunnelsCommand {
    /// `culvert tunnels create`.
    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create",
            abstract: "Make a tunnel, and print the token that serves it.",
            usage: "culvert tunnels create [<options>]",
            discussion: """
                The token is all that a connector needs (culvert connect): whoever serves the \
                tunnel gets no API key. It is printed alone; --json prints all that the edge \
                says. A name that this key has already gets the new policy, \
                whatever it had before, and a new token; culvert tunnels token keeps the policy.

                Examples:
                  culvert tunnels create --name my-app > token.txt
                  culvert tunnels create --name my-app --to 3000 --basic-auth-file visitors.txt
                  culvert tunnels create --json
                """
        )

        @Option(help: "A stable name for the tunnel: 3 to 63 of a-z, 0-9 and -.")
        var name: String?

        @Option(
            name: .customLong("to"),
            help: ArgumentHelp("The local server that it will expose, for the Host it sees.", valueName: "target")
        )
        var target: String?

        @Flag(help: "Print the JSON of the control API.")
        var json = false

        @OptionGroup(title: "Edge Options") var control: ControlOptions
        @OptionGroup(title: "Policy Options") var policyOptions: PolicyOptions<TunnelPolicySchema>

        func run() async throws {
            try await self.reportingFailures(as: self.control.logFormat) {
                let target = try self.target.map { try OriginTarget.fromCommandLine($0) }
                let request = TunnelCreation.request(
                    name: self.name,
                    target: target,
                    policy: try self.policyOptions.policy()
                )
                let tunnel = try await self.control.change {
                    client async throws(EdgeFailure) in try await client.create(request)
                }
                if let removed = RemovedProtection(tunnel) {
                    StandardStream.error.writeLine(ShownText.stripped("culvert: warning: \(removed)"))
                }
                try StandardStream.output.writeLine(
                    self.json ? JSONText.of(tunnel) : ShownText.stripped(tunnel.token)
                )
            }
        }
    }
}
