// SPDX-License-Identifier: Apache-2.0
import Protocol

/// How many streams the peer may open: a cumulative count that is raised as streams are cleaned up
/// (docs/protocol.md §B.5, §B.6.4).
struct StreamAllowance: Hashable {
    /// How many streams may be open at once.
    let concurrency: UInt32
    /// The count that the peer knows.
    private(set) var announced: UInt32
    /// The count that it may be told.
    private(set) var granted: UInt32
    /// How many streams it has opened.
    private(set) var opened: UInt32 = 0
    /// How many of these this side ignores, as its final GOAWAY did not accept them; they never come back.
    private(set) var ignored: UInt32 = 0

    init(concurrency: UInt32) {
        self.concurrency = concurrency
        self.announced = concurrency
        self.granted = concurrency
    }

    /// The number that the next OPEN of the peer must have, by its ordinal.
    var nextOrdinal: UInt32 { self.opened + 1 }

    /// - Throws: STREAM_LIMIT_ERROR for a stream beyond the count that the peer knows.
    mutating func open() throws(ProtocolViolation) {
        guard self.opened < self.announced else {
            throw ProtocolViolation(exceeding: .streams, "OPEN with \(self.announced) streams granted")
        }
        self.opened += 1
    }

    /// The stream that the peer opened last is ignored.
    mutating func ignoreLatest() {
        self.ignored += 1
    }

    /// A stream of the peer has gone with everything that belonged to it.
    mutating func giveBack() {
        if self.granted < UInt32.max { self.granted += 1 }
    }

    /// Whether a new count is worth its frame: an eighth has come back, or it has less than a quarter left.
    var isAnnouncementDue: Bool {
        guard self.granted > self.announced else { return false }
        let unused = self.announced - self.opened
        return self.granted - self.announced >= max(1, self.concurrency / 8) || unused < max(1, self.concurrency / 4)
    }

    /// The count to put into MAX_STREAMS.
    mutating func announce() -> UInt32 {
        self.announced = self.granted
        return self.announced
    }
}
