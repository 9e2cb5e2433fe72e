// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// A session without a connection (docs/protocol.md §B.19).
public struct Suspension: Hashable, Sendable {
    /// Since when.
    public var since: NIODeadline
    /// When the session ends unless another connection goes on with it.
    public var until: NIODeadline
    /// What is known of why the connection went.
    public var reason: String
}

/// What became of a session that another connection has gone on with.
public struct Resumption: Hashable, Sendable {
    /// How long it was without a connection.
    public var pause: TimeAmount
    /// How many messages this side sends again.
    public var repeated: Int
}
