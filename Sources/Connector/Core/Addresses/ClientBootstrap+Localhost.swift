// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix

extension ClientBootstrap {
    /// Prepares to connect to a host by `connect(host:port:)`: names at and below `localhost` are loopback.
    ///
    /// - Parameters:
    ///   - host: The name or address that will be connected to.
    ///   - eventLoop: Where the connection lives.
    package static func reaching(_ host: String, on eventLoop: any EventLoop) -> ClientBootstrap {
        let bootstrap = ClientBootstrap(group: eventLoop)
        guard Authority.isLocalhost(host) else { return bootstrap }
        return bootstrap.resolver(LocalhostResolver(eventLoop: eventLoop))
    }
}
