// SPDX-License-Identifier: Apache-2.0
import AllocationCounter

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What some work cost the whole process.
struct Measurement {
    /// Processor time of all threads, in seconds.
    var processorSeconds: Double
    /// Time on the clock, in seconds.
    var seconds: Double
    var allocations: UInt64

    /// The counters of the process now.
    struct Mark {
        fileprivate let processor = Measurement.processorTime()
        fileprivate let clock = ContinuousClock.now
        fileprivate let allocations = allocation_count()

        var elapsed: Measurement {
            let duration = ContinuousClock.now - self.clock
            return Measurement(
                processorSeconds: Measurement.processorTime() - self.processor,
                seconds: Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18,
                allocations: allocation_count() - self.allocations
            )
        }
    }

    private static func processorTime() -> Double {
        var usage = rusage()
        #if canImport(Glibc)
        getrusage(CInt(RUSAGE_SELF.rawValue), &usage)
        #else
        getrusage(RUSAGE_SELF, &usage)
        #endif
        let seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
        let microseconds = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec
        return Double(seconds) + Double(microseconds) / 1e6
    }

    /// The resident memory of the process, in bytes; 0 where the system does not tell.
    static var residentBytes: Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        guard fgets(&line, 128, file) != nil else { return 0 }
        let fields = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            .split(separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(getpagesize()) : 0
    }
}

/// Prints one result.
func report(_ name: String, _ figures: KeyValuePairs<String, Double>) {
    let members = figures.map { name, value in
        let rounded = (value * 1_000).rounded() / 1_000
        return "\"\(name)\":\(rounded)"
    }
    print("{\"benchmark\":\"\(name)\",\(members.joined(separator: ","))}")
}
