// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension ClockReading {
    private static let awakeSince = SuspendingClock.now
    private static let elapsedSince = ContinuousClock.now

    /// The clocks as they are; the first two since some moment in the life of the process.
    static var now: ClockReading {
        ClockReading(
            awake: SuspendingClock.now - self.awakeSince,
            elapsed: ContinuousClock.now - self.elapsedSince,
            wall: .seconds(Date().timeIntervalSince1970)
        )
    }
}
