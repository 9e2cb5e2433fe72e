// SPDX-License-Identifier: Apache-2.0

/// How much one step of a sweep does, and how long a sweep rests after it.
///
/// Whoever sends a webhook waits for the step that is under way. So a step that took long is followed by a smaller one, and
/// half of the time is left to others.
struct SweepPace: Equatable, Sendable {
    /// How long a step should take.
    static let aim = Duration.milliseconds(5)
    /// The longest rest: a disk that stands still for a while is not to stop a sweep for as long again.
    static let longestRest = Duration.milliseconds(100)

    private static let sizes = 0...4
    private var size = 1

    /// The most messages that the next step deletes.
    var messages: Int { 8 << self.size }
    /// The most of their bytes, but for a message that is larger.
    var bytes: Int { 65_536 << self.size }
    /// The most pages that the next step gives back.
    var pages: Int { 16 << self.size }

    /// Learns how long a step took.
    ///
    /// - Returns: How long to rest.
    mutating func took(_ duration: Duration) -> Duration {
        if duration > Self.aim {
            self.size = max(Self.sizes.lowerBound, self.size - 1)
        } else if duration < Self.aim / 4 {
            self.size = min(Self.sizes.upperBound, self.size + 1)
        }
        return min(duration, Self.longestRest)
    }
}
