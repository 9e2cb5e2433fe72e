// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Gathers the lines of a head from pieces of any size, and keeps no more of a line than it may.
struct LineReader {
    /// Whether a line was longer than what is kept of it.
    private(set) var isWhole = true
    private var kept: [UInt8] = []
    private var isReturned = false
    /// How many bytes were read since ``reset()``.
    private(set) var byteCount = 0

    /// How much of a line is kept.
    static let longestLine = 8_192

    /// The line, or its beginning, without its end; valid after ``read(_:)`` returned true.
    var line: ArraySlice<UInt8> {
        self.kept.last == UInt8(ascii: "\r") && self.isWhole ? self.kept.dropLast() : self.kept[...]
    }

    /// Takes bytes up to the end of a line.
    ///
    /// - Returns: Whether a line is complete.
    mutating func read(_ buffer: inout ByteBuffer) -> Bool {
        if self.isReturned {
            self.kept.removeAll(keepingCapacity: self.kept.count <= 1_024)
            self.isWhole = true
            self.isReturned = false
        }
        let view = buffer.readableBytesView
        let end = view.firstIndex(of: UInt8(ascii: "\n"))
        let piece = view[..<(end ?? view.endIndex)]
        let room = Self.longestLine - self.kept.count
        if piece.count > room { self.isWhole = false }
        self.kept.append(contentsOf: piece.prefix(room))
        let count = piece.count + (end == nil ? 0 : 1)
        buffer.moveReaderIndex(forwardBy: count)
        self.byteCount += count
        self.isReturned = end != nil
        return self.isReturned
    }

    /// Counts from zero again.
    mutating func reset() {
        self.byteCount = 0
    }
}
