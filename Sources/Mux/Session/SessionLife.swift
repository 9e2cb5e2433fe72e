// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

/// How far a session is in its life, with all that is known of its end (docs/protocol.md §B.9.5, §B.13).
///
/// | event                    | helloWait | active   | draining                | closing | closed  |
/// |--------------------------|-----------|----------|-------------------------|---------|---------|
/// | the peer's HELLO         | active    |          |                         |         |         |
/// | this side starts a drain |           | draining | its drain is kept       |         |         |
/// | the peer announces       |           | draining | the peer's leave is kept |        |         |
/// | the peer's final GOAWAY  |           | draining | the peer's leave is kept |        |         |
/// | the session is over      | closing   | closing  | closing                 |         |         |
/// | the connection is gone   | closed    | closed   | closed                  | closed  |         |
enum SessionLife: Hashable {
    /// The peer's HELLO has not come.
    case helloWait
    /// Both sides may open streams.
    case active
    /// One side or both have announced that they leave.
    case draining(Departures)
    /// Every stream has ended; at most a GOAWAY is left to send.
    case closing(SessionEnd)
    /// The connection is gone.
    case closed(SessionEnd)

    /// What either side has said of its leaving; at least one of them has.
    struct Departures: Hashable {
        var own: SessionDrain?
        var peer: PeerDeparture?
    }

    /// What the peer has said of its leaving.
    enum PeerDeparture: Hashable {
        /// It drains and accepts no more streams.
        case announced
        /// Its final GOAWAY came, with this code.
        case left(ErrorCode)
    }

    // MARK: What is known

    var phase: SessionPhase {
        switch self {
        case .helloWait: .helloWait
        case .active: .active
        case .draining: .draining
        case .closing: .closing
        case .closed: .closed
        }
    }

    /// Whether streams exist: from the peer's HELLO to the end.
    var isRunning: Bool {
        switch self {
        case .active, .draining: true
        case .helloWait, .closing, .closed: false
        }
    }

    /// Why the session ended, once it has.
    var end: SessionEnd? {
        switch self {
        case .closing(let end), .closed(let end): end
        case .helloWait, .active, .draining: nil
        }
    }

    /// This side's drain, while it runs.
    var drain: SessionDrain? {
        guard case .draining(let departures) = self else { return nil }
        return departures.own
    }

    /// Whether the peer has said that it accepts no more streams.
    var isPeerLeaving: Bool {
        guard case .draining(let departures) = self else { return false }
        return departures.peer != nil
    }

    /// Whether the peer's final GOAWAY has come.
    var hasPeerLeft: Bool {
        guard case .draining(let departures) = self, case .left = departures.peer else { return false }
        return true
    }

    /// How the session ends when the connection is lost now: as the peer's final GOAWAY said, else with SESSION_LOST.
    var codeOfLoss: ErrorCode {
        guard case .draining(let departures) = self, case .left(let code) = departures.peer else { return .sessionLost }
        return code
    }

    // MARK: Events

    mutating func receivedHello() {
        guard self == .helloWait else { return }
        self = .active
    }

    /// This side starts its drain; one that runs already may only end earlier.
    ///
    /// - Returns: Whether it is to be announced.
    mutating func startDrain(_ drain: SessionDrain) -> Bool {
        guard self.isRunning else { return false }
        var departures = self.departures
        if let running = departures.own {
            departures.own?.deadline = min(running.deadline, drain.deadline)
            self = .draining(departures)
            return false
        }
        departures.own = drain
        self = .draining(departures)
        return true
    }

    /// Takes a step of this side's drain, if it drains.
    mutating func advanceDrain<Result>(_ step: (inout SessionDrain) -> Result) -> Result? {
        guard case .draining(var departures) = self, var drain = departures.own else { return nil }
        let result = step(&drain)
        departures.own = drain
        self = .draining(departures)
        return result
    }

    /// The peer announces that it leaves.
    ///
    /// - Returns: Whether that is news.
    mutating func peerAnnounced() -> Bool {
        guard self.isRunning, !self.isPeerLeaving else { return false }
        var departures = self.departures
        departures.peer = .announced
        self = .draining(departures)
        return true
    }

    /// The peer's final GOAWAY came, in good order.
    mutating func peerLeft(_ code: ErrorCode) {
        guard self.isRunning else { return }
        var departures = self.departures
        departures.peer = .left(code)
        self = .draining(departures)
    }

    /// The session is over.
    ///
    /// - Returns: Whether it was not before.
    mutating func ended(_ end: SessionEnd) -> Bool {
        guard self.end == nil else { return false }
        self = .closing(end)
        return true
    }

    /// The connection is gone; the session has ended before.
    mutating func connectionLost() {
        guard case .closing(let end) = self else { return }
        self = .closed(end)
    }

    private var departures: Departures {
        guard case .draining(let departures) = self else { return Departures() }
        return departures
    }
}
