// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Writes lines from a thread of its own, so that whoever logs never waits for whoever reads the log.
///
/// Lines wait in a queue that is bounded in bytes. When it is full, new lines are dropped and counted until half of it
/// has been taken; then a line says how many are missing. Each line is written whole before the next one begins.
package final class LineWriter: Sendable {
    /// Makes the line that says how many are missing.
    package typealias Notice = @Sendable (_ dropped: Int) -> String

    /// What waits to be written.
    private struct Entry {
        var text: String
        /// The dropped lines that the text speaks of; `nil` for a line that somebody logged.
        var dropped: Int?
    }

    private struct State {
        var entries: [Entry] = []
        /// What waits and what is being written, in bytes.
        var bytes = 0
        var isWriting = false
        var isDropping = false
        /// Whether the last line was taken.
        var works = true
        /// Dropped lines that no line has told of.
        var untold = 0
        var dropped = 0
        var notice: Notice?
    }

    private let maximumBytes: Int
    private let put: @Sendable (String) -> Bool
    private let queue = DispatchQueue(label: "culvert.log")
    private let state = Mutex(State())

    /// Makes a writer.
    ///
    /// - Parameters:
    ///   - maximumBytes: How much may wait to be written.
    ///   - put: Writes a line, however long that takes, and returns whether it was taken; never called twice at once.
    package init(maximumBytes: Int = 1 << 20, put: @escaping @Sendable (String) -> Bool) {
        self.maximumBytes = maximumBytes
        self.put = put
    }

    /// Makes a writer to a file descriptor.
    package convenience init(descriptor: Int32, maximumBytes: Int = 1 << 20) {
        let isTorn = Mutex(false)
        self.init(maximumBytes: maximumBytes) { line in
            isTorn.withLock { isTorn in
                // The rest of a line that could not be written must not run into this one.
                let (count, length) = DescriptorOutput.write(isTorn ? "\n" + line : line, to: descriptor)
                if count == length { isTorn = false } else if count > 0 { isTorn = true }
                return count == length
            }
        }
    }

    /// How many lines were dropped.
    package var droppedLines: Int { self.state.withLock { $0.dropped } }

    /// Takes a line, with its line feed; never waits.
    ///
    /// - Parameters:
    ///   - line: The line.
    ///   - notice: Makes the line that tells of dropped ones, from now on; `nil` leaves it as it is.
    package func write(_ line: String, notice: Notice? = nil) {
        let begins = self.state.withLock { state -> Bool in
            if let notice { state.notice = notice }
            let limit = state.isDropping ? self.maximumBytes / 2 : self.maximumBytes
            // A line longer than the whole queue passes when nothing else waits.
            guard state.bytes == 0 || state.bytes + line.utf8.count <= limit else {
                state.isDropping = true
                state.untold += 1
                state.dropped += 1
                return false
            }
            state.isDropping = false
            if state.works { Self.tell(&state) }
            state.bytes += line.utf8.count
            state.entries.append(Entry(text: line))
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if begins { self.queue.async { self.drain() } }
    }

    /// Waits until everything is written, or the time is over: the reader may take nothing.
    package func flush(atMost seconds: Double) {
        let done = DispatchSemaphore(value: 0)
        self.queue.async { done.signal() }
        _ = done.wait(timeout: .now() + seconds)
    }

    private static func tell(_ state: inout State) {
        guard state.untold > 0, let text = state.notice?(state.untold) else { return }
        state.bytes += text.utf8.count
        state.entries.append(Entry(text: text, dropped: state.untold))
        state.untold = 0
    }

    private func drain() {
        while true {
            let entries = self.state.withLock { state -> [Entry] in
                if state.entries.isEmpty, state.works { Self.tell(&state) }
                state.isWriting = !state.entries.isEmpty
                defer { state.entries = [] }
                return state.entries
            }
            guard !entries.isEmpty else { return }
            for entry in entries {
                let isTaken = self.put(entry.text)
                self.state.withLock { state in
                    state.bytes -= entry.text.utf8.count
                    state.works = isTaken
                    guard !isTaken else { return }
                    state.untold += entry.dropped ?? 1
                    if entry.dropped == nil { state.dropped += 1 }
                }
            }
        }
    }
}

/// Output to file descriptors.
package enum DescriptorOutput {
    /// Writes a text in one piece, waiting for a reader who is slow, also where the descriptor does not block.
    ///
    /// - Returns: The number of bytes written and the number of all: less when nobody will take the rest.
    @discardableResult
    package static func write(_ text: String, to descriptor: Int32) -> (written: Int, of: Int) {
        var text = text
        return text.withUTF8 { self.write(UnsafeRawBufferPointer($0), to: descriptor) }
    }

    /// Writes bytes in one piece, as a text is written.
    ///
    /// - Returns: The number of bytes written and the number of all: less when nobody will take the rest.
    @discardableResult
    package static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> (written: Int, of: Int) {
        var rest = bytes
        while !rest.isEmpty {
            #if canImport(Darwin)
            let written = Darwin.write(descriptor, rest.baseAddress, rest.count)
            #elseif canImport(Glibc)
            let written = Glibc.write(descriptor, rest.baseAddress, rest.count)
            #elseif canImport(Musl)
            let written = Musl.write(descriptor, rest.baseAddress, rest.count)
            #endif
            if written > 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
            } else if written < 0, errno == EAGAIN || errno == EWOULDBLOCK {
                var room = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&room, 1, 1_000)
            } else if written == 0 || errno != EINTR {
                break
            }
        }
        return (bytes.count - rest.count, bytes.count)
    }
}
