// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix

/// Resolves `localhost`, and every name below it, to both loopback addresses without a look-up.
///
/// RFC 6761 §6.3 fixes the answer. Many resolvers don't know the names below, and `getaddrinfo` would take each stream to
/// another thread and back twice.
struct LocalhostResolver: Resolver, Sendable {
    let eventLoop: any EventLoop

    func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        self.answer("127.0.0.1", port: port)
    }

    func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        self.answer("::1", port: port)
    }

    func cancelQueries() {}

    private func answer(_ address: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        self.eventLoop.makeCompletedFuture { [try SocketAddress(ipAddress: address, port: port)] }
    }
}
