// SPDX-License-Identifier: Apache-2.0

/// Streams of one session that belong together: they are counted, and can be ended together.
///
/// Used on the session's event loop. See ``SessionHandler/reset(_:code:reason:)``.
public final class StreamGroup {
    /// How many streams of the group have not closed yet.
    public private(set) var count = 0
    /// Runs whenever the last stream of the group has closed.
    public var whenEmpty: (() -> Void)?

    /// Makes a group without streams.
    public init() {}

    func added() {
        self.count += 1
    }

    func removed() {
        self.count -= 1
        if self.count == 0 { self.whenEmpty?() }
    }
}
