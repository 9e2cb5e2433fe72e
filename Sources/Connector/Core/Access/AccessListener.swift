// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import NIOPosix

/// Listens on this machine, and leads every connection through the edge to a tunnel.
package struct AccessListener: Sendable {
    private let access: TunnelAccess
    private let logger: Logger

    /// Makes a listener that leads to a tunnel.
    package init(access: TunnelAccess, logger: Logger) {
        self.access = access
        self.logger = logger
    }

    /// Listens.
    ///
    /// - Returns: The channel that accepts connections.
    /// - Throws: ``CommandFailure`` if the address can't be had.
    package func bind(host: String, port: Int) async throws(CommandFailure) -> any Channel {
        let (access, logger) = (self.access, self.logger)
        do {
            return try await ServerBootstrap(group: self.access.eventLoop)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.autoRead, value: false)
                .childChannelOption(.allowRemoteHalfClosure, value: true)
                .childChannelOption(.maxMessagesPerRead, value: 4)
                .childChannelInitializer { channel in
                    let isReady = channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(EarlyInput())
                    }
                    Task {
                        do {
                            try await access.join(channel) { logger.warning("\($0)") }
                        } catch {
                            logger.warning("\(error)")
                            channel.close(promise: nil)
                        }
                    }
                    return isReady
                }
                .bind(host: host, port: port)
                .get()
        } catch {
            throw CommandFailure(
                .usage,
                "\(host):\(port) can't be listened on: \(ListenReason.words(error)). --listen names another address."
            )
        }
    }
}
