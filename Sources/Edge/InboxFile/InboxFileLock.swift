// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Why a file of inboxes can't be used.
package enum InboxFileFailure: Error, Equatable, CustomStringConvertible {
    /// The folder is not there, or can't be written to.
    case folder(String, why: String)
    /// Another edge has it.
    case inUse(String)
    /// It is not, or is no more, what an edge has written.
    case damaged(String, why: String)
    /// What is in it was sealed with another key.
    case sealedWithAnotherKey(String)

    package var description: String {
        switch self {
        case .folder(let path, let why): "the folder \(path) can't be used: \(why)"
        case .inUse(let path): "another edge keeps its inboxes in \(path): each edge needs a folder of its own"
        case .damaged(let path, let why):
            "\(path) can't be read (\(why)): put a backup in its place, or move it away to begin anew"
        case .sealedWithAnotherKey(let path):
            "what is in \(path) was sealed with a key that inbox.key-file does not have: add that key below the newest"
        }
    }
}

/// Holds a folder for one edge alone, as long as it lives; the system lets go of it when the process ends.
final class InboxFileLock: Sendable {
    private let descriptor: CInt

    /// Takes the lock of a folder, which is made if it is not there.
    ///
    /// - Throws: ``InboxFileFailure``.
    init(folder: String) throws(InboxFileFailure) {
        if mkdir(folder, 0o700) != 0, errno != EEXIST { throw .folder(folder, why: Self.reason) }
        let descriptor = open("\(folder)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .folder(folder, why: Self.reason) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            let why = Self.reason
            close(descriptor)
            guard code == EWOULDBLOCK else { throw .folder(folder, why: "it can't be locked: \(why)") }
            throw .inUse(folder)
        }
        self.descriptor = descriptor
    }

    deinit { close(self.descriptor) }

    /// Lets go of the folder.
    func release() { _ = flock(self.descriptor, LOCK_UN) }

    /// Makes a file that nobody else can read, before anybody writes to it.
    static func makePrivate(_ path: String) throws(InboxFileFailure) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .folder(path, why: Self.reason) }
        close(descriptor)
    }

    /// How much the disk of a folder has left; more than any file takes where that can't be known.
    static func freeBytes(folder: String) -> Int {
        var figures = statvfs()
        guard statvfs(folder, &figures) == 0 else { return .max }
        let (bytes, isTooMany) = Int(figures.f_bavail).multipliedReportingOverflow(by: Int(figures.f_frsize))
        return isTooMany ? .max : bytes
    }

    private static var reason: String { String(cString: strerror(errno)) }
}
