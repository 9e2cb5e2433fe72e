// SPDX-License-Identifier: Apache-2.0

/// Turns a burst of events into few actions: the first at once, and then one an interval at most.
///
/// What happens within the interval is acted on at its end: the last event of a burst, such as the address that a
/// network gives out at last, is the one that matters most.
struct ProbePace: Sendable {
    /// What follows from an event.
    enum Action: Equatable, Sendable {
        /// Act at once.
        case act
        /// Act after this time; no further event needs to be told of until then.
        case wait(Duration)
        /// There is a time set already.
        case none
    }

    /// The least time between two actions.
    let interval: Duration
    private var last: ContinuousClock.Instant?
    private var isWaiting = false

    init(interval: Duration = .seconds(1)) {
        self.interval = interval
    }

    /// Something happened.
    mutating func event(at now: ContinuousClock.Instant) -> Action {
        if self.isWaiting { return .none }
        if let last, now - last < self.interval {
            self.isWaiting = true
            return .wait(self.interval - (now - last))
        }
        self.last = now
        return .act
    }

    /// The time that was waited for has come.
    mutating func waited(at now: ContinuousClock.Instant) {
        self.isWaiting = false
        self.last = now
    }
}
