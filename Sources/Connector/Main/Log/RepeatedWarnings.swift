// SPDX-License-Identifier: Apache-2.0

/// Which of the warnings are written that attempts to reach an edge repeat, while it is away.
///
/// Each connection of each tunnel tries by itself, and says why it failed: the first to say something is heard at once,
/// and what is the same is written again at distances that double, with how often it was said meanwhile.
struct RepeatedWarnings {
    private struct Warning {
        var nextAt: ContinuousClock.Instant
        var distance: Duration
        var unsaid = 0
    }

    private var warnings: [String: Warning] = [:]

    /// The distance between the first two lines.
    static let shortest = Duration.seconds(2)
    /// The longest distance between two lines.
    static let longest = Duration.seconds(120)
    /// The most sentences that are told apart: one names a status or an address, and there are few of these.
    private static let most = 64

    /// Takes what an attempt says.
    ///
    /// - Returns: How often the same was said since it was last written; `nil` if it is not to be written now.
    mutating func take(_ sentence: String, at now: ContinuousClock.Instant) -> Int? {
        guard var warning = self.warnings[sentence] else {
            if self.warnings.count >= Self.most { self.warnings = [:] }
            self.warnings[sentence] = Warning(nextAt: now + Self.shortest, distance: Self.shortest)
            return 0
        }
        guard now >= warning.nextAt else {
            warning.unsaid += 1
            self.warnings[sentence] = warning
            return nil
        }
        let distance = min(warning.distance * 2, Self.longest)
        self.warnings[sentence] = Warning(nextAt: now + distance, distance: distance)
        return warning.unsaid
    }

    /// An edge was reached: what fails from now on is news.
    mutating func reset() { self.warnings = [:] }
}
