// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Reads a secret from a file, or from standard input for `-`.
enum SecretFile {
    /// Longest secret that is read, in bytes.
    static let longest = 64 * 1_024

    /// Reads the secret, without the white space around it.
    ///
    /// - Parameters:
    ///   - path: The file, or `-`.
    ///   - what: What it should hold, for the error.
    static func read(_ path: String, what: String) throws(CommandFailure) -> String {
        let data: Data
        if path == "-" {
            data = FileHandle.standardInput.readDataToEndOfFile()
        } else {
            do {
                data = try Data(contentsOf: URL(fileURLWithPath: path))
            } catch {
                throw CommandFailure(.configuration, "The file \(path), which should hold \(what), can't be read.")
            }
        }
        guard data.count <= Self.longest, let text = String(data: data, encoding: .utf8) else {
            throw CommandFailure(.configuration, "The file \(path) does not hold \(what).")
        }
        let secret = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !secret.isEmpty else {
            throw CommandFailure(.configuration, "The file \(path), which should hold \(what), is empty.")
        }
        return secret
    }
}
