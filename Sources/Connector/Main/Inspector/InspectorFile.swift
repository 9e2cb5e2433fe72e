// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
import NIOConcurrencyHelpers
import Program

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The file in which a run says where its inspector is, or that it has none, for the commands of the same user.
///
/// The run holds a lock on it, which the system takes back however the program ends: a number of a process would be
/// somebody else's after a restart of the machine.
final class InspectorFile: Sendable {
    /// What the file holds.
    struct Content: Codable, Equatable, Sendable {
        var pid: Int32
        /// Where the inspector is; `nil` for a run that has none.
        var url: String?
        var token: String?
        /// What is served without an inspector, as a person knows it: `hooks`.
        var name: String?
    }

    /// `nil` where there is no folder for such files.
    private let path: String?
    /// The descriptor that holds the lock, while the file is there.
    private let held = NIOLockedValueBox<Int32?>(nil)

    /// - Parameter environment: Names the folder of the user's running programs.
    init(environment: [String: String] = ProgramEnvironment.variables) {
        self.path = Self.folder(environment).map { "\($0)/inspector-\(getpid()).json" }
    }

    deinit {
        if let descriptor = self.held.withLockedValue({ $0 }) { close(descriptor) }
    }

    /// Where the files of all runs are: below `XDG_RUNTIME_DIR`; without it below `XDG_STATE_HOME` or `~/.local/state`.
    static func folder(_ environment: [String: String]) -> String? {
        if let base = environment["XDG_RUNTIME_DIR"], base.hasPrefix("/") { return base + "/culvert" }
        return UserState.folder("running", environment: environment)
    }

    /// Writes where the inspector is; without the file, the commands have to be told.
    func write(url: String, token: String?) {
        let bare = url.prefix { $0 != "?" }
        self.write(Content(pid: getpid(), url: String(bare.hasSuffix("/") ? bare.dropLast() : bare), token: token))
    }

    /// Writes that the run has no inspector: nobody is to take another one's requests for its own.
    ///
    /// - Parameter name: What is served.
    func writeNone(name: String?) {
        self.write(Content(pid: getpid(), name: name))
    }

    private func write(_ content: Content) {
        guard let path, let data = try? JSONEncoder().encode(content),
            let descriptor = Self.make(path, holding: data)
        else { return }
        let before = self.held.withLockedValue { held in
            defer { held = descriptor }
            return held
        }
        if let before { close(before) }
    }

    /// Writes and locks a file in a folder that nobody else can write to; the lock is there before the file's name is.
    private static func make(_ path: String, holding data: Data) -> Int32? {
        let folder = (path as NSString).deletingLastPathComponent
        try? FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        guard Self.isPrivate(folder) else { return nil }
        let temporary = path + ".new"
        // What a program of this number left, that was killed within these lines.
        unlink(temporary)
        let descriptor = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return nil }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0, (try? file.write(contentsOf: data)) != nil,
            rename(temporary, path) == 0
        {
            return descriptor
        }
        unlink(temporary)
        close(descriptor)
        return nil
    }

    /// Whether a folder is the user's, and nobody else can write to it: what is in it names where secrets are sent.
    private static func isPrivate(_ folder: String) -> Bool {
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: folder),
            attributes[.type] as? FileAttributeType == .typeDirectory,
            attributes[.ownerAccountID] as? UInt == UInt(geteuid()),
            let permissions = attributes[.posixPermissions] as? UInt
        else { return false }
        return permissions & 0o022 == 0
    }

    /// Removes the file.
    func remove() {
        let descriptor = self.held.withLockedValue { held in
            defer { held = nil }
            return held
        }
        guard let path, let descriptor else { return }
        unlink(path)
        close(descriptor)
    }

    /// What the files of programs that still run say, the one that was written last first.
    static func all(environment: [String: String] = ProgramEnvironment.variables) -> [Content] {
        guard let folder = Self.folder(environment), Self.isPrivate(folder),
            let names = try? FileManager.default.contentsOfDirectory(atPath: folder)
        else { return [] }
        return names.filter { $0.hasPrefix("inspector-") && $0.hasSuffix(".json") }
            .compactMap { Self.read(folder + "/" + $0) }
            .sorted { ($0.written, $0.content.pid) > ($1.written, $1.content.pid) }
            .map(\.content)
    }

    /// Reads a file; the one of a program that was killed is removed.
    private static func read(_ path: String) -> (content: Content, written: Date)? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        if flock(descriptor, LOCK_SH | LOCK_NB) == 0 {
            unlink(path)
            return nil
        }
        guard let data = try? FileHandle(fileDescriptor: descriptor, closeOnDealloc: false).readToEnd(),
            let content = try? JSONDecoder().decode(Content.self, from: data)
        else { return nil }
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        return (content, attributes?[.modificationDate] as? Date ?? .distantPast)
    }
}
