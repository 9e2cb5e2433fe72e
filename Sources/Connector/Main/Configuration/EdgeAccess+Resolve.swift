// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation

extension EdgeAccess {
    /// Finds the edge and the key: flags have precedence over the environment, and that over the login file.
    ///
    /// - Parameters:
    ///   - edge: The value of `--edge`.
    ///   - apiKeyFile: The value of `--api-key-file`.
    ///   - oneTimeCode: The value of `--otp`.
    ///   - environment: The environment of the process.
    static func resolve(
        edge: String?,
        apiKeyFile: String?,
        oneTimeCode: String?,
        environment: [String: String]
    ) throws(CommandFailure) -> EdgeAccess {
        var login: LoginFile?
        if edge ?? environment["CULVERT_EDGE"] == nil || apiKeyFile == nil && environment["CULVERT_API_KEY"] == nil {
            if let path = LoginFile.path(environment: environment) { login = try LoginFile.read(at: path) }
        }
        guard let edgeText = edge ?? environment["CULVERT_EDGE"] ?? login?.edge else {
            throw CommandFailure(
                .usage,
                "Which edge? Give --edge URL, set CULVERT_EDGE, or run culvert login once. "
                    + "culvert-edge --dev runs one on this machine, and prints what to set."
            )
        }
        let address = try Self.address(edgeText)
        let apiKey: String
        if let apiKeyFile {
            apiKey = try SecretFile.read(apiKeyFile, what: "an API key")
        } else if let key = environment["CULVERT_API_KEY"], !key.isEmpty {
            apiKey = key
        } else if let login {
            // A stored key belongs to its edge, and is sent to no other.
            let stored = try? EdgeAddress(parsing: login.edge)
            guard stored == address else {
                let source = edge == nil ? "CULVERT_EDGE" : "--edge"
                if let stored, address.looksLikeTunnel(of: stored) {
                    throw CommandFailure(
                        .configuration,
                        "\(source) names \(address), which looks like the address of a tunnel of \(stored), the edge of "
                            + "culvert login: leave \(source) out. If it is an edge of its own, give its key with "
                            + "--api-key-file or CULVERT_API_KEY."
                    )
                }
                throw CommandFailure(
                    .configuration,
                    "\(source) names the edge \(address), and culvert login has a key for another one, \(login.edge). "
                        + "To use \(login.edge), leave \(source) out. To use \(address), give its key with "
                        + "--api-key-file or CULVERT_API_KEY, or run culvert login --edge \(address)."
                )
            }
            apiKey = login.apiKey
        } else {
            throw CommandFailure(
                .configuration,
                "No API key: give --api-key-file, set CULVERT_API_KEY, or run culvert login once."
            )
        }
        return EdgeAccess(edge: address, credentials: try Credentials(apiKey: apiKey, oneTimeCode: oneTimeCode))
    }

    /// Where the key came from that an edge does not know, in a sentence, with what it comes before; `nil` if nobody can
    /// tell.
    ///
    /// - Parameters:
    ///   - arguments: The words of the command line.
    ///   - environment: The environment of the process.
    static func sourceOfKey(arguments: [String], environment: [String: String]) -> String? {
        // What was just given, typed or read needs no word.
        guard arguments.first != "login" else { return nil }
        if arguments.contains(where: { $0 == "--api-key-file" || $0.hasPrefix("--api-key-file=") }) {
            return "This is the key of --api-key-file."
        }
        let hasLogin =
            LoginFile.path(environment: environment).map { FileManager.default.fileExists(atPath: $0) } ?? false
        if environment["CULVERT_API_KEY"]?.isEmpty == false {
            return "This is the key of CULVERT_API_KEY"
                + (hasLogin ? ", which comes before the one that culvert login has stored." : ".")
        }
        return hasLogin ? "This is the key that culvert login has stored." : nil
    }

    /// Parses the address of an edge that a person gave.
    static func address(_ text: String) throws(CommandFailure) -> EdgeAddress {
        do {
            return try EdgeAddress(parsing: text)
        } catch {
            throw CommandFailure(.usage, error.description)
        }
    }
}
