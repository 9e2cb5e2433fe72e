// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// What signals that ask a program to leave make it do.
///
/// The first one drains and then ends the run, a second one ends it at once.
struct LeaveRule {
    /// What follows a signal.
    enum Action: Equatable {
        case drain
        case endAtOnce
        case nothing
    }

    /// One that comes so soon after the first is the same: `timeout` sends its signal to the program, and then to the
    /// group that the program is in.
    static let sameSignal = TimeAmount.milliseconds(100)

    private var first: NIODeadline?

    /// A signal has come.
    ///
    /// - Parameters:
    ///   - isHangUp: Whether the terminal was closed: the shell and the system each say so, and neither asks to end at once.
    ///   - now: The time.
    mutating func take(isHangUp: Bool, now: NIODeadline) -> Action {
        guard let first else {
            self.first = now
            return .drain
        }
        return isHangUp || now - first < Self.sameSignal ? .nothing : .endAtOnce
    }
}
