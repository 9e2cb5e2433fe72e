// SPDX-License-Identifier: Apache-2.0

import Program

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
@preconcurrency import Glibc
#elseif canImport(Musl)
@preconcurrency import Musl
#endif

/// Where finished lines go: a file descriptor, or, in tests, anything else.
struct LogSink: Sendable {
    /// Whether people read it.
    var isTerminal: Bool
    /// Takes a line with its line feed.
    var write: @Sendable (String) -> Void

    /// Standard error, for what a command says before it ends; waits for the reader.
    static var standardError: LogSink { LogSink(descriptor: 2) }

    /// Standard output, for what a command prints; waits for the reader.
    static var standardOutput: LogSink { LogSink(descriptor: 1) }

    /// Standard error for the log of a program that serves: nobody who logs waits for the reader.
    ///
    /// - Parameter notice: Makes the line that tells of dropped ones.
    static func log(notice: @escaping LineWriter.Notice) -> LogSink {
        LogSink(isTerminal: isatty(2) == 1) { QueuedLines.error.write($0, notice: notice) }
    }

    init(isTerminal: Bool, write: @escaping @Sendable (String) -> Void) {
        self.isTerminal = isTerminal
        self.write = write
    }

    private init(descriptor: Int32) {
        self.init(isTerminal: isatty(descriptor) == 1) { line in
            QueuedLines.flush()
            DescriptorOutput.write(line, to: descriptor)
        }
    }

    /// A sink whose lines go to a file, too; a disk that is slow holds up nobody who logs.
    ///
    /// - Parameters:
    ///   - file: The file.
    ///   - notice: Makes the line that tells of dropped ones.
    func also(to file: RotatingLogFile, notice: @escaping LineWriter.Notice) -> LogSink {
        let write = self.write
        let file = QueuedLines.file { file.write($0) }
        return LogSink(isTerminal: self.isTerminal) { line in
            write(line)
            file.write(line, notice: notice)
        }
    }
}
