// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

/// The credit that all streams of a session share, both ways, and the frames about it that are due
/// (docs/protocol.md §B.7.2, §B.15).
///
/// Decides alone: it knows neither streams nor the connection, and whoever owns it sends what is due.
struct ConnectionCredit {
    /// How far this side may send.
    private(set) var send = SendWindow(limit: 0)
    /// How far the peer may send.
    private(set) var receive: ConnectionReceiveWindow
    /// Credit that is not given back while memory is short, in bytes.
    private(set) var withheld = 0
    /// Whether a WINDOW_UPDATE of the session is due.
    private(set) var isUpdateDue = false
    /// Whether a BLOCKED of the session is due.
    private(set) var isBlockedDue = false

    private var path = PathWindow()
    private var lastGrowth: NIODeadline?
    /// The limit at which the peer has been told that this side waits for credit.
    private var reportedLimit: UInt64?
    /// When the clock last found this side waiting for credit.
    private var waitingSeen: NIODeadline?

    /// How often BLOCKED is repeated while no credit comes.
    private static let repetition = TimeAmount.seconds(10)

    /// - Parameter window: How far the peer may send at first, in bytes.
    init(window: Int) {
        self.receive = ConnectionReceiveWindow(window: window)
    }

    // MARK: Sending

    /// The peer's HELLO grants the first credit.
    mutating func start(granted: UInt64) {
        self.send = SendWindow(limit: granted)
    }

    mutating func sent(_ count: Int) {
        self.send.send(count)
    }

    /// Takes an offset that the peer grants; `false` if it raises nothing.
    ///
    /// - Throws: FLOW_CONTROL_ERROR for a grant that no receiver has room for.
    mutating func raise(to offset: UInt64) throws(ProtocolViolation) -> Bool {
        try self.send.raise(to: offset)
    }

    /// DATA waits for credit: BLOCKED becomes due once for each limit.
    mutating func blocked() {
        guard self.reportedLimit != self.send.limit else { return }
        self.reportedLimit = self.send.limit
        self.isBlockedDue = true
    }

    /// Looks at the clock: BLOCKED becomes due again every ten seconds without credit.
    ///
    /// - Parameters:
    ///   - hasOutput: Whether a stream has something to send.
    ///   - now: The time.
    /// - Returns: Whether the clock is to be looked at again.
    mutating func tick(hasOutput: Bool, now: NIODeadline) -> Bool {
        guard self.send.credit == 0, hasOutput else {
            self.waitingSeen = nil
            return false
        }
        if let waitingSeen {
            guard now - waitingSeen >= Self.repetition else { return true }
            self.isBlockedDue = true
        }
        self.waitingSeen = now
        return true
    }

    // MARK: Receiving

    /// Takes DATA in.
    ///
    /// - Throws: FLOW_CONTROL_ERROR for bytes beyond what was granted.
    mutating func received(_ count: Int) throws(ProtocolViolation) {
        try self.receive.receive(count)
    }

    /// Gives credit back; an update becomes due when enough has come together.
    mutating func release(_ count: Int) {
        self.receive.release(count)
        self.noteGrant()
    }

    /// Keeps credit back until ``releaseWithheld()``.
    mutating func withhold(_ count: Int) {
        self.withheld += count
    }

    mutating func releaseWithheld() {
        let count = self.withheld
        self.withheld = 0
        self.release(count)
    }

    /// A PING shows how long the path is now: the window may have to follow.
    mutating func measured(_ roundTrip: TimeAmount, now: NIODeadline) {
        let window = self.path.measured(
            roundTrip,
            received: self.receive.received,
            window: self.receive.window,
            now: now
        )
        guard let window else { return }
        self.resize(to: window)
    }

    /// - Throws: FLOW_CONTROL_ERROR for a BLOCKED of the session beyond what was granted.
    func checkBlocked(at offset: UInt64) throws(ProtocolViolation) {
        guard offset <= self.receive.granted else {
            throw ProtocolViolation(
                .flowControlError,
                "session: BLOCKED at \(offset) with \(self.receive.granted) granted"
            )
        }
    }

    /// The peer would send more, had it more credit: the window grows, once a round trip.
    ///
    /// - Parameters:
    ///   - roundTrip: The least round trip of late.
    ///   - now: The time.
    /// - Returns: Whether the path must be measured first.
    mutating func peerBlocked(roundTrip: TimeAmount, now: NIODeadline) -> Bool {
        if self.path.isFound {
            guard let window = self.path.blocked(window: self.receive.window, now: now) else { return true }
            self.resize(to: window)
        } else {
            if let lastGrowth, now - lastGrowth < roundTrip { return false }
            self.lastGrowth = now
            self.resize(to: 2 * self.receive.window)
        }
        return false
    }

    private mutating func resize(to window: Int) {
        self.receive.resize(to: window)
        self.noteGrant()
    }

    private mutating func noteGrant() {
        if self.receive.isGrantDue { self.isUpdateDue = true }
    }

    /// The session goes on over another path, of which nothing is known.
    mutating func pathChanged() {
        self.path = PathWindow()
    }

    // MARK: Frames that are due

    /// The offset of the WINDOW_UPDATE that is due, if one is.
    mutating func takeUpdate() -> UInt64? {
        guard self.isUpdateDue else { return nil }
        self.isUpdateDue = false
        return self.receive.grant()
    }

    /// The offset of the BLOCKED that is due, if one is.
    mutating func takeBlocked() -> UInt64? {
        guard self.isBlockedDue else { return nil }
        self.isBlockedDue = false
        return self.send.limit
    }
}
