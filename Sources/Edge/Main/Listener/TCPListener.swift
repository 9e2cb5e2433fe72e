// SPDX-License-Identifier: Apache-2.0

import EdgeTCP
import EdgeTunnels
import Logging
import Mux
import NIOCore
import NIOPosix

/// The listeners on the ports of tunnels of TCP.
struct TCPListener: Sendable {
    let configuration: EdgeConfiguration
    let registry: any TunnelRegistry
    let recorder: any ConnectionRecorder
    /// The connections of visitors, which are told when the edge leaves.
    let connections: VisitorConnections
    let group: any EventLoopGroup

    /// The ports that tunnels may have; `nil` if there are none.
    func makePorts(_ services: ConnectionServices, directory: (any TunnelDirectory)?) -> TunnelPorts? {
        guard let range = self.configuration.tcp.ports?.ports else { return nil }
        let (group, host) = (self.group, self.configuration.tcp.listen)
        let logger = Logger(label: "culvert.listener")
        return TunnelPorts(range: range, services: services, directory: directory) { port, accept in
            do {
                return try await ServerBootstrap.listener(group: group, backlog: 1_024)
                    // As for the public listener: else the kernel takes megabytes for who reads slowly.
                    .serverChannelOption(.unsentLowWaterMark, value: 256 << 10)
                    .childChannelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture { try accept(channel) }
                    }
                    .bind(host: host, port: Int(port))
                    .get()
            } catch {
                logger.notice("a port of tcp.ports can't be had", metadata: ["port": "\(port)", "why": "\(error)"])
                throw error
            }
        }
    }

    /// Listens for tunnels of TLS.
    ///
    /// - Returns: The channel that accepts connections; `nil` where none are served.
    func bindPassthrough(_ services: ConnectionServices) async throws -> (any Channel)? {
        guard let address = self.configuration.tcp.passthrough, let domain = self.configuration.wildcardDomain else {
            return nil
        }
        return try await ServerBootstrap.listener(group: self.group, backlog: 1_024)
            .serverChannelOption(.unsentLowWaterMark, value: 256 << 10)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try TunnelConnection.beginTLS(services, channel: channel, domain: domain)
                }
            }
            .bind(host: address.host, port: address.port)
            .get()
    }

    /// What connections to tunnels work with, be they sockets or streams.
    func makeServices() -> ConnectionServices {
        ConnectionServices(
            settings: ConnectionSettings(
                connectTimeout: self.configuration.tunnels.connectTimeout,
                reconnectHold: self.configuration.tunnels.reconnectHold,
                idleTimeout: self.configuration.tcp.idleTimeout,
                nameTimeout: self.configuration.http.headTimeout,
                proxies: self.configuration.tcp.takesProxyHeaders ? self.configuration.http.trustedProxies : nil
            ),
            registry: self.registry,
            places: ConnectionPlaces(
                limit: self.configuration.tcp.maxConnections,
                perAddress: self.configuration.tcp.maxConnectionsPerAddress
            ),
            recorder: self.recorder,
            connections: self.connections
        )
    }
}
