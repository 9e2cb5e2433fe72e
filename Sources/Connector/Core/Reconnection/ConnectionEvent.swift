// SPDX-License-Identifier: Apache-2.0

import Protocol

/// What becomes of one connection of a tunnel, named by its index in the bundle.
package enum ConnectionEvent: Sendable {
    /// An attempt begins.
    case connecting(index: Int)
    /// There is a session; it does not serve streams yet.
    case opened(index: Int, TunnelSession)
    /// The session serves streams.
    case active(index: Int)
    /// The edge is leaving; a replacement will be opened.
    case replacing(index: Int, ErrorCode)
    /// There is no session; the next attempt begins after a while.
    case waiting(index: Int, Duration, reason: String)
    /// Another session took this one's place.
    case replaced(index: Int)
}
