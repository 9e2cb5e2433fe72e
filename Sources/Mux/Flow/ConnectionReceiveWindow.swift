// SPDX-License-Identifier: Apache-2.0
import Protocol

/// Credit for all streams of a session together (docs/protocol.md §B.7.2).
///
/// In normal operation it is given back as soon as bytes arrive, so it only caps what is in the pipe and no stream can
/// hold up another; when memory is short it is given back when bytes are consumed.
struct ConnectionReceiveWindow: Hashable {
    /// The greatest offset granted to the peer.
    private(set) var granted: UInt64
    /// How many DATA bytes came.
    private(set) var received: UInt64 = 0
    /// How many of them have been given back as credit.
    private(set) var released: UInt64 = 0
    /// How far credit reaches beyond what is released, in bytes.
    private(set) var window: Int

    /// The window never grows beyond this, in bytes.
    static let maximum = 64 << 20

    init(window: Int) {
        self.window = window
        self.granted = UInt64(window)
    }

    /// Takes bytes in.
    ///
    /// - Throws: FLOW_CONTROL_ERROR for bytes beyond what was granted.
    mutating func receive(_ count: Int) throws(ProtocolViolation) {
        guard UInt64(count) <= self.granted - self.received else {
            throw ProtocolViolation(
                .flowControlError,
                "session: \(self.received + UInt64(count)) bytes with \(self.granted) granted"
            )
        }
        self.received += UInt64(count)
    }

    mutating func release(_ count: Int) {
        precondition(self.released + UInt64(count) <= self.received, "released more than was received")
        self.released += UInt64(count)
    }

    /// Whether an update is worth its frame: small steps, so that a sender held up by the window sends evenly.
    var isGrantDue: Bool {
        self.released + UInt64(self.window) >= self.granted + UInt64(self.window / 16)
    }

    /// The offset to put into WINDOW_UPDATE: never lower than one granted before.
    mutating func grant() -> UInt64 {
        self.granted = max(self.granted, min(self.released + UInt64(self.window), WireFormat.maximumOffset))
        return self.granted
    }

    /// Changes the window, up to its maximum; credit that was granted stays.
    mutating func resize(to window: Int) {
        self.window = min(window, max(self.window, Self.maximum))
    }
}
