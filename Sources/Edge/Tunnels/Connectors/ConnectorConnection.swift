// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore

/// What is known of one connection of a connector from its upgrade on, for all parts that look after it.
package struct ConnectorConnection {
    /// The number of the connection.
    package let id: UInt64
    /// Its event loop.
    package let eventLoop: any EventLoop
    /// Where the connector connects from.
    package let remoteAddress: SocketAddress?
    /// Whether the edge takes tunnels at all.
    package let readiness: Readiness
    /// Counts sessions.
    package let recorder: any SessionRecorder
    /// Names the request and the connection.
    package let logger: Logger

    /// Names what is known of a connection.
    package init(
        id: UInt64,
        eventLoop: any EventLoop,
        remoteAddress: SocketAddress?,
        readiness: Readiness,
        recorder: any SessionRecorder,
        logger: Logger
    ) {
        self.id = id
        self.eventLoop = eventLoop
        self.remoteAddress = remoteAddress
        self.readiness = readiness
        self.recorder = recorder
        self.logger = logger
    }
}
