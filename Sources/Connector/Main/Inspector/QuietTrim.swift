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

    /// Takes a look.
    ///
    /// - Returns: Whether memory is to be given back: something has passed since that was done, and nothing since the last
    ///   look.
    mutating func isDue(_ look: Look) -> Bool {
        let isQuiet = look == self.last
        self.last = look
        guard isQuiet, look != self.trimmed else { return false }
        self.trimmed = look
        return true
    }

    /// Looks at a ring until the task is cancelled.
    static func run(_ ring: CaptureRing) async {
        var trim = QuietTrim()
        while (try? await Task.sleep(for: self.interval)) != nil {
            if trim.isDue(Look(used: ring.usedBytes, total: ring.counts.total)) { self.giveBack() }
        }
    }

    private static func giveBack() {
        ProgramMemory.release()
        #if canImport(Glibc)
        // Swift's module of glibc lacks malloc.h; by name the function is found where there is one.
        guard let function = dlsym(nil, "malloc_trim") else { return }
        _ = unsafeBitCast(function, to: (@convention(c) (Int) -> Int32).self)(0)
        #endif
    }
}
