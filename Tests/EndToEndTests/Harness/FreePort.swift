// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

/// Ports on loopback that nobody listens on.
enum FreePort {
    /// Below those that the system gives to outgoing connections: one of them must not take the port of a program that
    /// a test stops and starts again.
    private static let range = 12_000..<32_000
    private static let given = Mutex<Set<Int>>([])

    /// A port that was free a moment ago, and that no test has been given before, in other processes neither.
    static func next() throws -> Int {
        for _ in 0..<1_000 {
            let port = Int.random(in: self.range)
            guard self.given.withLock({ $0.insert(port).inserted }), try self.claim(port), try self.isFree(port) else {
                continue
            }
            return port
        }
        throw HarnessFailure("no port from \(self.range) is free")
    }

    /// Claims a port against other processes that run tests, until this one ends: a lock stays with its open file.
    private static func claim(_ port: Int) throws -> Bool {
        let folder = FileManager.default.temporaryDirectory.appending(path: "culvert-test-ports-\(getuid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let descriptor = open(folder.appending(path: "\(port)").path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw HarnessFailure("no file to claim port \(port) by: errno \(errno)") }
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
        close(descriptor)
        return false
    }

    private static func isFree(_ port: Int) throws -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw HarnessFailure("socket: errno \(errno)") }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
