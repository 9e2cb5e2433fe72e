// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A program that a test has started; it is killed when the test lets go of it.
final class RunningProcess {
    let name: String
    private let child: ChildProcess
    private let outputFile: URL
    private let errorFile: URL
    // Keeps the output's folder for as long as something may write into it.
    private let scratch: ScratchFolder

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - executable: The program's path, or its name when it is to be found on the usual paths.
    ///   - environment: Variables beside `PATH`; a variable of the test run itself is not passed on.
    ///   - scratch: The folder for what the program prints.
    init(
        _ executable: String,
        _ arguments: [String],
        environment: [String: String] = [:],
        in scratch: ScratchFolder
    ) throws {
        let path = try Self.path(of: executable)
        let label = "\(URL(fileURLWithPath: path).lastPathComponent)-\(UUID().uuidString.prefix(8))"
        self.name = label
        self.scratch = scratch
        self.outputFile = scratch.file("\(label).out")
        self.errorFile = scratch.file("\(label).err")
        for file in [self.outputFile, self.errorFile] {
            try Data().write(to: file)
        }
        self.child = try ChildProcess(
            path,
            arguments,
            environment: environment.merging(
                ["PATH": Self.searchPath.joined(separator: ":"), "HOME": scratch.url.path],
                uniquingKeysWith: { given, _ in given }
            ),
            output: self.outputFile.path,
            errors: self.errorFile.path
        )
    }

    var identifier: Int32 { self.child.identifier }
    var isRunning: Bool { self.child.end == nil }
    var standardOutput: String { Self.text(of: self.outputFile) }
    var standardError: String { Self.text(of: self.errorFile) }

    /// Everything the program has printed, for messages.
    var transcript: String {
        "\(self.name) printed:\n\(self.standardOutput.suffix(2000))\n\(self.standardError.suffix(4000))"
    }

    /// The most memory the program ever had resident, in KiB (`VmHWM`).
    func peakResidentKibibytes() throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(self.identifier)/status", encoding: .utf8)
        for line in status.split(separator: "\n") where line.hasPrefix("VmHWM:") {
            if let size = line.split(whereSeparator: { " \t".contains($0) }).dropFirst().first.flatMap({ Int($0) }) {
                return size
            }
        }
        throw HarnessFailure("no VmHWM for \(self.name)")
    }

    /// How many files and sockets the program has open.
    func openFiles() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(self.identifier)/fd").count
    }

    func send(signal: Int32) {
        kill(self.identifier, signal)
    }

    /// Waits for the program to end by itself.
    func end(within limit: Duration = .seconds(20)) async throws -> ChildProcess.End {
        do {
            return try await eventually("the end of \(self.name)", within: limit) { self.child.end }
        } catch let failure as HarnessFailure {
            throw HarnessFailure("\(failure)\n\(self.transcript)")
        }
    }

    /// Waits for the program to exit with 0, and gives what it printed.
    func successfulOutput(within limit: Duration) async throws -> String {
        let end = try await self.end(within: limit)
        guard end == .exited(0) else {
            throw HarnessFailure("\(self.name): \(end)\n\(self.transcript)")
        }
        return self.standardOutput
    }

    /// Waits for a line of standard output that begins with `prefix`.
    func line(startingWith prefix: String, within limit: Duration = .seconds(20)) async throws -> String {
        do {
            return try await eventually("a line '\(prefix)…' of \(self.name)", within: limit) {
                let lines = self.standardOutput.split(separator: "\n")
                if let line = lines.first(where: { $0.hasPrefix(prefix) }) {
                    return String(line)
                }
                guard self.isRunning else {
                    throw HarnessFailure("\(self.name) has ended")
                }
                return nil
            }
        } catch let failure as HarnessFailure {
            throw HarnessFailure("\(failure)\n\(self.transcript)")
        }
    }

    private static let searchPath = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"]

    private static func path(of executable: String) throws -> String {
        if executable.contains("/") {
            guard FileManager.default.isExecutableFile(atPath: executable) else {
                throw HarnessFailure("\(executable) is missing; scripts/test builds and installs what is needed")
            }
            return executable
        }
        let candidates = self.searchPath.map { "\($0)/\(executable)" }
        guard let path = candidates.first(where: FileManager.default.isExecutableFile(atPath:)) else {
            throw HarnessFailure("\(executable) is not installed; scripts/test does that")
        }
        return path
    }

    private static func text(of file: URL) -> String {
        guard let data = try? Data(contentsOf: file) else { return "" }
        return String(decoding: data, as: UTF8.self)
    }
}
