// SPDX-License-Identifier: Apache-2.0

/// Limits the rate of probes: the first event of a burst is acted on at once, those that follow once an interval at
/// most.
///
/// Events within the interval are acted on at its end: the last of a burst, such as the address that a network assigns,
/// is the one that matters most.
struct ProbePace: Sendable {
    /// What follows from an event.
    enum Action: Equatable, Sendable {
        /// Act at once.
        case act
        /// Act after this time; further events until then have no effect.
        case wait(Duration)
        /// A time is set already.
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
