// SPDX-License-Identifier: Apache-2.0

import Foundation

/// An edge as an operator runs it: with files of API keys and signing keys, made by `culvert-edge credentials`.
final class KeyedEdge {
    let process: EdgeProcess
    let apiKeysFile: URL
    let signingKeysFile: URL
    /// A YAML file that is read at the start and again on SIGHUP.
    let configurationFile: URL
    private let scratch: ScratchFolder

    /// An API key as it was shown, once.
    struct MadeKey {
        var key: String
        /// The secret of one-time codes, in base 32.
        var secret: String?
    }

    /// Makes a signing key and starts the edge.
    init(in scratch: ScratchFolder, configuration: String = "", arguments: [String] = []) async throws {
        self.scratch = scratch
        self.apiKeysFile = scratch.file("api-keys.json")
        self.signingKeysFile = scratch.file("signing-keys.json")
        self.configurationFile = scratch.file("edge.yaml")
        try Data(configuration.utf8).write(to: self.configurationFile)
        _ = try await Self.makeKey("first", files: (self.apiKeysFile, self.signingKeysFile), in: scratch)
        self.process = try await EdgeProcess(
            in: scratch,
            arguments: [
                "--config", self.configurationFile.path, "--auth-api-keys-file", self.apiKeysFile.path,
                "--auth-signing-keys-file", self.signingKeysFile.path,
            ] + arguments
        )
    }

    /// Makes an API key; the running edge knows it after ``reload()``.
    func makeKey(_ name: String, role: String = "user", otp: Bool = false) async throws -> MadeKey {
        let files = (self.apiKeysFile, self.signingKeysFile)
        return try await Self.makeKey(name, role: role, otp: otp, files: files, in: self.scratch)
    }

    private static func makeKey(
        _ name: String,
        role: String = "user",
        otp: Bool = false,
        files: (api: URL, signing: URL),
        in scratch: ScratchFolder
    ) async throws -> MadeKey {
        let text = try await Self.credentials(
            ["new", "--name", name, "--role", role, otp ? "--otp" : "--no-otp"],
            files: files,
            in: scratch
        )
        func value(_ label: String) -> String? {
            text.split(separator: "\n").first { $0.hasPrefix(label) }?.split(separator: " ").last.map(String.init)
        }
        guard let key = value("API key") else { throw HarnessFailure("no API key in: \(text)") }
        return MadeKey(key: key, secret: value("OTP secret"))
    }

    /// Replaces an API key; the running edge knows the next one after ``reload()``.
    func rotateKey(_ name: String) async throws -> MadeKey {
        let process = try RunningProcess(
            Programs.product("culvert-edge"),
            ["credentials", "rotate", name, "--api-keys-file", self.apiKeysFile.path],
            in: self.scratch
        )
        let text = try await process.successfulOutput(within: .seconds(20))
        let line = text.split(separator: "\n").first { $0.hasPrefix("API key") }
        guard let key = line?.split(separator: " ").last else { throw HarnessFailure("no API key in: \(text)") }
        return MadeKey(key: String(key))
    }

    /// Revokes an API key; the running edge knows it after ``reload()``.
    func revokeKey(_ name: String) async throws {
        let process = try RunningProcess(
            Programs.product("culvert-edge"),
            ["credentials", "revoke", name, "--api-keys-file", self.apiKeysFile.path],
            in: self.scratch
        )
        _ = try await process.successfulOutput(within: .seconds(20))
    }

    private static func credentials(
        _ arguments: [String],
        files: (api: URL, signing: URL),
        in scratch: ScratchFolder
    ) async throws -> String {
        let process = try RunningProcess(
            Programs.product("culvert-edge"),
            ["credentials"] + arguments
                + ["--api-keys-file", files.api.path, "--signing-keys-file", files.signing.path],
            in: scratch
        )
        return try await process.successfulOutput(within: .seconds(20))
    }

    /// The signing keys, as pairs of name and secret; the first one signs.
    func signingKeys() throws -> [[String: String]] {
        let object = try JSONSerialization.jsonObject(with: Data(contentsOf: self.signingKeysFile))
        guard let keys = (object as? [String: Any])?["keys"] as? [[String: String]] else {
            throw HarnessFailure("no keys in \(self.signingKeysFile.path)")
        }
        return keys
    }

    /// Takes other signing keys instead; the running edge knows them after ``reload()``.
    func replaceSigningKeys(with keys: [[String: String]]) throws {
        let data = try JSONSerialization.data(withJSONObject: ["keys": keys])
        try data.write(to: self.signingKeysFile)
    }

    /// Sends SIGHUP and waits until the edge says what came of it.
    func reload(expecting message: String = "reloaded keys and limits") async throws {
        func count() -> Int { self.process.process.standardError.components(separatedBy: message).count }
        let before = count()
        self.process.process.send(signal: SIGHUP)
        try await eventually("a line '\(message)'") { count() > before ? () : nil }
    }
}
