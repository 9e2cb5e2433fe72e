// SPDX-License-Identifier: Apache-2.0

import EdgeProxy
import NIOCore
import NIOPosix

extension ServerBootstrap {
    /// Listens for those inside: probes, scrapes and other edges, whose connections are read as visitors' are.
    ///
    /// - Parameters:
    ///   - address: Where.
    ///   - group: The event loops of the connections.
    ///   - services: What the connections work with.
    ///   - limit: The most connections; the oldest gives way to a new one.
    ///   - secure: Puts on a connection what encrypts it; `nil` where they are not encrypted.
    /// - Returns: The channel that accepts connections.
    static func bindInner(
        to address: ListenAddress,
        group: any EventLoopGroup,
        _ services: ProxyServices,
        limit: Int,
        secure: (@Sendable (any Channel) throws -> Void)? = nil
    ) async throws -> any Channel {
        let admission = ConnectionAdmission(limit: limit, share: limit, perAddress: limit)
        return try await ServerBootstrap.listener(group: group, backlog: min(256, Int32(limit)))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let place = admission.enter(channel) else { return channel.close(promise: nil) }
                    channel.closeFuture.whenComplete { _ in place.leave() }
                    try VisitorConnection.setOptions(of: channel)
                    try secure?(channel)
                    try channel.pipeline.syncOperations.addHandler(VisitorConnection(services: services, place: place))
                }
            }
            .bind(host: address.host, port: address.port)
            .get()
    }
}
