// SPDX-License-Identifier: Apache-2.0

import Foundation

/// What a program holds at one moment.
struct ProcessFigures: CustomStringConvertible {
    var residentKibibytes: Int
    var threads: Int
    var openFiles: Int

    var description: String { "\(self.residentKibibytes) KiB, \(self.threads) threads, \(self.openFiles) open files" }
}

extension RunningProcess {
    /// What the program holds now.
    func figures() throws -> ProcessFigures {
        ProcessFigures(
            residentKibibytes: try self.statusFigure("VmRSS"),
            threads: try self.statusFigure("Threads"),
            openFiles: try self.openFiles()
        )
    }

    /// How long processors have worked for the program so far.
    func processorTime() throws -> Duration {
        let text = try String(contentsOfFile: "/proc/\(self.identifier)/stat", encoding: .utf8)
        // The name, in parentheses, may hold blanks; utime and stime are fields 14 and 15 (proc(5)).
        guard let end = text.lastIndex(of: ")") else { throw HarnessFailure("no processor time of \(self.name)") }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Int(fields[11]), let system = Int(fields[12]) else {
            throw HarnessFailure("no processor time of \(self.name)")
        }
        return .milliseconds((user + system) * 1_000 / sysconf(Int32(_SC_CLK_TCK)))
    }

    /// How many TCP connections over IPv4 the program has.
    func connectionCount() throws -> Int {
        let folder = "/proc/\(self.identifier)/fd"
        // A descriptor may be closed while it is looked at.
        let own = Set(
            try FileManager.default.contentsOfDirectory(atPath: folder)
                .compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)") }
        )
        // To its end: such a file has no size, and may have more than one read gives.
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: "/proc/\(self.identifier)/net/tcp"))
        defer { try? file.close() }
        var table = Data()
        while let part = try file.read(upToCount: 65_536), !part.isEmpty { table += part }
        // The fourth field is the state, of which 01 is ESTABLISHED, and the tenth the inode (proc_net_tcp.txt).
        let lines = String(decoding: table, as: UTF8.self).split(separator: "\n")
        return lines.count { line in
            let fields = line.split(separator: " ")
            guard fields.count > 9, fields[3] == "01" else { return false }
            return own.contains("socket:[\(fields[9])]")
        }
    }

    private func statusFigure(_ name: String) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(self.identifier)/status", encoding: .utf8)
        for line in status.split(separator: "\n") where line.hasPrefix("\(name):") {
            if let value = line.split(whereSeparator: { " \t".contains($0) }).dropFirst().first.flatMap({ Int($0) }) {
                return value
            }
        }
        throw HarnessFailure("no \(name) for \(self.name)")
    }
}
