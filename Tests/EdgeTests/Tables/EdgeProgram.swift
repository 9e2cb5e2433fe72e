// SPDX-License-Identifier: Apache-2.0

import Foundation

/// `culvert-edge` as a process.
final class EdgeProgram {
    private let process = Process()
    private let output = Pipe()

    /// Starts the program that was built with these tests, without any variable of the environment beside those given.
    init(_ arguments: [String], environment: [String: String] = [:]) throws {
        self.process.executableURL = try URL(
            fileURLWithPath: FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        )
        .deletingLastPathComponent().appending(path: "culvert-edge")
        self.process.arguments = arguments
        self.process.environment = environment
        self.process.standardOutput = self.output
        self.process.standardError = FileHandle.nullDevice
        try self.process.run()
    }

    var identifier: Int32 { self.process.processIdentifier }

    /// The first that it prints; an edge greets once everything listens.
    func greeting() -> String {
        String(decoding: self.output.fileHandleForReading.availableData, as: UTF8.self)
    }

    /// Asks it to stop.
    func terminate() { self.process.terminate() }

    /// Waits for its end.
    ///
    /// - Returns: Its exit code.
    func end() -> Int32 {
        _ = self.output.fileHandleForReading.readDataToEndOfFile()
        self.process.waitUntilExit()
        return self.process.terminationStatus
    }
}
