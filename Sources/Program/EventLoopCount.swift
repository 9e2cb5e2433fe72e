// SPDX-License-Identifier: Apache-2.0

/// How many event loops, and so threads, a program takes by itself.
package enum EventLoopCount {
    /// One loop for two processors, and at least one.
    ///
    /// Two loops share less than one does: bytes cross between threads that have to be woken, and what arrives at once is
    /// written in two messages. One loop fills about one processor, and what it talks to, on the same machine or in the
    /// kernel, wants others. `docs/performance.md` has the figures.
    ///
    /// - Parameter processors: How many the program may use.
    package static func byDefault(processors: Int) -> Int { max(1, processors / 2) }
}
