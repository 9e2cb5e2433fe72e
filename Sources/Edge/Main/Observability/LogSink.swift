// SPDX-License-Identifier: Apache-2.0

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

    /// Standard error; one `write` a line keeps the lines of several threads apart.
    static var standardError: LogSink { LogSink(descriptor: 2) }

    /// Standard output.
    static var standardOutput: LogSink { LogSink(descriptor: 1) }

    init(isTerminal: Bool, write: @escaping @Sendable (String) -> Void) {
        self.isTerminal = isTerminal
        self.write = write
    }

    private init(descriptor: Int32) {
        self.init(isTerminal: isatty(descriptor) == 1) { line in
            var line = line
            _ = line.withUTF8 { Self.writeAll(UnsafeRawBufferPointer($0), to: descriptor) }
        }
    }

    /// Writes to a file descriptor what it takes.
    ///
    /// - Returns: The number of bytes written: less than all when nobody takes the rest, which must not stop the edge.
    static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int {
        var rest = bytes
        while !rest.isEmpty {
            #if canImport(Darwin)
            let written = Darwin.write(descriptor, rest.baseAddress, rest.count)
            #elseif canImport(Glibc)
            let written = Glibc.write(descriptor, rest.baseAddress, rest.count)
            #elseif canImport(Musl)
            let written = Musl.write(descriptor, rest.baseAddress, rest.count)
            #endif
            guard written > 0 else { break }
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
        }
        return bytes.count - rest.count
    }

    /// A sink whose lines go to a file, too.
    func also(to file: RotatingLogFile) -> LogSink {
        let write = self.write
        return LogSink(isTerminal: self.isTerminal) { line in
            write(line)
            file.write(line)
        }
    }
}
