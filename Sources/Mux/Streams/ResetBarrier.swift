// SPDX-License-Identifier: Apache-2.0
import Protocol

/// Says when a stream that this side reset can be forgotten (docs/protocol.md §B.6.4).
///
/// A PING sent behind the resets is answered after the peer has handled them, and the peer sends nothing on those
/// streams after that: so no timer is needed.
struct ResetBarrier {
    private var next: [StreamID] = []
    private var current: [StreamID] = []
    private var outstanding: UInt64?

    /// Whether a PING is to be sent behind what has been serialised.
    var isPingWanted: Bool { self.outstanding == nil && !self.next.isEmpty }

    /// RESET or REJECT for the stream has been serialised.
    mutating func add(_ stream: StreamID) {
        self.next.append(stream)
    }

    mutating func pingSent(_ number: UInt64) {
        self.outstanding = number
        swap(&self.current, &self.next)
        self.next.removeAll(keepingCapacity: true)
    }

    /// The streams that can be forgotten now that this PING has been answered.
    mutating func receivedPong(_ number: UInt64) -> [StreamID] {
        guard self.outstanding == number else { return [] }
        self.outstanding = nil
        defer { self.current.removeAll(keepingCapacity: true) }
        return self.current
    }
}
