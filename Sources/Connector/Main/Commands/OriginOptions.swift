// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore

/// The options of every command that serves a tunnel.
struct OriginOptions: ParsableArguments {
    @OptionGroup var trustOptions: OriginTrustOptions

    @Option(help: ArgumentHelp("How many connections to keep to the edge, 1 to 8.", valueName: "n"))
    var connections = 2

    func validate() throws {
        guard (1...8).contains(self.connections) else {
            throw ValidationError("--connections is a number from 1 to 8.")
        }
    }

    /// Which certificates the target may show.
    func originTrust(for target: OriginTarget) throws(CommandFailure) -> OriginTrust {
        try self.trustOptions.originTrust(for: target)
    }
}
