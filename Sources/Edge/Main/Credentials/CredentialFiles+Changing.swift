// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels

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

extension CredentialFiles {
    /// Changes a file, one process after the other: two that run at once both keep what they add.
    ///
    /// - Parameters:
    ///   - path: The file; it need not be there yet.
    ///   - change: Gets what the file holds, `nil` if it is not there, and gives what it shall hold; `nil` leaves it.
    static func update<File: CredentialFile>(at path: String, _ change: (File?) throws -> File?) throws {
        // A link stays one; the file behind it is what is replaced.
        let file = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        // The folder is what is locked: the file itself is another one after each change.
        let folder = open(URL(fileURLWithPath: file).deletingLastPathComponent().path, O_RDONLY | O_CLOEXEC)
        guard folder >= 0 else {
            throw Failure(path: path, message: "its folder can't be opened: \(String(cString: strerror(errno)))")
        }
        defer { close(folder) }
        guard flock(folder, LOCK_EX) == 0 else { throw Failure(path: path, message: "its folder can't be locked") }
        let isThere = FileManager.default.fileExists(atPath: file)
        let old = isThere ? try self.read(File.self, at: path) : nil
        guard let new = try change(old) else { return }
        guard self.replace(file, with: try self.text(of: new)) else {
            throw Failure(path: path, message: "the file can't be written")
        }
    }

    private static func text(of file: some CredentialFile) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(file) + Data("\n".utf8)
    }

    /// Puts another file in the place of one in a single step, so that a reader sees one or the other.
    private static func replace(_ path: String, with data: Data) -> Bool {
        let temporary = "\(path).\(RequestID().description.prefix(8))"
        // Private from the first moment on.
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return false }
        // Who could read it can still do so: root may have made a key for an edge that runs as somebody else.
        if let before = try? FileManager.default.attributesOfItem(atPath: path),
            let owner = before[.ownerAccountID] as? UInt, let group = before[.groupOwnerAccountID] as? UInt,
            let permissions = before[.posixPermissions] as? UInt
        {
            _ = fchown(descriptor, uid_t(truncatingIfNeeded: owner), gid_t(truncatingIfNeeded: group))
            _ = fchmod(descriptor, mode_t(truncatingIfNeeded: permissions) & 0o770 | 0o600)
        } else {
            self.giveAway(descriptor, path)
        }
        let isWritten = data.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = write(descriptor, rest.baseAddress, rest.count)
                guard count > 0 || (count < 0 && errno == EINTR) else { return false }
                rest = rest.dropFirst(max(0, count))
            }
            return fsync(descriptor) == 0
        }
        close(descriptor)
        guard isWritten, rename(temporary, path) == 0 else {
            unlink(temporary)
            return false
        }
        return true
    }
}

extension CredentialFiles {
    /// Gives a new file that root makes to the owner of its folder: that is whom the edge runs as.
    private static func giveAway(_ descriptor: Int32, _ path: String) {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard geteuid() == 0, let attributes = try? FileManager.default.attributesOfItem(atPath: folder),
            let user = attributes[.ownerAccountID] as? UInt, let group = attributes[.groupOwnerAccountID] as? UInt,
            user != 0
        else { return }
        let number = uid_t(truncatingIfNeeded: user)
        guard fchown(descriptor, number, gid_t(truncatingIfNeeded: group)) != 0 else { return }
        let reason = String(cString: strerror(errno))
        let owner = UserName.of(number)
        let text =
            "culvert-edge: \(path) stays root's (\(reason)), and its folder is \(owner)'s: chown \(owner) it, if the edge "
            + "runs as \(owner)\n"
        _ = text.utf8.withContiguousStorageIfAvailable { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

extension Slice where Base == UnsafeRawBufferPointer {
    /// Where the slice begins; `nil` if it is empty.
    fileprivate var baseAddress: UnsafeRawPointer? { UnsafeRawBufferPointer(rebasing: self).baseAddress }
}
