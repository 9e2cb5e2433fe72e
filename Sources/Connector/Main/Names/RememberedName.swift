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

/// The random name that the tunnel of a folder and a target had last, so that the next start has the same URL.
///
/// Held by one run at a time: a second run of the same folder and target gets a name of its own.
final class RememberedName: Sendable {
    /// What a file holds.
    private struct Content: Codable {
        /// What the name is for; files are named for a hash of it.
        var key: String
        var id: String
        /// Which members of its policy kept visitors away; files of earlier versions have none.
        var protection: [String]?
    }

    /// The most names that are remembered; the one that was used the longest ago is forgotten first.
    static let most = 500

    private let key: String
    private let descriptor: Int32

    /// Takes the name of a folder and a target.
    ///
    /// - Parameters:
    ///   - edge: The edge that the tunnel is made at.
    ///   - target: The target, as it was typed.
    ///   - folder: The folder that the program was started in.
    ///   - environment: Says where the user's state is kept.
    /// - Returns: `nil` where nothing can be kept, or while another run has the name.
    init?(edge: String, target: String, folder: String, environment: [String: String]) {
        guard let place = UserState.folder("names", environment: environment) else { return nil }
        self.key = [edge, folder, target].joined(separator: "\n")
        try? FileManager.default.createDirectory(
            atPath: place,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        Self.makeRoom(in: place)
        let path = "\(place)/\(ServingPlace.hash([self.key])).json"
        self.descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard self.descriptor >= 0 else { return nil }
        // Lost with the descriptor, however the program ends.
        guard flock(self.descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(self.descriptor)
            return nil
        }
    }

    deinit {
        close(self.descriptor)
    }

    /// The name, if there is one.
    var id: String? { self.content?.id }

    /// The members of the policy by which the tunnel of that name kept visitors away.
    var protection: [String] { self.content?.protection ?? [] }

    private var content: Content? {
        let file = FileHandle(fileDescriptor: self.descriptor, closeOnDealloc: false)
        guard (try? file.seek(toOffset: 0)) != nil, let data = try? file.read(upToCount: 64 << 10),
            let content = try? JSONDecoder().decode(Content.self, from: data), content.key == self.key
        else { return nil }
        return content
    }

    /// Remembers a name, and which members of its policy keep visitors away.
    func remember(_ id: String, protectedBy protection: [String] = []) {
        let file = FileHandle(fileDescriptor: self.descriptor, closeOnDealloc: false)
        let content = Content(key: self.key, id: id, protection: protection)
        guard let data = try? JSONEncoder().encode(content) else { return }
        // What can't be written is no name, and the next start has another one.
        try? file.truncate(atOffset: 0)
        try? file.write(contentsOf: data)
    }

    private static func makeRoom(in place: String) {
        let files = FileManager.default
        guard let names = try? files.contentsOfDirectory(atPath: place), names.count >= self.most else { return }
        let dated = names.filter { $0.hasSuffix(".json") }.map { name in
            let path = "\(place)/\(name)"
            let date = (try? files.attributesOfItem(atPath: path))?[.modificationDate] as? Date
            return (path: path, date: date ?? .distantPast)
        }
        for old in dated.sorted(by: { $0.date < $1.date }).prefix(names.count - self.most + 1) {
            try? files.removeItem(atPath: old.path)
        }
    }
}
