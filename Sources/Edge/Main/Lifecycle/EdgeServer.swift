// SPDX-License-Identifier: Apache-2.0

import EdgeControl
import EdgeInbox
import EdgeProxy
import EdgeTCP
import EdgeTunnels
import Logging
import Mux
import NIOCore
import NIOPosix
import NIOSSL
import Program
import Protocol
import ServiceLifecycle
import UnixSignals

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The running edge: its parts, put together, from the first connection to the last byte in flight.
struct EdgeServer: Service {
    private let configuration: EdgeConfiguration
    private let group: any EventLoopGroup
    private let started: @Sendable (EdgeAddresses) -> Void
    private let reload: @Sendable () throws -> (EdgeConfiguration, CredentialSet)
    private let logger = Logger(label: "culvert.edge")
    private let readiness = Readiness()
    /// Its figures.
    let metrics: EdgeMetrics
    private let registry: EdgeRegistry
    private let tokens: TunnelTokens
    private let keys: APIKeyStore
    private let limits: APILimits
    private let pace: ConnectPace
    private let tls: ListenerCertificate?
    private let visitors = VisitorConnections()
    private let recentTunnels: RecentTunnelsKeys
    private let dashboardSessions: DashboardSessions
    /// The ports of tunnels of TCP, if there are any.
    private let tcpListener: TCPListener
    private let ports: TunnelPorts?
    private let connectionServices: ConnectionServices
    private let accessSessions = AccessSessions()
    /// The links to other edges, if there are any.
    private let links: ClusterLinks?
    private let inboxes: EdgeInboxes

    /// Makes the parts that need no socket.
    ///
    /// - Parameters:
    ///   - configuration: What the edge is set to.
    ///   - credentials: The keys that it knows.
    ///   - group: The event loops.
    ///   - started: Called once everything listens.
    ///   - reload: Reads the configuration and credentials again, for SIGHUP.
    /// - Throws: ``CredentialError``, ``CredentialFiles/Failure`` or ``InboxFileFailure``.
    init(
        configuration: EdgeConfiguration,
        credentials: CredentialSet,
        group: any EventLoopGroup,
        started: @escaping @Sendable (EdgeAddresses) -> Void,
        reload: @escaping @Sendable () throws -> (EdgeConfiguration, CredentialSet)
    ) async throws {
        self.configuration = configuration
        self.metrics = EdgeMetrics(environment: configuration.environment)
        self.group = group
        self.started = started
        self.reload = reload
        self.tokens = try await TunnelTokens(
            keys: credentials.signingKeys,
            isAlone: configuration.cluster.redisURL == nil
        )
        self.tokens.whenAccessEnds { [accessSessions] in accessSessions.end(of: $0, issuedUntil: $1) }
        self.registry = try EdgeRegistry(
            configuration,
            local: InMemoryTunnelRegistry(
                tunnelsPerOwner: configuration.tunnels.maxPerKey,
                limits: Self.tunnelLimits(configuration.tunnels)
            ),
            tokens: self.tokens,
            metrics: self.metrics,
            eventLoop: group.next()
        )
        self.inboxes = try EdgeInboxes(configuration, metrics: self.metrics, eventLoop: group.next())
        if let desk = self.inboxes.desk { self.registry.local.keepInboxes(of: desk) }
        self.recentTunnels = RecentTunnelsKeys(secrets: credentials.signingKeys.compactMap(\.bytes))
        self.dashboardSessions = DashboardSessions(secrets: credentials.signingKeys.compactMap(\.bytes))
        self.keys = try APIKeyStore(credentials.apiKeys)
        self.limits = APILimits(
            configuration.limits,
            directory: self.registry.directory,
            edges: { [pods = self.registry.registry?.publisher.pods] in pods?.count ?? 1 }
        )
        self.pace = ConnectPace(perSecond: configuration.connectsPerSecond)
        self.tls = try ListenerCertificate(configuration)
        let listener = TCPListener(
            configuration: configuration,
            registry: self.registry.tunnels,
            recorder: ConnectionLog(logger: Logger(label: "culvert.access"), metrics: self.metrics),
            connections: self.visitors,
            group: group
        )
        self.tcpListener = listener
        self.connectionServices = listener.makeServices()
        self.ports = listener.makePorts(self.connectionServices, directory: self.registry.directory)
        self.links = try await ClusterLinks(
            configuration,
            registry: self.registry,
            sessions: Self.timed(EdgeSessions.configuration, configuration),
            keys: credentials.signingKeys,
            metrics: self.metrics,
            group: group
        )
    }

    /// Serves until the service group asks to stop; then drains.
    func run() async throws {
        BufferMemory.keep()
        let linkListener = try await self.bindLinks()
        await self.registry.start()
        try await self.inboxes.restore(to: self.registry.tunnels)
        try await withThrowingTaskGroup { group in
            group.addTask {
                await self.registry.run(ports: self.ports ?? NoPorts(), accessSessions: self.accessSessions)
            }
            group.addTask { await self.inboxes.lookAfter(self.registry.tunnels) }
            group.addTask { await self.inboxes.follow(self.registry.tunnels) }
            defer { group.cancelAll() }
            try await self.serve(linkListener: linkListener)
        }
        await self.inboxes.desk?.store.close()
        await self.registry.stop()
    }

    /// Listens for other edges before they are told where.
    private func bindLinks() async throws -> (any Channel)? {
        guard let links = self.links, let address = self.configuration.cluster.listen else { return nil }
        return try await self.listen(on: address, setting: "cluster.listen") { try await links.bind(group: self.group) }
    }

    private func serve(linkListener: (any Channel)?) async throws {
        // The system may choose the port, so that the public URL is known only once the listener listens.
        let settings = LiveSettings(self.controlSettings(publicURL: ""))
        let api = self.controlPlane(settings)
        let admin = try await self.listen(on: self.configuration.adminListen, setting: "admin.listen") {
            let isHere = self.configuration.dashboard != .off
            return try await AdminListener(
                endpoint: AdminEndpoint(
                    readiness: self.readiness,
                    metrics: self.metrics,
                    limits: self.limits,
                    dashboard: isHere
                        ? DashboardPlane(api, sessions: self.dashboardSessions, isAdminListener: true) : nil
                )
            )
            .bind(to: self.configuration.adminListen, group: self.group)
        }
        let listener = self.publicListener(api)
        let server: any Channel
        do {
            server = try await self.listen(on: self.configuration.listen, setting: "listen") {
                try await listener.bind(group: self.group)
            }
        } catch {
            try? await admin.close()
            throw error
        }
        let passthrough: (any Channel)?
        do {
            passthrough = try await self.tcpListener.bindPassthrough(self.connectionServices)
        } catch {
            try? await admin.close()
            try? await server.close()
            let address = self.configuration.tcp.passthrough ?? self.configuration.listen
            throw ListenFailure(address: address, setting: "tls-passthrough.listen", cause: error)
        }
        let addresses = self.addresses(server: server, admin: admin)
        var current = self.controlSettings(publicURL: addresses.publicURL)
        current.tcpHost = self.configuration.tcpHost(listeningOn: addresses.listen)
        current.tlsPort = passthrough?.localAddress?.port
        settings.current = current
        var lifecycle = EdgeLifecycle(
            delay: self.configuration.shutdownDelay,
            grace: self.configuration.shutdownGrace
        )
        if lifecycle.handle(.listening, now: .now()).contains(.becomeReady) { self.readiness.becomeReady() }
        self.logger.info(
            "listening",
            metadata: [
                "listen": "\(addresses.listen)", "admin": "\(addresses.admin)", "url": "\(addresses.publicURL)",
                "version": "\(ProgramVersion.description)",
            ]
        )
        self.warnOfCertificate()
        self.started(addresses)
        let courier = self.inboxes.desk.map { InboxCourier(listener.services, desk: $0, group: self.group) }
        let deliveries = Task { await courier?.run() }

        let lag = LoopLagMeter(self.group, metrics: self.metrics)
        defer { lag.cancel() }
        await withTaskGroup { group in
            group.addTask { await ProgramMemory.settle() }
            group.addTask { await self.removeIdleTunnels() }
            group.addTask { await self.closeIdlePorts() }
            group.addTask { await self.reloadOnHangUp() }
            group.addTask { await self.watchCertificate() }
            try? await gracefulShutdown()
            group.cancelAll()
        }
        let (delay, grace) = (self.configuration.shutdownDelay, self.configuration.shutdownGrace)
        self.logger.info("stopping", metadata: ["delay": "\(delay.settingText)", "grace": "\(grace.settingText)"])
        await EdgeLifecycleRunner(
            readiness: self.readiness,
            registry: self.registry.local,
            visitors: self.visitors,
            server: server,
            passthrough: passthrough,
            ports: self.ports,
            accessSessions: self.accessSessions,
            links: self.links,
            group: self.group,
            logger: self.logger
        )
        .run(lifecycle)
        deliveries.cancel()
        await deliveries.value
        try? await linkListener?.close()
        try? await admin.close()
    }

    /// Forgets tunnels that have had no connector for long; a valid token makes them again.
    private func removeIdleTunnels() async {
        let (expiry, lease) = (self.configuration.tunnels.idleExpiry, self.configuration.tunnels.nameLease)
        while !Task.isCancelled {
            let now = NIODeadline.now()
            for tunnel in self.registry.local.all where tunnel.isIdle(since: now - expiry) && tunnel.inbox == nil {
                _ = await self.registry.tunnels.remove(tunnel.id, keepingNameFor: lease)
                await self.ports?.close(tunnel.id, keepingPortFor: lease)
                for session in tunnel.close(isDeleted: false) {
                    session.end(code: .shutdown, reason: "the tunnel was idle")
                }
                self.logger.info("idle tunnel removed", metadata: ["tunnel": "\(tunnel.id)"])
            }
            let interval = min(30_000_000_000, max(1_000_000_000, expiry.nanoseconds / 4))
            try? await Task.sleep(for: .nanoseconds(interval))
        }
    }

    /// Listens no more for tunnels of TCP whose connector does not come back; a returning one opens its port again.
    private func closeIdlePorts() async {
        guard let ports = self.ports else { return }
        let period = Self.tunnelLimits(self.configuration.tunnels).reconnectPeriod
        while !Task.isCancelled {
            await ports.follow()
            await ports.closeIdle(after: period)
            try? await Task.sleep(for: .seconds(1))
        }
    }

    /// Takes up changed keys and limits on SIGHUP; connections are not touched.
    private func reloadOnHangUp() async {
        for await _ in await UnixSignalsSequence(trapping: .sighup) {
            do {
                let (configuration, credentials) = try self.reload()
                // Everything is read before anything is replaced, so that a wrong file changes nothing.
                _ = try APIKeyStore(credentials.apiKeys)
                try await self.tokens.replaceKeys(with: credentials.signingKeys)
                try await self.links?.replaceKeys(with: credentials.signingKeys)
                self.recentTunnels.replace(with: credentials.signingKeys.compactMap(\.bytes))
                self.dashboardSessions.replace(with: credentials.signingKeys.compactMap(\.bytes))
                try self.keys.replace(with: credentials.apiKeys)
                self.limits.replace(with: configuration.limits)
                self.pace.replace(perSecond: configuration.connectsPerSecond)
                self.closeSessionsOfRemovedKeys()
                self.logger.notice("reloaded keys and limits")
            } catch {
                self.logger.error("nothing was reloaded", metadata: ["why": "\(error)"])
            }
        }
    }

    /// A key is taken away because what it signed is not to be trusted any more.
    private func closeSessionsOfRemovedKeys() {
        for session in self.registry.local.all.flatMap(\.sessions) {
            if let stamp = session.signedBy, !self.tokens.accepts(stamp) { session.revoke() }
        }
        self.accessSessions.endUnlessSigned { self.tokens.accepts($0) }
    }

    /// Takes up a renewed certificate by itself: what renews it seldom knows whom to tell.
    private func watchCertificate() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(5))
            self.takeUpCertificate("certificate") {
                guard try self.tls?.reloadIfChanged() ?? false else { return false }
                self.warnOfCertificate()
                return true
            }
            self.takeUpCertificate("certificate for other edges") {
                try self.links?.reloadCertificateIfChanged() ?? false
            }
        }
    }

    private func takeUpCertificate(_ what: String, _ reload: () throws -> Bool) {
        do {
            if try reload() { self.logger.notice("took up the new \(what)") }
        } catch {
            self.logger.error("the old \(what) stays in use", metadata: ["why": "\(error)"])
        }
    }

    /// Says so where clients will refuse what is served: they alone see it, and each says it in other words.
    private func warnOfCertificate() {
        for warning in ListenerTLS.warnings(self.configuration) { self.logger.warning("\(warning)") }
    }

    // MARK: Parts

    private static func tunnelLimits(_ tunnels: EdgeConfiguration.Tunnels) -> TunnelLimits {
        var limits = TunnelLimits(maxConnections: tunnels.maxConnections)
        // Where edges take over from each other, a tunnel is likely to come back here after any time elsewhere.
        if tunnels.unknownHold > .zero { limits.reconnectPeriod = .hours(24 * 365) }
        return limits
    }

    private func controlPlane(_ settings: LiveSettings) -> HTTPControlPlane {
        HTTPControlPlane(
            registry: self.registry.tunnels,
            keys: self.keys,
            tokens: self.tokens,
            limits: self.limits,
            directory: self.registry.directory,
            settings: settings,
            ports: self.ports ?? NoPorts(),
            inboxes: self.inboxes.desk,
            logger: Logger(label: "culvert.api")
        )
    }

    private func publicListener(_ api: HTTPControlPlane) -> PublicListener {
        let isHere = self.configuration.dashboard == .publicly && self.configuration.apiHost != nil
        return PublicListener(
            configuration: self.configuration,
            registry: self.registry.tunnels,
            controlPlane: isHere
                ? DashboardPlane(api, sessions: self.dashboardSessions, isAdminListener: false) : api,
            connectEndpoint: TokenConnectEndpoint(
                registry: self.registry.tunnels,
                tokens: self.tokens,
                ports: self.ports ?? NoPorts(),
                configuration: self.sessionConfiguration,
                presence: self.links?.presence,
                readiness: self.readiness,
                pace: self.pace,
                recorder: self.metrics,
                logger: Logger(label: "culvert.connect")
            ),
            accessEndpoint: AccessEndpoint(
                registry: self.registry.tunnels,
                tokens: self.tokens,
                sessions: self.accessSessions,
                configuration: self.accessConfiguration,
                readiness: self.readiness,
                recorder: self.metrics,
                logger: Logger(label: "culvert.access"),
                serve: { [services = self.connectionServices] stream, tunnel, owner, address in
                    TunnelConnection.serve(services, stream, tunnel: tunnel, of: owner, from: address)
                }
            ),
            recorder: AccessLog(logger: Logger(label: "culvert.access"), metrics: self.metrics),
            connections: self.visitors,
            recentTunnels: self.recentTunnels,
            tls: self.tls
        )
    }

    private func controlSettings(publicURL: String) -> ControlSettings {
        var settings = ControlSettings(
            publicURL: publicURL,
            reservedNames: ControlSettings.alwaysReserved.union(self.configuration.tunnels.reservedNames),
            tokenLifetime: TimeInterval(self.configuration.tunnels.tokenLifetime.nanoseconds) / 1e9,
            tokenOverlap: TimeInterval(self.configuration.tunnels.tokenOverlap.nanoseconds) / 1e9,
            maxConnections: self.configuration.tunnels.maxConnections
        )
        settings.wildcardDomain = self.configuration.wildcardDomain
        settings.hasPathMode = self.configuration.hasPathMode
        settings.apiHost = self.configuration.apiHost
        // A host of the edge's own below the domain of tunnels' hosts is no tunnel's.
        for host in [self.configuration.apiHost, self.configuration.publicHost].compactMap({ $0?.lowercased() }) {
            guard let domain = self.configuration.wildcardDomain?.lowercased(), host.hasSuffix("." + domain) else {
                continue
            }
            settings.reservedNames.insert(String(host.dropLast(domain.count + 1)))
        }
        return settings
    }

    /// What the edge's side of a session brings along in which a visitor opens the streams.
    private var accessConfiguration: SessionConfiguration {
        var configuration = SessionConfiguration(role: .edge)
        configuration.settings.maximumStreams = 1_024
        configuration.budget = 128 << 20
        return Self.timed(configuration, self.configuration)
    }

    private var sessionConfiguration: SessionConfiguration {
        Self.timed(EdgeSessions.configuration, self.configuration)
    }

    private static func timed(_ base: SessionConfiguration, _ edge: EdgeConfiguration) -> SessionConfiguration {
        var configuration = base
        // Protocol B.9.1: a side pings after a third of its idle time-out.
        let idle = edge.tunnels.heartbeatInterval.nanoseconds / 1_000_000 * 3
        configuration.settings.idleTimeoutMilliseconds = UInt32(clamping: idle)
        configuration.settings.implementation = "culvert-edge"
        EdgeSessions.resume(within: edge.tunnels.resume, &configuration)
        return configuration
    }

    private func listen(
        on address: ListenAddress,
        setting: String,
        _ bind: () async throws -> any Channel
    ) async throws -> any Channel {
        do {
            return try await bind()
        } catch {
            throw ListenFailure(address: address, setting: setting, cause: error)
        }
    }

    private func addresses(server: any Channel, admin: any Channel) -> EdgeAddresses {
        var listen = self.configuration.listen
        listen.port = server.localAddress?.port ?? listen.port
        var adminListen = self.configuration.adminListen
        adminListen.port = admin.localAddress?.port ?? adminListen.port
        let publicURL = self.configuration.effectivePublicURL(listeningOn: listen)
        let hasAPIHost = self.configuration.apiHost != nil
        return EdgeAddresses(
            listen: listen,
            admin: adminListen,
            publicURL: publicURL,
            localURL: self.configuration.localURL(listeningOn: listen),
            apiURL: hasAPIHost ? self.controlSettings(publicURL: publicURL).apiURL : nil
        )
    }
}

extension EdgeServer: CustomStringConvertible {
    /// What the library that runs the edge writes of it in its log.
    var description: String { "culvert-edge" }
}
