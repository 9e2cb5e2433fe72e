// SPDX-License-Identifier: Apache-2.0

import Inspection
import Program

#if canImport(Glibc)
import Glibc
#endif

/// Gives memory back to the system once the traffic rests.
///
/// What is kept and dropped leaves holes between what stays: glibc's allocator reuses them, and keeps their pages by
/// itself. While bytes pass nothing is done, since allocations have to wait meanwhile. The pages of the code that served
/// the traffic, ten megabytes, go as they do after the start.
struct QuietTrim {
    /// How often it looks.
    private static let interval = Duration.seconds(4)

    /// What a ring had when it was looked at.
    struct Look: Equatable {
        var used: Int
        var total: UInt64
    }

    private var last = Look(used: 0, total: 0)
    private var trimmed = Look(used: 0, total: 0)
    /// Whether nothing had passed between the latest two looks.
    private(set) var isQuiet = false

    /// Takes a look.
    ///
    /// - Returns: Whether memory is to be given back: something has passed since that was done, and nothing since the last
    ///   look.
    mutating func isDue(_ look: Look) -> Bool {
        self.isQuiet = look == self.last
        self.last = look
        guard self.isQuiet, look != self.trimmed else { return false }
        self.trimmed = look
        return true
    }

    /// Looks at a ring until the task is cancelled.
    static func run(_ ring: CaptureRing) async {
        var trim = QuietTrim()
        var code = 0
        while (try? await Task.sleep(for: self.interval)) != nil {
            let isDue = trim.isDue(Look(used: ring.usedBytes, total: ring.counts.total))
            if isDue { self.giveBack() }
            // What is done now and then, such as to ask the edge, brings pages of code back that are not needed again.
            guard isDue || trim.isQuiet && ProgramMemory.residentFileBytes > code + self.codeGrowth else { continue }
            ProgramMemory.release()
            code = ProgramMemory.residentFileBytes
        }
    }

    /// By how much code may grow before it is given back again, in bytes.
    private static let codeGrowth = 2 << 20

    private static func giveBack() {
        #if canImport(Glibc)
        // Swift's module of glibc lacks malloc.h; by name the function is found where there is one.
        guard let function = dlsym(nil, "malloc_trim") else { return }
        _ = unsafeBitCast(function, to: (@convention(c) (Int) -> Int32).self)(0)
        #endif
    }
}
