// SPDX-License-Identifier: Apache-2.0

/// The sessions of one connection of a bundle that the edge drains, and that go on for the streams they have.
///
/// How long each of them goes on is the edge's to say. How many there may be is not: an edge that drains each session and
/// ends none would have a connector collect them.
struct LeavingSessions<Session> {
    /// The most of them.
    static var capacity: Int { 8 }

    private var sessions: [Session] = []

    /// Adds a session.
    ///
    /// - Returns: The one that has to end for it, which has been leaving for the longest time.
    mutating func add(_ session: Session) -> Session? {
        self.sessions.append(session)
        return self.sessions.count > Self.capacity ? self.sessions.removeFirst() : nil
    }
}
