// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Whose sessions lead to one origin: decides for all of them together whether connections to it are kept.
///
/// Every member may be used from any thread.
package protocol OriginSharing: AnyObject, Sendable {
    /// Whether a connection to the origin may be kept for the next request.
    func keepsIdleConnections(now: NIODeadline) -> Bool

    /// Gives up the idle connections of all sessions, if a new one has waited long for the origin's first byte.
    ///
    /// - Parameter since: Since when the connection has been waiting.
    func giveUpIdleConnections(since: NIODeadline, now: NIODeadline)

    /// A new connection to the origin got its first byte.
    ///
    /// - Parameter since: When it was opened.
    func originAnswered(since: NIODeadline, now: NIODeadline)
}

/// What shows that an origin serves one connection at a time, so that an idle one which the edge keeps makes the next
/// wait: Python's `HTTPServer`, many small devices.
///
/// A new connection that is not answered for a while gets its way: the idle ones are given up. An origin that answers
/// the moment after, twice in a row, is taken to be of that kind, and for a time none of its connections are kept.
/// A value without clock; ``Tunnel`` owns one behind a lock.
struct OriginTurns {
    /// How long a new connection waits for its first byte before the idle ones are given up.
    static let patience = TimeAmount.milliseconds(200)
    /// How soon an answer that had only waited for that comes.
    static let promptness = TimeAmount.milliseconds(100)
    /// How long connections are not kept once it is known.
    static let memory = TimeAmount.minutes(5)
    private static let occurrences = 2

    private var gaveUpAt: NIODeadline?
    private var count = 0
    /// Until when no connection is kept for the next request, once the origin is known to be of that kind.
    private(set) var keepsNoneUntil: NIODeadline?

    /// Whether idle connections are to be given up for one that has waited since then; each has its way once.
    func isDue(since: NIODeadline, now: NIODeadline) -> Bool {
        now - since >= Self.patience && (self.gaveUpAt.map { $0 <= since } ?? true)
    }

    /// An idle connection was given up.
    mutating func gaveUp(now: NIODeadline) {
        self.gaveUpAt = now
    }

    /// A new connection got its first byte.
    ///
    /// - Parameter since: When it was opened.
    mutating func answered(since: NIODeadline, now: NIODeadline) {
        guard let gaveUpAt = self.gaveUpAt, gaveUpAt > since else { return }
        self.count = now - gaveUpAt <= Self.promptness ? self.count + 1 : 0
        if self.count >= Self.occurrences {
            self.keepsNoneUntil = now + Self.memory
            self.count = 0
        }
    }
}
