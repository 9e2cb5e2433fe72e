// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix
import NIOSSL
import Protocol

/// The listener for visitors, connectors and the control API.
struct PublicListener: Sendable {
    let configuration: EdgeConfiguration
    let registry: any TunnelRegistry
    let controlPlane: any ControlPlane
    let connectEndpoint: any ConnectEndpoint
    let accessLog: AccessLog
    /// What connections are encrypted with; `nil` if they are not.
    let tls: ListenerCertificate?

    /// Listens.
    ///
    /// - Returns: The channel that accepts connections.
    func bind(group: any EventLoopGroup) async throws -> any Channel {
        let services = self.services
        let tls = self.tls
        let connections = ConnectionCount(limit: self.configuration.http.maxConnections)
        return try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4_096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard connections.enter() else {
                        return try channel.pipeline.syncOperations.addHandler(
                            RefusingHandler(status: VisitorError.tooManyConnections.status(services.http.statusMap))
                        )
                    }
                    channel.closeFuture.whenComplete { _ in connections.leave() }
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls.context))
                    }
                    try channel.pipeline.syncOperations.addHandler(VisitorHandler(services: services))
                }
            }
            .bind(host: self.configuration.listen.host, port: self.configuration.listen.port)
            .get()
    }

    private var services: EdgeServices {
        EdgeServices(
            http: self.configuration.http,
            tunnels: self.configuration.tunnels,
            router: PublicRouter(wildcardDomain: self.configuration.wildcardDomain),
            trust: VisitorTrust(
                trustedProxies: self.configuration.http.trustedProxies,
                clientIPHeader: self.configuration.http.clientIPHeader,
                isTLS: self.tls != nil
            ),
            registry: self.registry,
            controlPlane: self.controlPlane,
            connectEndpoint: self.connectEndpoint,
            accessLog: self.accessLog
        )
    }
}
