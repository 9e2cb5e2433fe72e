// SPDX-License-Identifier: Apache-2.0

/// How long a call waits for an edge that asks to be left alone (429), as it does with whoever calls ten times a second.
///
/// A value without a clock: it says what to wait, and counts what is left.
struct CallPatience: Sendable {
    private var left: Duration

    /// The least wait, for an edge that does not say how long.
    static let shortest = Duration.milliseconds(200)

    /// - Parameter bound: The longest that all waits of a call take together.
    init(_ bound: Duration) {
        self.left = bound
    }

    /// What to wait before the same call is made again; `nil` if it has failed for good, or the edge asks for more than
    /// is left.
    mutating func wait(after failure: EdgeFailure) -> Duration? {
        guard case .refused(429, let retryAfter, _) = failure else { return nil }
        let wait = max(retryAfter ?? Self.shortest, Self.shortest)
        guard wait <= self.left else { return nil }
        self.left -= wait
        return wait
    }
}
