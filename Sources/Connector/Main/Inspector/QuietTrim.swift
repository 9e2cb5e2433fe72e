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
    /// How many looks have found nothing since something passed; `nil` before anything did.
    private var quietLooks: Int?
    /// Whether nothing had passed between the latest two looks.
    private(set) var isQuiet = false
    /// After how many such looks memory is given back, 4, 8, 16 and 32 seconds after the last byte: connections and
    /// their windows end some time after what passed them, and leave holes in turn.
    private static let dueLooks: Set<Int> = [1, 2, 4, 8]

    /// Takes a look.
    ///
    /// - Returns: Whether memory is to be given back: something has passed before, and nothing since the last look.
    mutating func isDue(_ look: Look) -> Bool {
        self.isQuiet = look == self.last
        self.last = look
        guard self.isQuiet else {
            self.quietLooks = 0
            return false
        }
        guard let looks = self.quietLooks else { return false }
        self.quietLooks = looks + 1
        return Self.dueLooks.contains(looks + 1)
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
