// SPDX-License-Identifier: Apache-2.0
import Logging
import Mux
import NIOCore
import NIOPosix

extension ServerBootstrap {
    /// What every listener of the edge is begun with: it notices who vanished, and waits where there is no descriptor.
    ///
    /// - Parameters:
    ///   - group: The event loops of its connections.
    ///   - backlog: How many connections wait to be accepted.
    static func listener(group: any EventLoopGroup, backlog: Int32) -> ServerBootstrap {
        var bootstrap = ServerBootstrap(group: group)
        for (option, value) in KeepAlive.options { bootstrap = bootstrap.serverChannelOption(option, value: value) }
        return
            bootstrap
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pause = AcceptPause(logger: Logger(label: "culvert.listener"))
                    try channel.pipeline.syncOperations.addHandler(pause)
                }
            }
            .serverChannelOption(.backlog, value: backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
    }
}
