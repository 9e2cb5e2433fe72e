// SPDX-License-Identifier: Apache-2.0

import EdgeControl
import JSONText
import Program

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

/// A file that holds credentials.
protocol CredentialFile: Codable {
    /// What may be in it.
    static var members: JSONMembers { get }
}

/// The file of API keys: JSON with hashes and no keys.
struct APIKeyFile: CredentialFile, Equatable, Sendable {
    var keys: [APIKeyRecord]

    // A misspelt totp_secret must not be a key without a second factor.
    static let members = JSONMembers.object([
        "keys": .array(
            .object([
                "name": .leaf, "owner": .leaf, "role": .choice(Role.allCases.map(\.rawValue)), "sha256": .leaf,
                "totp_secret": .leaf,
                "revoked": .leaf,
            ])
        )
    ])
}

/// The file of signing keys: JSON, the signing key first.
struct SigningKeyFile: CredentialFile, Equatable, Sendable {
    var keys: [SigningKey]

    static let members = JSONMembers.object(["keys": .array(.object(["kid": .leaf, "secret": .leaf]))])
}

/// Reads and writes the files that hold credentials.
enum CredentialFiles {
    /// Why a file can't be used.
    struct Failure: Error, Equatable, CustomStringConvertible {
        var path: String
        var message: String

        var description: String { "\(ShownPath.text(self.path)): \(self.message)" }
    }

    /// Reads a file that nobody but its owner may read.
    static func read<File: CredentialFile>(_ type: File.Type, at path: String) throws -> File {
        let manager = FileManager.default
        // Kubernetes mounts each file as a symbolic link, and it is the file behind it that is or isn't private.
        let file = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        guard let data = manager.contents(atPath: file) else {
            let isThere = manager.fileExists(atPath: file)
            throw Failure(
                path: path,
                message: isThere
                    ? self.fault(path) : "there is no such file yet: culvert-edge credentials new makes it"
            )
        }
        try self.checkPrivate(path)
        do {
            return try StrictJSON.decode(type, members: File.members, from: Array(data))
        } catch {
            throw Failure(path: path, message: "\(error.field ?? "the file") \(error.message)")
        }
    }

    /// Why a file that the settings name can't be read, and whose it has to be if it is another user's.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - user: Who runs the program.
    static func fault(_ path: String, for user: uid_t = geteuid()) -> String {
        let words = FileFault.words(path)
        guard FileFault.of(path) == .forbidden else { return words }
        let file = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        let attributes = try? FileManager.default.attributesOfItem(atPath: file)
        guard let owner = attributes?[.ownerAccountID] as? UInt else { return words }
        return "\(words): \(self.foreign(uid_t(truncatingIfNeeded: owner), for: user))"
    }

    /// What is to be done about a file of an owner that a user may not read.
    static func foreign(_ owner: uid_t, for user: uid_t) -> String {
        guard owner != user else { return "chmod 600 it" }
        let name = UserName.of(user)
        return
            "it belongs to \(UserName.of(owner)), and culvert-edge runs as \(name) here: chown \(name) it, if that is "
            + "the edge's user"
    }

    /// Reads a file that holds a password and nothing else, but for the end of its line.
    static func password(at path: String) throws -> String {
        let file = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        guard let data = FileManager.default.contents(atPath: file) else {
            throw Failure(path: path, message: self.fault(path))
        }
        try self.checkPrivate(path)
        let lines = String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline)
        guard lines.count == 1, let password = lines.first else {
            throw Failure(path: path, message: "the file has to hold one line, the password")
        }
        return String(password)
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
}
