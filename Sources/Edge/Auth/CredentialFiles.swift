// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The API keys and signing keys of a run.
struct CredentialSet: Sendable {
    var apiKeys: [APIKeyRecord]
    var signingKeys: [SigningKey]
}

/// The file of API keys: JSON with hashes and no keys.
struct APIKeyFile: Codable, Equatable, Sendable {
    var keys: [APIKeyRecord]
}

/// The file of signing keys: JSON, the signing key first.
struct SigningKeyFile: Codable, Equatable, Sendable {
    var keys: [SigningKey]
}

/// Reads and writes the files that hold credentials.
enum CredentialFiles {
    /// Why a file can't be used.
    struct Failure: Error, Equatable, CustomStringConvertible {
        var path: String
        var message: String

        var description: String { "\(self.path): \(self.message)" }
    }

    /// Reads a file that nobody but its owner may read.
    static func read<File: Decodable>(_ type: File.Type, at path: String) throws -> File {
        let manager = FileManager.default
        // Kubernetes mounts each file as a symbolic link, and it is the file behind it that is or isn't private.
        let file = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        guard let data = manager.contents(atPath: file) else {
            throw Failure(path: path, message: "the file can't be read")
        }
        try self.checkPrivate(path)
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch {
            throw Failure(
                path: path,
                message: "the file does not hold the JSON that culvert-edge credentials new writes"
            )
        }
    }

    /// Refuses a file that others than its owner and its owner's group can read.
    ///
    /// Kubernetes mounts secrets readable for the group, which is the pod's own; others are nobody's own.
    static func checkPrivate(_ path: String) throws {
        let file = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: file),
            let permissions = attributes[.posixPermissions] as? Int
        else { return }
        if permissions & 0o007 != 0 {
            throw Failure(path: path, message: "other users can read the file: chmod 600 it")
        }
    }

    /// Reads a file that may not be there yet.
    static func readIfPresent<File: Decodable>(_ type: File.Type, at path: String) throws -> File? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        return try self.read(type, at: path)
    }

    /// Writes a file that nobody but its owner can read, in one step.
    static func write(_ file: some Encodable, to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let data = try encoder.encode(file) + Data("\n".utf8)
        let temporary = "\(path).\(RequestID().description.prefix(8))"
        guard FileManager.default.createFile(atPath: temporary, contents: data, attributes: [.posixPermissions: 0o600])
        else { throw Failure(path: path, message: "the file can't be written") }
        // rename(2) replaces the old file in one step, so that a reader sees one or the other.
        guard rename(temporary, path) == 0 else {
            try? FileManager.default.removeItem(atPath: temporary)
            throw Failure(path: path, message: "the file can't be replaced")
        }
    }
}
