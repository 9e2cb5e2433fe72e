// SPDX-License-Identifier: Apache-2.0
import Foundation
import FuzzTargets

/// Runs a target for libFuzzer.
public enum FuzzDriver {
    /// What an input may take of the processor, in nanoseconds.
    private static let patience: UInt64 = {
        let milliseconds = ProcessInfo.processInfo.environment["FUZZ_SLOW_MILLISECONDS"].flatMap(UInt64.init) ?? 100
        return milliseconds * 1_000_000
    }()

    /// Runs a target on one input, and ends the program if it finds anything, or takes too long.
    public static func check(_ target: FuzzTarget, _ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
        let input = Array(UnsafeBufferPointer(start: start, count: count))
        // The time of this thread: other programs on the machine must not count.
        let begin = self.processorTime
        do {
            try target.check(input)
        } catch {
            self.fail("\(error)")
        }
        let taken = self.processorTime - begin
        if taken > self.patience { self.fail("\(taken / 1_000_000) ms for an input of \(count) bytes") }
        return 0
    }

    /// What this thread has taken of the processor, in nanoseconds.
    private static var processorTime: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private static func fail(_ description: String) -> Never {
        FileHandle.standardError.write(Data("finding: \(description)\n".utf8))
        abort()
    }
}
