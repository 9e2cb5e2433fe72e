// SPDX-License-Identifier: Apache-2.0

import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The lines that a program that serves writes to standard error and standard output.
package enum QueuedLines {
    /// Log lines, to standard error.
    package static let error: LineWriter = Self.flushedAtExit(LineWriter(descriptor: 2))
    /// What a run prints for its reader, to standard output.
    package static let output: LineWriter = Self.flushedAtExit(LineWriter(descriptor: 1))

    /// How long the end of the program waits for a reader, in seconds.
    private static let patience = 1.0

    private static let files = Mutex<[LineWriter]>([])

    /// Makes the writer of a log file, which is flushed with the others.
    package static func file(put: @escaping @Sendable (String) -> Bool) -> LineWriter {
        let writer = self.flushedAtExit(LineWriter(put: put))
        self.files.withLock { $0.append(writer) }
        return writer
    }

    /// How many lines of the log were dropped, since nobody took them or a disk was full.
    package static var droppedLines: Int {
        self.error.droppedLines + self.files.withLock { $0 }.reduce(0) { $0 + $1.droppedLines }
    }

    private static func flushedAtExit(_ writer: LineWriter) -> LineWriter {
        _ = Self.flushesAtExit
        return writer
    }

    private static let flushesAtExit: Bool = atexit { QueuedLines.flush() } == 0

    /// Waits until what was logged so far is written, a second at most.
    package static func flush() {
        for file in self.files.withLock({ $0 }) { file.flush(atMost: Self.patience) }
        Self.output.flush(atMost: Self.patience)
        Self.error.flush(atMost: Self.patience)
    }
}
