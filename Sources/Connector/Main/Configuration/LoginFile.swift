// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The edge and the API key that `culvert login` stores for the user.
struct LoginFile: Codable, Equatable {
    var edge: String
    var apiKey: String
    /// The PEM file by which alone the edge is trusted, with its whole path.
    var certificateAuthorityFile: String?

    private enum CodingKeys: String, CodingKey {
        case edge
        case apiKey = "api_key"
        case certificateAuthorityFile = "ca_file"
    }

    /// Where the file is: below `XDG_CONFIG_HOME`, or else `~/.config`.
    static func path(environment: [String: String]) -> String? {
        if let base = environment["XDG_CONFIG_HOME"], base.hasPrefix("/") { return base + "/culvert/login.json" }
        if let home = environment["HOME"], home.hasPrefix("/") { return home + "/.config/culvert/login.json" }
        return nil
    }

    /// Where the login is kept that a later one has replaced.
    static func replacedPath(of path: String) -> String { path + ".old" }

    /// Where a login is written before it is whole.
    static func unfinishedPath(of path: String) -> String { path + ".new" }

    /// Reads the file; returns `nil` if there is none.
    ///
    /// - Throws: ``CommandFailure`` if other users may read it, or if it is not a login file.
    static func read(at path: String) throws(CommandFailure) -> LoginFile? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        let permissions = (attributes?[.posixPermissions] as? NSNumber)?.intValue ?? 0
        guard permissions & 0o077 == 0 else {
            throw CommandFailure(
                .configuration,
                "The login file \(path) can be read by others: run chmod 600 on it, or culvert login again."
            )
        }
        guard let login = Self.decoded(at: path) else {
            throw CommandFailure(.configuration, "The login file \(path) can't be read: run culvert login again.")
        }
        return login
    }

    /// Reads the file, whoever else may; returns `nil` if it is not a login file.
    static func decoded(at path: String) -> LoginFile? {
        FileManager.default.contents(atPath: path).flatMap { try? JSONDecoder().decode(Self.self, from: $0) }
    }

    /// Keeps what is stored for another edge beside the file that is about to be written: its key may be nowhere else.
    ///
    /// - Returns: What is said of it; `nil` if nothing is lost.
    static func keep(
        _ former: LoginFile?,
        replacedBy login: LoginFile,
        at path: String
    ) throws(CommandFailure) -> String? {
        guard let former, former.edge != login.edge else { return nil }
        let kept = Self.replacedPath(of: path)
        try former.write(to: kept)
        return "The login of \(former.edge) is replaced; it is kept in \(kept)."
    }

    /// Writes the file so that no other user can read it at any moment.
    func write(to path: String) throws(CommandFailure) {
        let folder = (path as NSString).deletingLastPathComponent
        let temporary = Self.unfinishedPath(of: path)
        do {
            try FileManager.default.createDirectory(
                atPath: folder,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
            try? FileManager.default.removeItem(atPath: temporary)
            // Created with its permissions, rather than restricted afterwards.
            let descriptor = open(temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw CocoaError(.fileWriteNoPermission) }
            let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
            try file.write(contentsOf: try JSONEncoder().encode(self))
            try file.close()
            guard rename(temporary, path) == 0 else { throw CocoaError(.fileWriteUnknown) }
        } catch {
            try? FileManager.default.removeItem(atPath: temporary)
            throw CommandFailure(.configuration, "The login file \(path) can't be written.")
        }
    }
}
