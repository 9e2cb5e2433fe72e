// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import ControlAPI
import Program

extension TunnelsCommand {
    /// `culvert tunnels token ID`.
    struct Token: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make another token for a tunnel, which keeps its policy.",
            usage: "culvert tunnels token <tunnel> [<options>]",
            discussion: """
                Tokens from before end after an overlap (the edge's token-overlap), and the \
                connections that came with them. A tunnel that the edge has forgotten is made \
                again by culvert tunnels create, with the options of its policy.

                Examples:
                  culvert tunnels token my-app > token.txt
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
                let answer = try await self.credentialOptions.access(self.edgeOptions) { credentials in
                    try await ControlCall(self.edgeOptions, credentials).perform {
                        client async throws(EdgeFailure) in try await client.replaceTokens(of: id)
                    }
                }
                try StandardStream.output.writeLine(
                    self.json ? JSONText.of(answer) : ShownText.stripped(answer.token)
                )
            }
        }
    }
}
