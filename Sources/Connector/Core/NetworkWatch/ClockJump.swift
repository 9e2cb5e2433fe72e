// SPDX-License-Identifier: Apache-2.0

/// What the clocks of this machine show at one moment.
struct ClockReading: Equatable, Sendable {
    /// Time since the machine started, without the time that it slept.
    var awake: Duration
    /// Time since the machine started, with the time that it slept.
    var elapsed: Duration
    /// The time of day, since 1970.
    var wall: Duration
}

/// Notices from regular readings of the clocks that time has passed in which the program could not run.
///
/// After a laptop slept, a virtual machine was paused or a process was stopped, the edge may have closed the session
/// long ago, and the network may be another one.
struct ClockJump: Sendable {
    /// How often the clocks are to be read.
    static let interval = Duration.seconds(1)
    /// A difference that no clock's drift or correction makes within the interval.
    static let threshold = Duration.seconds(3)

    private var last: ClockReading?

    /// Takes a reading; returns whether there was a jump since the last one.
    mutating func observe(_ reading: ClockReading) -> Bool {
        defer { self.last = reading }
        guard let last else { return false }
        let awake = reading.awake - last.awake
        // The machine slept.
        if reading.elapsed - last.elapsed - awake >= Self.threshold { return true }
        // The virtual machine was paused, or the clock was set, which costs one needless probe.
        if reading.wall - last.wall - awake >= Self.threshold { return true }
        // The process was stopped, or did not get the processor.
        return awake >= Self.interval + Self.threshold
    }
}
