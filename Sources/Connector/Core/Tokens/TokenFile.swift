// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The file that a tunnel's token is read from, and where its successors are kept.
///
/// A service that is handed the token by systemd can't write where it came from: its successors are kept in the
/// service's own folder (`StateDirectory=`), and the later of the two is read.
package final class TokenFile: Sendable {
    /// The file as it was named.
    package let path: String
    private let source: String
    /// Where successors are kept; `nil` if there is no place.
    private let place: String?
    private let seen: Mutex<[Mark?]>

    /// Tells one content of a file from another without reading it.
    private struct Mark: Equatable {
        var inode: UInt64
        var seconds: Int
        var nanoseconds: Int

        init?(of path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            self.inode = UInt64(status.st_ino)
            #if canImport(Darwin)
            (self.seconds, self.nanoseconds) = (status.st_mtimespec.tv_sec, status.st_mtimespec.tv_nsec)
            #else
            (self.seconds, self.nanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
            #endif
        }
    }

    /// Names the file.
    ///
    /// - Parameters:
    ///   - path: The file; `nil` is made of standard input.
    ///   - environment: Says whether systemd has passed the file, and which folder is the service's own.
    package init?(_ path: String, environment: [String: String] = ProcessInfo.processInfo.environment) {
        guard path != "-" else { return nil }
        self.path = path
        if let credential = ServiceCredential.location(of: path, environment: environment) {
            self.source = credential
            let folder = environment["STATE_DIRECTORY"]?.split(separator: ":").first.map(String.init)
            self.place = folder.flatMap { folder in ServiceCredential.name(of: path).map { "\(folder)/\($0)" } }
        } else {
            self.source = path
            self.place = path
        }
        self.seen = Mutex([])
    }

    /// Reads the token: the later one, where a successor is kept apart.
    ///
    /// - Throws: ``CommandFailure`` if there is none that can be used.
    package func read() throws(CommandFailure) -> TunnelToken {
        self.seen.withLock { $0 = self.marks }
        let token = try Self.token(at: self.source, named: self.path)
        guard let place, place != self.source, FileManager.default.fileExists(atPath: place),
            let kept = try? Self.token(at: place, named: place), kept.tunnelID == token.tunnelID,
            let later = kept.issuedAt, later > token.issuedAt ?? 0
        else { return token }
        return kept
    }

    /// The token, if the file is another one than it was when it was last read.
    func readIfChanged() -> TunnelToken? {
        let marks = self.marks
        guard self.seen.withLock({ $0 != marks }) else { return nil }
        return try? self.read()
    }

    private var marks: [Mark?] { [self.source, self.place ?? self.source].map { Mark(of: $0) } }

    private static func token(at location: String, named path: String) throws(CommandFailure) -> TunnelToken {
        let text = try SecretFile.read(location, what: "a tunnel token")
        do {
            return try TunnelToken(parsing: text)
        } catch {
            throw CommandFailure(.refused, error.description)
        }
    }

    /// Puts a token in the place of the one that is kept, in a single step, readable for whoever could read it before.
    ///
    /// - Throws: ``CommandFailure`` that says why it can't be kept.
    func keep(_ token: TunnelToken) throws(CommandFailure) {
        guard let place else {
            throw CommandFailure(
                .configuration,
                "the service has no folder of its own: run culvert service install again, and restart it"
            )
        }
        // A link stays one; the file behind it is what is replaced.
        let file = URL(fileURLWithPath: place).resolvingSymlinksInPath().path
        let temporary = "\(file).\(UInt64.random(in: .min ... .max))"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure("its folder can't be written to", errno) }
        var before = stat()
        if stat(file, &before) == 0 {
            _ = fchown(descriptor, before.st_uid, before.st_gid)
            _ = fchmod(descriptor, before.st_mode & 0o777 | 0o600)
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            try handle.write(contentsOf: Data("\(token.secret)\n".utf8))
            try handle.synchronize()
            try handle.close()
            guard rename(temporary, file) == 0 else { throw Self.failure("it can't be replaced", errno) }
        } catch {
            unlink(temporary)
            throw error as? CommandFailure ?? Self.failure("it can't be written", errno)
        }
        self.seen.withLock { $0 = self.marks }
    }

    private static func failure(_ what: String, _ number: Int32) -> CommandFailure {
        CommandFailure(.configuration, "\(what) (\(String(cString: strerror(number))))")
    }
}

extension TokenFile: Equatable {
    /// Whether it is the same file: what it holds does not matter.
    package static func == (one: TokenFile, other: TokenFile) -> Bool {
        one.path == other.path
    }
}
