// SPDX-License-Identifier: Apache-2.0
import Protocol

/// The memory that the windows of one session may pin, exactly (docs/protocol.md §B.7.3).
struct WindowBudget: Hashable {
    /// What all windows together may pin, in bytes.
    private(set) var total: Int
    /// What is set aside for the credit that every stream of the peer has from the start, in bytes.
    let reserved: Int
    /// What the windows beyond that pin now: granted and not consumed, over all live streams.
    private(set) var committed = 0

    /// No stream begins with less credit, in bytes.
    static let smallestWindow = 16_384

    init(total: Int, reserved: Int) {
        self.total = total
        self.reserved = reserved
    }

    /// Lets windows pin more.
    ///
    /// - Parameter total: What all windows together may pin, in bytes; less than before is ignored.
    mutating func raise(to total: Int) {
        self.total = max(self.total, total)
    }

    mutating func change(by bytes: Int) {
        self.committed += bytes
        assert(self.committed >= 0, "the session's windows pin less than nothing")
    }

    /// The credit to grant with OPEN, in bytes: less, the more is pinned already; `nil` if nothing is left.
    func initialWindow(level: MemoryLevel) -> Int? {
        let free = self.total - self.reserved - self.committed
        guard free >= Self.smallestWindow else { return nil }
        guard level == .normal else { return Self.smallestWindow }
        if free >= (self.total - self.reserved) / 2 { return min(free, 262_144) }
        if free >= (self.total - self.reserved) / 4 { return min(free, 65_536) }
        return Self.smallestWindow
    }

    /// The greatest window that a stream of window `current` may grow to, in bytes.
    func growthLimit(current: Int, level: MemoryLevel) -> Int {
        guard level == .normal else { return current }
        let headroom = (self.total - self.reserved) / 4 * 3 - self.committed
        return min(current + max(headroom, 0), self.total / 4)
    }
}

/// How short of memory the process is (docs/protocol.md §B.7.2).
public enum MemoryLevel: Int, Comparable, Sendable {
    /// Less than half of the budget is taken.
    case normal
    /// Half to four fifths.
    case pressure
    /// More than four fifths.
    case critical

    /// By number.
    public static func < (left: MemoryLevel, right: MemoryLevel) -> Bool { left.rawValue < right.rawValue }
}
