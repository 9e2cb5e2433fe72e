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
                Tokens from before end after an overlap (the edge's tunnel.token-overlap), and the \
                connections that came with them. A tunnel that the edge has forgotten is made \
                again by culvert tunnels create, with the options of its policy.

                Examples:
                  culvert tunnels token my-app > token.txt
                """
        )

        @OptionGroup var named: NamedTunnel

        @OptionGroup var options: AnswerOptions

        func run() async throws {
            try await self.reportingFailures(as: self.options.control.logFormat) {
                let id = self.named.tunnel
                let answer = try await self.options.control.change {
                    client async throws(EdgeFailure) in try await client.replaceTokens(of: id)
                }
                try self.options.write(answer, as: ShownText.stripped(answer.token))
            }
        }
    }
}
