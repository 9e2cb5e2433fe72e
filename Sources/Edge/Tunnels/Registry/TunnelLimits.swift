// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// The bounds of every tunnel of an edge.
package struct TunnelLimits: Sendable {
    /// The most sessions of a tunnel whose policy says nothing (`tunnel.max-connections`).
    package var maxConnections = 100
    /// The most connections that visitors of a tunnel of TCP have, where its policy says nothing: what one connection of a
    /// connector carries.
    static let defaultMaxVisitors = 1_024
    /// The most requests that wait for a connector to come back.
    var maxWaiters = 256
    /// For how long after its last session left a tunnel is taken to be reconnecting, also one whose connector has said
    /// goodbye: whoever restarts it says so, too.
    package var reconnectPeriod: TimeAmount = .seconds(35)
    /// How much password hashing all tunnels do together.
    var hashing = HashingBudget()

    /// Makes the bounds of an edge.
    package init(
        maxConnections: Int = 100,
        maxWaiters: Int = 256,
        reconnectPeriod: TimeAmount = .seconds(35),
        hashing: HashingBudget = HashingBudget()
    ) {
        self.maxConnections = maxConnections
        self.maxWaiters = maxWaiters
        self.reconnectPeriod = reconnectPeriod
        self.hashing = hashing
    }
}
