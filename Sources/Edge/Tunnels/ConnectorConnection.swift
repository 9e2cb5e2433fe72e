// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore

/// What is known of one connection of a connector from its upgrade on, for all parts that look after it.
struct ConnectorConnection {
    /// The number of the connection.
    let id: UInt64
    /// Its event loop.
    let eventLoop: any EventLoop
    /// Where the connector connects from.
    let remoteAddress: SocketAddress?
    /// Whether the edge takes tunnels at all.
    let readiness: Readiness
    /// Counts sessions.
    let recorder: any SessionRecorder
    /// Names the request and the connection.
    let logger: Logger
}
