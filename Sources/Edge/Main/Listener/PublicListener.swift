// SPDX-License-Identifier: Apache-2.0
import EdgeProxy
import EdgeTCP
import EdgeTunnels
import Logging
import Mux
import NIOCore
import NIOPosix
import NIOSSL

/// The listener for visitors, connectors and the control API.
struct PublicListener: Sendable {
    let configuration: EdgeConfiguration
    let registry: any TunnelRegistry
    let controlPlane: any ControlPlane
    let connectEndpoint: any ConnectEndpoint
    let accessEndpoint: any ConnectEndpoint
    let recorder: any ExchangeRecorder
    /// The connections of visitors, which are told when the listener leaves.
    let connections: VisitorConnections
    /// The keys of the cookie in which browsers keep which tunnels they opened.
    let recentTunnels: RecentTunnelsKeys
    /// What connections are encrypted with; `nil` if they are not.
    let tls: ListenerCertificate?

    /// Listens.
    ///
    /// - Returns: The channel that accepts connections.
    func bind(group: any EventLoopGroup) async throws -> any Channel {
        let services = self.services
        let tls = self.tls
        let admission = ConnectionAdmission(
            limit: self.configuration.http.maxConnections,
            perAddress: self.configuration.http.maxConnectionsPerAddress,
            proxies: self.configuration.http.trustedProxies
        )
        let headers = self.configuration.http.takesProxyHeaders ? self.configuration.http : nil
        let refusals = ConnectionCount(limit: RefusingHandler.maximumCount)
        return try await ServerBootstrap.listener(group: group, backlog: 4_096)
            // Set once, here: the kernel hands it on to the connections that it accepts, as it does TCP_NODELAY, which
            // every listener of NIO's has. Otherwise it takes megabytes for a visitor who reads slowly, and then nothing
            // for a minute, as if nothing were read.
            .serverChannelOption(.unsentLowWaterMark, value: 256 << 10)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try VisitorConnection.setOptions(of: channel)
                    let place = admission.enter(channel)
                    // The edge answers so many refused connections with 503, and closes those beyond them without an answer.
                    guard place != nil || refusals.enter() else { return channel.close(promise: nil) }
                    channel.closeFuture.whenComplete { _ in
                        if let place { place.leave() } else { refusals.leave() }
                    }
                    try Self.afterProxyHeader(on: channel, headers) { channel, source in
                        let pipeline = channel.pipeline.syncOperations
                        if let tls {
                            try pipeline.addHandler(PlainRequestGate(services.settings.statusMap))
                            try pipeline.addHandler(NIOSSLServerHandler(context: tls.context))
                        }
                        if let place {
                            try pipeline.addHandler(VisitorConnection(services: services, place: place, source: source))
                        } else {
                            let status = VisitorError.tooManyConnections.status(services.settings.statusMap)
                            try pipeline.addHandler(RefusingHandler(status: status))
                        }
                    }
                }
            }
            .bind(host: self.configuration.listen.host, port: self.configuration.listen.port)
            .get()
    }

    /// Sets a connection up, where its peer is a trusted proxy that begins with a header of the PROXY protocol behind that.
    ///
    /// - Parameters:
    ///   - channel: The accepted channel.
    ///   - http: Who is trusted, and how long the header may take; `nil` where there are no headers.
    ///   - setUp: Adds the handlers; given where the connection comes from, if the header says so.
    private static func afterProxyHeader(
        on channel: any Channel,
        _ http: EdgeConfiguration.HTTP?,
        _ setUp: @escaping (any Channel, SocketAddress?) throws -> Void
    ) throws {
        guard let http, let peer = IPAddress(channel.remoteAddress),
            http.trustedProxies.contains(where: { $0.contains(peer) })
        else { return try setUp(channel, nil) }
        let bound = NIOLoopBound(channel, eventLoop: channel.eventLoop)
        let handler = ProxyHeaderHandler(isTrusted: true, timeout: http.headTimeout) { result in
            let channel = bound.value
            do {
                try setUp(channel, try result.get()?.sourceAddress)
            } catch {
                if (error as? ProxyHeaderFault) != .silent {
                    Logger(label: "culvert.listener").notice(
                        "a connection was closed",
                        metadata: ["error": "proxy_header", "why": "\(error)", "remote": "\(peer)"]
                    )
                }
                channel.closeWithReset()
            }
        }
        try channel.pipeline.syncOperations.addHandler(handler)
    }

    /// What its connections work with.
    var services: ProxyServices {
        ProxyServices(
            settings: ProxySettings(self.configuration),
            router: PublicRouter(
                wildcardDomain: self.configuration.wildcardDomain,
                apiHost: self.configuration.apiHost,
                publicHost: self.configuration.publicHost,
                hasPathMode: self.configuration.hasPathMode
            ),
            trust: VisitorTrust(
                trustedProxies: self.configuration.http.trustedProxies,
                clientIPHeader: self.configuration.http.clientIPHeader,
                isTLS: self.tls != nil,
                isPublicTLS: self.configuration.publicURL?.lowercased().hasPrefix("https://") ?? false
            ),
            registry: self.registry,
            controlPlane: self.controlPlane,
            connectEndpoint: self.connectEndpoint,
            accessEndpoint: self.accessEndpoint,
            recorder: self.recorder,
            recentTunnels: self.recentTunnels,
            connections: self.connections
        )
    }
}
