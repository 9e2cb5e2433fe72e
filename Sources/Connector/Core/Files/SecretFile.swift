// SPDX-License-Identifier: Apache-2.0

import Foundation
import Program

/// Reads a secret from a file, or from standard input for `-`.
package enum SecretFile {
    /// The longest secret that is read, in bytes.
    static let longest = 64 * 1_024

    /// Reads the secret, without the white space around it.
    ///
    /// - Parameters:
    ///   - path: The file, or `-`.
    ///   - what: What it should hold, for the error.
    ///   - environment: Its `CREDENTIALS_DIRECTORY` is the folder of credentials that systemd passes.
    package static func read(
        _ path: String,
        what: String,
        environment: [String: String] = ProgramEnvironment.variables
    ) throws(CommandFailure) -> String {
        let data: Data
        let place = ServiceCredential.location(of: path, environment: environment) ?? path
        do {
            data = try BoundedFile.read(place, limit: Self.longest)
        } catch {
            let problem =
                switch error {
                case .unreadable: "can't be read: \(FileFault.words(place))"
                case .tooLarge: "is too large for that"
                }
            throw CommandFailure(.configuration, "\(BoundedFile.subject(path)), which should hold \(what), \(problem).")
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw CommandFailure(.configuration, "\(BoundedFile.subject(path)) does not hold \(what).")
        }
        let secret = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !secret.isEmpty else {
            throw CommandFailure(.configuration, "\(BoundedFile.subject(path)), which should hold \(what), is empty.")
        }
        return secret
    }
}
