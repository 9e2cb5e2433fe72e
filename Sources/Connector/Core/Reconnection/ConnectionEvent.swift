// SPDX-License-Identifier: Apache-2.0

import Protocol

/// What becomes of one connection of a tunnel, named by its index in the bundle.
package enum ConnectionEvent: Sendable {
    /// An attempt begins.
    case connecting(index: Int)
    /// The session is open, and does not serve streams yet.
    case opened(index: Int, TunnelSession)
    /// The session serves streams.
    case active(index: Int)
    /// The edge drains the session; another one will be opened.
    case replacing(index: Int, ErrorCode)
    /// The session has lost its connection and waits for another one, with so many streams.
    case suspended(index: Int, reason: String, streams: Int)
    /// Another connection for it could not be opened; the next attempt begins after the given time. Told once for each
    /// cause while the session waits.
    case stillAway(index: Int, Duration, reason: String)
    /// The session goes on over another connection after the given time.
    case resumed(index: Int, pause: Duration, repeated: Int)
    /// There is no session; the next attempt begins after the given time.
    case waiting(index: Int, Duration, reason: String)
    /// Another connector has replaced the connection, which is not opened again.
    case replaced(index: Int)
}
