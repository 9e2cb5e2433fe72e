// SPDX-License-Identifier: Apache-2.0

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

/// What the system knows of this process, under the names that every Prometheus client uses.
struct ProcessFigures: Equatable, Sendable {
    var residentBytes: Int
    var cpuSeconds: Double
    var openFiles: Int
    var threads: Int

    /// The figures of the moment; `nil` where the system has no `/proc`.
    static func now() -> ProcessFigures? {
        guard let data = FileManager.default.contents(atPath: "/proc/self/stat"),
            let files = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        else { return nil }
        return ProcessFigures(
            stat: String(decoding: data, as: UTF8.self),
            openFiles: files.count,
            pageSize: Int(sysconf(Int32(_SC_PAGESIZE))),
            ticksPerSecond: Double(sysconf(Int32(_SC_CLK_TCK)))
        )
    }

    /// Reads `/proc/self/stat` (proc_pid_stat(5)); `nil` for a text of another form.
    init?(stat: String, openFiles: Int, pageSize: Int, ticksPerSecond: Double) {
        // The name, field 2, may hold anything, also spaces and parentheses: what counts begins after it, at field 3.
        guard let end = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: end)...].split(separator: " ").map { Int($0) }
        guard fields.count > 21, let user = fields[11], let system = fields[12], let threads = fields[17],
            let pages = fields[21]
        else { return nil }
        self.cpuSeconds = Double(user + system) / ticksPerSecond
        self.residentBytes = pages * pageSize
        self.threads = threads
        self.openFiles = openFiles
    }

    /// Adds the figures to others.
    func add(to text: inout PrometheusText) {
        text.add("process_resident_memory_bytes", .gauge, "Resident memory", self.residentBytes)
        text.add("process_cpu_seconds_total", .counter, "Processor time", self.cpuSeconds)
        text.add("process_open_fds", .gauge, "Open files and sockets", self.openFiles)
        text.add("process_threads", .gauge, "Threads", self.threads)
    }
}
