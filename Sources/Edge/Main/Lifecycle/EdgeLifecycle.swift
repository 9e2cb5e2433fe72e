// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// From the edge's first moment to its last: when it takes work, how it leaves, and when the program may exit.
///
/// | phase \ event  | listening | signalled      | time is up         | visitors gone  | sessions gone |
/// |----------------|-----------|----------------|--------------------|----------------|---------------|
/// | starting       | ready     | stopped        |                    |                |               |
/// | ready          |           | leaving        |                    |                |               |
/// | leaving        |           |                | last requests      |                |               |
/// | last requests  |           |                | stopped, cutting off | last words   |               |
/// | last words     |           |                | stopped            |                | stopped       |
/// | stopped        |           |                |                    |                |               |
///
/// An empty place is an event that changes nothing. A value without clocks or channels; ``EdgeServer`` performs the
/// actions.
struct EdgeLifecycle: Sendable {
    /// How far the edge is in its life.
    enum Phase: Equatable, Sendable {
        /// Not everything listens yet.
        case starting
        case ready
        /// Nobody is to send visitors here any more, but whoever comes is served (`shutdown.delay`).
        case leaving(until: NIODeadline)
        /// What is under way may end (`shutdown.grace`).
        case lastRequests(until: NIODeadline)
        /// Every visitor has its answer; connections end in good order.
        case lastWords(until: NIODeadline)
        case stopped
    }

    /// What happens to the edge.
    enum Event: CaseIterable, Sendable {
        /// Everything listens.
        case listening
        /// The program was asked to stop.
        case signalled
        /// The time may have come that ``EdgeLifecycle/deadline`` names.
        case timePassed
        /// No visitor's connection has anything to send any more.
        case visitorsGone
        /// No connector's session is left.
        case sessionsGone
    }

    /// What the edge has to do.
    enum Action: Equatable, Sendable {
        /// Say that work is taken.
        case becomeReady
        /// Say that no work is taken, and let no connectors in: a request that waits for one has waited enough.
        case becomeUnready
        /// Say in every answer that it is its connection's last.
        case keepAliveOff
        /// Send connectors elsewhere.
        ///
        /// - Parameters:
        ///   - gracePeriod: How long their streams may still run.
        ///   - lingering: How long their sessions take new streams, as part of it.
        case drainSessions(gracePeriod: TimeAmount, lingering: TimeAmount)
        /// Take no more connections.
        case closeListener
        /// Close the connections that wait for their next request.
        case closeIdleVisitors
        /// Tell when no connector's session is left.
        case awaitSessions
        /// Exit.
        ///
        /// - Parameter isCutOff: Whether requests are under way.
        case stop(isCutOff: Bool)
    }

    /// How long connections may take to end in good order once the last exchange is over: connectors hear that their
    /// sessions are over, and visitors take the last bytes before the end of the program could reset their connections.
    static let farewell = TimeAmount.milliseconds(100)

    private let delay: TimeAmount
    private let grace: TimeAmount
    private(set) var phase = Phase.starting

    /// Makes the life of an edge that has not begun to listen.
    ///
    /// - Parameters:
    ///   - delay: `shutdown.delay`.
    ///   - grace: `shutdown.grace`.
    init(delay: TimeAmount, grace: TimeAmount) {
        self.delay = delay
        self.grace = grace
    }

    /// When ``Event/timePassed`` has to be told; `nil` while time changes nothing.
    var deadline: NIODeadline? {
        switch self.phase {
        case .leaving(let until), .lastRequests(let until), .lastWords(let until): until
        case .starting, .ready, .stopped: nil
        }
    }

    /// Something has happened.
    ///
    /// - Returns: What to do now, in this order.
    mutating func handle(_ event: Event, now: NIODeadline) -> [Action] {
        switch (self.phase, event) {
        case (.starting, .listening):
            self.phase = .ready
            return [.becomeReady]
        case (.starting, .signalled):
            self.phase = .stopped
            return [.stop(isCutOff: false)]
        case (.ready, .signalled):
            self.phase = .leaving(until: now + self.delay)
            return [
                .becomeUnready, .keepAliveOff,
                .drainSessions(gracePeriod: self.delay + self.grace, lingering: self.delay),
            ]
        case (.leaving(let until), .timePassed) where now >= until:
            self.phase = .lastRequests(until: until + self.grace)
            return [.closeListener, .closeIdleVisitors]
        case (.lastRequests(let until), .timePassed) where now >= until:
            self.phase = .stopped
            return [.stop(isCutOff: true)]
        case (.lastRequests, .visitorsGone):
            self.phase = .lastWords(until: now + Self.farewell)
            return [.awaitSessions]
        case (.lastWords(let until), .timePassed) where now >= until:
            self.phase = .stopped
            return [.stop(isCutOff: false)]
        case (.lastWords, .sessionsGone):
            self.phase = .stopped
            return [.stop(isCutOff: false)]
        default:
            return []
        }
    }
}
