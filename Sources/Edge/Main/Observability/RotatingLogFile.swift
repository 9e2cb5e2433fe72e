// SPDX-License-Identifier: Apache-2.0

import Program
import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
@preconcurrency import Glibc
#elseif canImport(Musl)
@preconcurrency import Musl
#endif

/// A log file for machines without a collector, bounded by size and number: `edge.log`, `edge.log.1`, … the oldest last.
final class RotatingLogFile: Sendable {
    private struct State {
        var descriptor: Int32
        var size: Int
    }

    private let path: String
    private let maxSize: Int
    private let keptFiles: Int
    private let state: Mutex<State>

    /// Opens the file, to go on at its end.
    ///
    /// - Parameters:
    ///   - path: Where it is.
    ///   - maxSize: The size in bytes that it does not exceed, unless a single line does.
    ///   - keptFiles: How many full files are kept beside it.
    /// - Throws: ``CredentialFiles/Failure`` for a file that can't be written.
    init(path: String, maxSize: Int, keptFiles: Int) throws {
        self.path = path
        self.maxSize = maxSize
        self.keptFiles = keptFiles
        let descriptor = Self.open(path)
        guard descriptor >= 0 else {
            throw CredentialFiles.Failure(path: path, message: "the log file can't be written (log.file)")
        }
        self.state = Mutex(State(descriptor: descriptor, size: Self.size(of: descriptor)))
    }

    deinit {
        _ = close(self.state.withLock { $0.descriptor })
    }

    /// Appends a line, in a new file when the present one is full.
    ///
    /// - Returns: Whether it is in the file whole.
    @discardableResult
    func write(_ line: String) -> Bool {
        self.state.withLock { state in
            if state.size > 0, state.size + line.utf8.count > self.maxSize { self.rotate(&state) }
            // It could not be opened when the last one was full: the disk or the descriptors may have been.
            if state.descriptor < 0 { self.open(&state) }
            guard state.descriptor >= 0 else { return false }
            let (written, length) = DescriptorOutput.write(line, to: state.descriptor)
            state.size += written
            return written == length
        }
    }

    private func rotate(_ state: inout State) {
        _ = close(state.descriptor)
        for number in stride(from: self.keptFiles, through: 1, by: -1) {
            let source = number == 1 ? self.path : "\(self.path).\(number - 1)"
            _ = rename(source, "\(self.path).\(number)")
        }
        self.open(&state)
    }

    private func open(_ state: inout State) {
        state.descriptor = Self.open(self.path)
        state.size = state.descriptor < 0 ? 0 : Self.size(of: state.descriptor)
    }

    /// Nobody but the owner and the group reads the addresses of visitors.
    private static func open(_ path: String) -> Int32 {
        #if canImport(Darwin)
        Darwin.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        #elseif canImport(Glibc)
        Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        #elseif canImport(Musl)
        Musl.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        #endif
    }

    private static func size(of descriptor: Int32) -> Int {
        max(0, Int(lseek(descriptor, 0, SEEK_END)))
    }
}
