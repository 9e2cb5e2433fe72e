// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Turns points of the monotonic clock into dates, by one comparison of both clocks: spans stay true when somebody sets
/// the clock.
package struct CaptureClock: Sendable {
    private let date: Double
    private let deadline: NIODeadline

    /// Compares the clocks.
    ///
    /// - Parameters:
    ///   - date: Milliseconds since 1970.
    ///   - deadline: The same moment.
    package init(date: Double, deadline: NIODeadline) {
        self.date = date
        self.deadline = deadline
    }

    /// The date of a moment, in milliseconds since 1970, to the microsecond.
    package func milliseconds(_ moment: NIODeadline) -> Double {
        self.date + Double((moment - self.deadline).nanoseconds / 1_000) / 1_000
    }
}

extension TimeAmount {
    /// The time in milliseconds, to the microsecond.
    package var milliseconds: Double { Double(self.nanoseconds / 1_000) / 1_000 }
}
