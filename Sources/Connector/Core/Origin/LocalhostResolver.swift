// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix

/// Resolves `localhost` without asking anyone: to both loopback addresses.
///
/// RFC 6761 §6.3 says what the answer is, and a look-up by `getaddrinfo` would cost each stream two trips to another
/// thread.
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
