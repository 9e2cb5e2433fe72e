// SPDX-License-Identifier: Apache-2.0
#if Redis

import NIOCore

/// How long to wait before the next attempt to connect: from 50 ms, doubled each time, to 2 s.
struct RedisBackoff: Sendable {
    private static let shortest: Int64 = 50
    private static let longest: Int64 = 2_000
    private var milliseconds = RedisBackoff.shortest

    init() {}

    /// There is a connection.
    mutating func connected() {
        self.milliseconds = Self.shortest
    }

    /// An attempt failed, or a connection was lost.
    ///
    /// - Returns: How long to wait now.
    mutating func failed() -> TimeAmount {
        defer { self.milliseconds = min(Self.longest, self.milliseconds * 2) }
        return .milliseconds(self.milliseconds)
    }
}

#endif
