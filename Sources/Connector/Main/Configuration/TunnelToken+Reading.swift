// SPDX-License-Identifier: Apache-2.0

import ConnectorCore

extension TunnelToken {
    /// Reads the token from the file, or else the argument, or else the environment.
    static func read(
        file: String?,
        argument: String?,
        environment: [String: String]
    ) throws(CommandFailure) -> TunnelToken {
        let text: String
        if let file {
            text = try SecretFile.read(file, what: "a tunnel token")
        } else if let argument {
            text = argument
        } else if let variable = environment["CULVERT_TOKEN"] {
            text = variable
        } else {
            throw CommandFailure(.usage, "Which tunnel? Give --token-file FILE or set CULVERT_TOKEN.")
        }
        do {
            return try TunnelToken(parsing: text)
        } catch {
            throw CommandFailure(.refused, error.description)
        }
    }
}
