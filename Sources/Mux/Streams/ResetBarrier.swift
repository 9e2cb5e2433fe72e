// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

/// Says when a stream that this side reset can be forgotten (docs/protocol.md §B.6.4).
///
/// A PING sent behind the resets is answered after the peer has handled them, and the peer sends nothing on those
/// streams after that: so no timer is needed but the one that ends a session whose peer never answers.
struct ResetBarrier {
    private var next: [StreamID] = []
    /// When the first of those was reset.
    private var nextSince: NIODeadline?
    private var current: [StreamID] = []
    private var outstanding: (ping: UInt64, since: NIODeadline)?

    /// Since when the oldest of the streams has waited to be forgotten, if any has: for the answer to its PING, or for
    /// the PING, which a peer that answers none holds up.
    var waitingSince: NIODeadline? { self.outstanding?.since ?? self.nextSince }

    /// Whether a PING is to be sent behind what has been serialised.
    var isPingWanted: Bool { self.outstanding == nil && !self.next.isEmpty }

    /// RESET or REJECT for the stream has been serialised.
    mutating func add(_ stream: StreamID, now: NIODeadline) {
        if self.next.isEmpty { self.nextSince = now }
        self.next.append(stream)
    }

    mutating func pingSent(_ number: UInt64, now: NIODeadline) {
        self.outstanding = (number, now)
        self.nextSince = nil
        swap(&self.current, &self.next)
        self.next.removeAll(keepingCapacity: true)
    }

    /// The session goes on after a while without a connection: the wait for the PING's answer begins anew.
    mutating func resumed(now: NIODeadline) {
        if !self.next.isEmpty { self.nextSince = now }
        if let ping = self.outstanding?.ping { self.outstanding = (ping, now) }
    }

    /// The streams that can be forgotten now that this PING has been answered.
    mutating func receivedPong(_ number: UInt64) -> [StreamID] {
        guard self.outstanding?.ping == number else { return [] }
        self.outstanding = nil
        defer { self.current.removeAll(keepingCapacity: true) }
        return self.current
    }
}
