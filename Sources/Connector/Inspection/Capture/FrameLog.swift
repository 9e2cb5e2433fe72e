// SPDX-License-Identifier: Apache-2.0

import DequeModule

/// The latest messages of a WebSocket, bounded by number and bytes.
package struct FrameLog: Sendable {
    /// The latest, oldest first.
    package private(set) var frames: Deque<FrameCapture> = []
    /// How many have passed.
    package private(set) var total = 0
    /// What the frames count.
    private(set) var bytes = 0
    private var isShed = false

    /// Makes an empty one.
    package init() {}

    /// Adds a message.
    ///
    /// - Returns: By how much more memory is counted; negative if older messages had to go.
    mutating func append(_ frame: FrameCapture) -> Int {
        var frame = frame
        frame.number = self.total
        self.total += 1
        guard !self.isShed else { return 0 }
        let before = self.bytes
        self.frames.append(frame)
        self.bytes += frame.bytes
        while self.frames.count > CaptureBudget.frames || self.bytes > CaptureBudget.frameBytes {
            self.dropFirst()
        }
        return self.bytes - before
    }

    /// Counts a message that is not kept.
    mutating func skip() {
        self.total += 1
    }

    /// Drops the older messages until so many bytes are free.
    ///
    /// - Returns: How many bytes that frees.
    mutating func drop(bytes: Int) -> Int {
        let before = self.bytes
        while before - self.bytes < bytes, !self.frames.isEmpty { self.dropFirst() }
        return before - self.bytes
    }

    /// Gives the memory back, and keeps no more.
    mutating func shed() {
        self.frames = []
        self.bytes = 0
        self.isShed = true
    }

    private mutating func dropFirst() {
        guard let first = self.frames.popFirst() else { return }
        self.bytes -= first.bytes
    }
}
