// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
import Program

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The file in which a run says where its inspector is, for the commands of the same user.
struct InspectorFile: Sendable {
    /// What the file holds.
    struct Content: Codable, Equatable, Sendable {
        var pid: Int32
        var url: String
        var token: String?
    }

    /// `nil` where there is no folder for such files.
    private let path: String?

    /// - Parameter environment: Names the folder of the user's running programs.
    init(environment: [String: String] = ProgramEnvironment.variables) {
        self.path = Self.folder(environment).map { "\($0)/inspector-\(getpid()).json" }
    }

    private static func folder(_ environment: [String: String]) -> String? {
        guard let folder = environment["XDG_RUNTIME_DIR"], folder.hasPrefix("/") else { return nil }
        return folder + "/culvert"
    }

    /// Writes the file; without it, the commands try the usual ports.
    func write(url: String, token: String?) {
        guard let path else { return }
        let bare = url.prefix { $0 != "?" }
        let content = Content(pid: getpid(), url: String(bare.hasSuffix("/") ? bare.dropLast() : bare), token: token)
        guard let data = try? JSONEncoder().encode(content) else { return }
        try? FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        _ = FileManager.default.createFile(atPath: path, contents: data, attributes: [.posixPermissions: 0o600])
    }

    /// Removes the file.
    func remove() {
        if let path { try? FileManager.default.removeItem(atPath: path) }
    }

    /// What the files of programs that run still say, the youngest program first.
    static func all(environment: [String: String] = ProgramEnvironment.variables) -> [Content] {
        guard let folder = Self.folder(environment),
            let names = try? FileManager.default.contentsOfDirectory(atPath: folder)
        else { return [] }
        return names.filter { $0.hasPrefix("inspector-") && $0.hasSuffix(".json") }
            .compactMap { FileManager.default.contents(atPath: folder + "/" + $0) }
            .compactMap { try? JSONDecoder().decode(Content.self, from: $0) }
            .filter { kill($0.pid, 0) == 0 }
            .sorted { $0.pid > $1.pid }
    }
}
