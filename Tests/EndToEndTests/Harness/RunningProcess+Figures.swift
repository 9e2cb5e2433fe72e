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
