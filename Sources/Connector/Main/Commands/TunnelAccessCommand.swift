// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import ControlAPI
import Program

extension TunnelsCommand {
    /// `culvert tunnels access ID`.
    struct Access: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Make an access token, with which somebody visits the tunnel by culvert access; or end all of them.",
            usage: "culvert tunnels access <tunnel> [<options>]",
            discussion: """
                Examples:
                  culvert tunnels access my-database > token
                  culvert tunnels access my-database --lifetime 12h
                  culvert tunnels access my-database --revoke
                """
        )

        @OptionGroup var named: NamedTunnel

        @Option(
            help: ArgumentHelp(
                "For how long the token is valid: seconds, or as 30m, 12h or 7d; a day by default.",
                valueName: "time"
            ),
            transform: Self.seconds
        )
        var lifetime: Int?

        @Flag(help: "End every access token of the tunnel, and the connections of those who came with one.")
        var revoke = false

        @OptionGroup var options: AnswerOptions

        /// Reads a lifetime.
        private static func seconds(_ text: String) throws -> Int {
            let bounds = TunnelAccessRequest.lifetimes
            guard let seconds = TypedDuration(text)?.wholeSeconds, bounds.contains(seconds) else {
                throw ValidationError("It has to be \(TypedDuration.requirement(of: .seconds, in: bounds)).")
            }
            return seconds
        }

        func validate() throws {
            guard self.lifetime == nil || !self.revoke else {
                throw ValidationError("--revoke makes no token: leave --lifetime out.")
            }
        }

        func run() async throws {
            try await self.reportingFailures(as: self.options.control.logFormat) {
                let (id, control) = (self.named.tunnel, self.options.control)
                if self.revoke {
                    try await control.change { client async throws(EdgeFailure) in
                        try await client.revokeAccess(to: id)
                    }
                    return StandardStream.output.writeLine(
                        ShownText.stripped("Every access token of \(id) has ended.")
                    )
                }
                let request = TunnelAccessRequest(lifetimeSeconds: self.lifetime)
                let answer = try await control.change { client async throws(EdgeFailure) in
                    try await client.issueAccess(to: id, request)
                }
                try self.options.write(answer, as: answer.token)
            }
        }
    }
}
