// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A `redis-server` that a test starts on a free port of this machine, in a folder of its own.
package final class RedisServer: @unchecked Sendable {
    // Used by one test at a time; Process is not Sendable.

    /// Where it listens.
    package let port: Int
    /// Where its files are.
    package let folder: URL
    private let arguments: [String]
    private var process = Process()

    /// Starts a server and waits until it listens.
    ///
    /// - Parameter arguments: Its settings beside port and folder.
    package init(_ arguments: [String] = [], port: Int? = nil) throws {
        self.port = try port ?? Self.freePort()
        self.folder = FileManager.default.temporaryDirectory.appending(path: "culvert-redis-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: true)
        self.arguments = arguments
        try self.start()
    }

    deinit {
        self.kill()
        try? FileManager.default.removeItem(at: self.folder)
    }

    /// Starts it again, with what it wrote to its folder.
    package func start() throws {
        self.process = Process()
        self.process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        // A list of settings begins with a file's name where there is one: a sentinel wants to write into its own.
        let isConfigured = self.arguments.first.map { !$0.hasPrefix("--") } ?? false
        let file = isConfigured ? [self.arguments[0]] : []
        self.process.arguments =
            ["redis-server"] + file + ["--port", "\(self.port)", "--dir", self.folder.path, "--save", ""]
            + self.arguments.dropFirst(file.count)
        self.process.standardOutput = FileHandle.nullDevice
        self.process.standardError = FileHandle.nullDevice
        try self.process.run()
        for _ in 0..<1_000 where !self.isListening { Thread.sleep(forTimeInterval: 0.01) }
        guard self.isListening else { throw CocoaError(.fileReadUnknown) }
    }

    /// Ends it at once.
    package func kill() {
        guard self.process.isRunning else { return }
        Foundation.kill(self.process.processIdentifier, SIGCONT)
        Foundation.kill(self.process.processIdentifier, SIGKILL)
        self.process.waitUntilExit()
    }

    /// Stops it where it is; it closes nothing.
    package func freeze() { Foundation.kill(self.process.processIdentifier, SIGSTOP) }

    /// Lets it go on.
    package func thaw() { Foundation.kill(self.process.processIdentifier, SIGCONT) }

    /// Asks it something by `redis-cli`.
    @discardableResult
    package func ask(_ words: [String]) throws -> String {
        let client = Process()
        let output = Pipe()
        client.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        client.arguments = ["redis-cli", "-p", "\(self.port)"] + words
        client.standardOutput = output
        client.standardError = FileHandle.nullDevice
        try client.run()
        let answer = output.fileHandleForReading.readDataToEndOfFile()
        client.waitUntilExit()
        return String(decoding: answer, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// A port that nobody listens on.
    package static func freePort() throws -> Int {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port: in_port_t? = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard bind(socket, address, length) == 0, getsockname(socket, address, &length) == 0 else { return nil }
                return pointer.pointee.sin_port
            }
        }
        guard let port else { throw CocoaError(.fileReadUnknown) }
        return Int(in_port_t(bigEndian: port))
    }

    private var isListening: Bool {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        address.sin_port = in_port_t(self.port).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                connect(socket, address, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
