// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation

/// The file of a unit, which is written and removed only where it is ours.
struct ServiceUnitFile: Sendable {
    let path: String

    /// Finds the path of a unit.
    ///
    /// - Parameters:
    ///   - name: The name of the service, without `.service`.
    ///   - scope: Whose service it is.
    ///   - root: The folder that stands for `/`; empty for the machine itself.
    ///   - environment: Where a user's folders are looked for.
    init(
        name: String,
        scope: ServiceUnit.Scope,
        root: String,
        environment: [String: String]
    ) throws(CommandFailure) {
        switch scope {
        case .system:
            self.path = "\(root)/etc/systemd/system/\(name).service"
        case .user:
            guard let folder = environment["XDG_CONFIG_HOME"] ?? environment["HOME"].map({ $0 + "/.config" }),
                folder.hasPrefix("/")
            else { throw CommandFailure(.configuration, "HOME is not set: there is no place for a user's service.") }
            self.path = "\(root)\(folder)/systemd/user/\(name).service"
        }
    }

    /// Writes the unit.
    ///
    /// - Parameter force: Whether a unit that culvert did not write may be overwritten.
    func install(_ unit: ServiceUnit, force: Bool) throws(CommandFailure) {
        if let present = try self.present(), !ServiceUnit.isOurs(present), !force {
            throw CommandFailure(
                .configuration,
                "There is a unit at \(self.path) that culvert did not make: choose another --name, or give --force."
            )
        }
        do {
            try FileManager.default.createDirectory(
                atPath: (self.path as NSString).deletingLastPathComponent,
                withIntermediateDirectories: true
            )
            try Data(unit.text.utf8).write(to: URL(fileURLWithPath: self.path), options: .atomic)
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: self.path)
        } catch {
            throw CommandFailure(
                .configuration,
                "The unit \(self.path) can't be written: run it as root, or with --user for a service of your own."
            )
        }
    }

    /// Removes the unit.
    func uninstall() throws(CommandFailure) {
        guard let present = try self.present() else {
            throw CommandFailure(.configuration, "There is no unit at \(self.path): there is nothing to remove.")
        }
        guard ServiceUnit.isOurs(present) else {
            throw CommandFailure(
                .configuration,
                "The unit at \(self.path) was not made by culvert: remove it yourself if it should go."
            )
        }
        do {
            try FileManager.default.removeItem(atPath: self.path)
        } catch {
            throw CommandFailure(.configuration, "The unit \(self.path) can't be removed: run it as root.")
        }
    }

    private func present() throws(CommandFailure) -> String? {
        guard FileManager.default.fileExists(atPath: self.path) else { return nil }
        do {
            return String(decoding: try BoundedFile.read(self.path, limit: 1 << 20), as: UTF8.self)
        } catch {
            throw CommandFailure(.configuration, "The unit \(self.path) can't be read: run it as root.")
        }
    }
}
