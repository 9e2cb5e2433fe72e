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
            guard let file = TokenFile(file) else {
                return try Self.parsed(try SecretFile.read(file, what: "a tunnel token"))
            }
            return try file.read()
        } else if let argument {
            text = argument
        } else if let variable = environment["CULVERT_TOKEN"] {
            text = variable
        } else {
            throw CommandFailure(.usage, "Which tunnel? Give --token-file FILE or set CULVERT_TOKEN.")
        }
        return try Self.parsed(text)
    }

    private static func parsed(_ text: String) throws(CommandFailure) -> TunnelToken {
        do {
            return try TunnelToken(parsing: text)
        } catch {
            throw CommandFailure(.refused, error.description)
        }
    }
}
