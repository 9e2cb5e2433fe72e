// SPDX-License-Identifier: Apache-2.0

import EdgeControl
import EdgeDirectory
import EdgeTunnels
import Logging
import NIOCore
import NIOSSL
import Redis

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The tunnels of the running edge, and the directory behind them if there is one.
struct EdgeRegistry: Sendable {
    /// The tunnels that are here.
    let local: InMemoryTunnelRegistry
    /// What the edge's other parts ask.
    let tunnels: any TunnelRegistry
    /// What remembers beyond the end of the process.
    let directory: (any TunnelDirectory)?
    /// The tunnels with the directory behind them.
    let registry: DirectoryTunnelRegistry?
    private let metrics: EdgeMetrics
    /// What was done at other edges.
    private let events = HeardEvents()
    private let lease: TimeAmount
    private let logger = Logger(label: "culvert.registry")
    /// Begins to connect, and ends the connection.
    private let connect: @Sendable () -> Void
    private let disconnect: @Sendable () async -> Void

    /// Makes the registry that a configuration asks for.
    ///
    /// - Parameters:
    ///   - configuration: What the edge is set to.
    ///   - local: The tunnels that are here.
    ///   - tokens: What is told of tokens that ended.
    ///   - metrics: Counts what the directory does.
    ///   - eventLoop: Where its connection lives.
    /// - Throws: ``CredentialFiles/Failure`` for a file that can't be used.
    init(
        _ configuration: EdgeConfiguration,
        local: InMemoryTunnelRegistry,
        tokens: TunnelTokens,
        metrics: EdgeMetrics,
        eventLoop: any EventLoop
    ) throws {
        self.local = local
        self.metrics = metrics
        self.lease = configuration.cluster.lease
        #if Redis
        if let url = configuration.cluster.redisURL.flatMap({ RedisURL($0) }) {
            let client = try RedisClient(
                try Self.settings(of: configuration.cluster, url: url),
                eventLoop: eventLoop,
                logger: self.logger
            )
            metrics.registryChanged(isUp: false)
            client.onChange { metrics.registryChanged(isUp: $0 == .up) }
            let directory = RedisTunnelDirectory(
                client,
                prefix: configuration.cluster.redisPrefix,
                times: Self.times(of: configuration),
                recorder: metrics,
                logger: self.logger
            )
            let registry = DirectoryTunnelRegistry(
                local,
                directory: directory,
                tokens: tokens,
                tunnelsPerOwner: configuration.tunnels.maxPerKey,
                maxGuests: configuration.cluster.maxGuests,
                rebalances: configuration.cluster.rebalance
            )
            self.tunnels = registry
            self.directory = directory
            self.registry = registry
            let events = self.events
            let listener = try RedisClient(
                try Self.settings(of: configuration.cluster, url: url),
                subscription: RedisClient.Subscription(channels: ["\(configuration.cluster.redisPrefix)ev"]) {
                    if let event = DirectoryEvent(message: $1) { events.tell(event) }
                },
                eventLoop: eventLoop,
                logger: self.logger
            )
            // While the one is away nothing is heard, and while the other is nothing can be looked up: each comes back when it
            // can, and the later one of them is what there was to wait for.
            let changed: @Sendable (RedisClient.Status) -> Void = { [weak client, weak listener] status in
                if status == .up, client?.status == .up, listener?.status == .up { events.mayHaveMissed() }
            }
            client.onChange(changed)
            listener.onChange(changed)
            self.connect = {
                client.start()
                listener.start()
            }
            self.disconnect = {
                await listener.close()
                await client.close()
            }
            return
        }
        #endif
        self.tunnels = local
        self.directory = nil
        self.registry = nil
        self.connect = {}
        self.disconnect = {}
    }

    #if Redis
    static func settings(
        of cluster: EdgeConfiguration.Cluster,
        url: RedisURL
    ) throws -> RedisClient.Configuration {
        var settings = RedisClient.Configuration(url: url)
        if let path = cluster.redisPasswordFile { settings.password = try CredentialFiles.password(at: path) }
        if let path = cluster.sentinelPasswordFile {
            settings.sentinelPassword = try CredentialFiles.password(at: path)
        }
        if let path = cluster.redisCAFile { settings.trustRoots = .file(path) }
        return settings
    }
    #endif

    private static func times(of configuration: EdgeConfiguration) -> DirectoryTimes {
        func milliseconds(_ time: TimeAmount) -> Int { Int(time.nanoseconds / 1_000_000) }
        var times = DirectoryTimes()
        times.lease = milliseconds(configuration.cluster.lease)
        times.idleExpiry = milliseconds(configuration.tunnels.idleExpiry)
        times.nameLease = milliseconds(configuration.tunnels.nameLease)
        // Longer than any token of another edge's setting, too: a year is the most that can be set.
        times.tokenLife = 366 * 86_400
        return times
    }

    /// Connects to the directory; returns once it answers, or after a second, since what is online does not need it.
    func start() async {
        guard let directory else { return }
        self.connect()
        for _ in 0..<50 where !directory.isUp { try? await Task.sleep(for: .milliseconds(20)) }
        // Before the first connector comes: its HELLO says how many edges there are.
        _ = try? await self.registry?.publisher.beat()
    }

    /// Keeps the directory told, and heeds what it tells, until the task is cancelled.
    ///
    /// - Parameters:
    ///   - ports: The ports of tunnels, which end with them.
    ///   - accessSessions: The sessions that end with access tokens.
    func run(ports: any PortKeeper, accessSessions: AccessSessions) async {
        guard let registry, let directory else { return }
        registry.whenMoved { accessSessions.end(of: $0, unlessOwnedBy: $1) }
        await withTaskGroup { group in
            group.addTask { await registry.publisher.run() }
            group.addTask { await self.beat(registry.publisher) }
            group.addTask {
                // A tunnel that nobody else visits is not looked at for long, and these sessions ask for nothing.
                await self.events.run(by: registry, visited: { accessSessions.tunnels }) { event in
                    if case .deleted(let id, _) = event, registry.tunnel(id) == nil {
                        await ports.close(id, keepingPortFor: .zero)
                    }
                }
            }
            group.addTask { await self.removeIdle(directory) }
            await group.waitForAll()
        }
    }

    private func beat(_ publisher: SessionPublisher) async {
        var wasRefused = false
        while !Task.isCancelled {
            var isHeard = false
            do {
                _ = try await publisher.beat()
                isHeard = true
            } catch {
                // Without memory or its disk Redis answers, and takes nothing: to the other edges this one is about to be dead.
                if self.directory?.isUp == true, !wasRefused {
                    self.logger.error("the registry refuses what this edge tells it", metadata: ["why": "\(error)"])
                }
            }
            let isUp = self.directory?.isUp == true
            wasRefused = isUp && !isHeard
            self.metrics.registryChanged(isUp: isUp && isHeard)
            if let registry = self.registry {
                self.metrics.links.guestsCounted(registry.guestCount)
                if isHeard, registry.hasMissed { self.events.retry() }
            }
            // Soon again while it is away, so that little time passes between its return and what it is told then.
            let pause = isHeard ? self.lease.nanoseconds / 3 : 500_000_000
            try? await Task.sleep(for: .nanoseconds(pause))
        }
    }

    private func removeIdle(_ directory: any TunnelDirectory) async {
        while !Task.isCancelled {
            while let ids = try? await directory.removeIdle(limit: 100), !ids.isEmpty {
                for id in ids { self.logger.info("idle tunnel forgotten", metadata: ["tunnel": "\(id)"]) }
            }
            await self.registry?.dropIdleGuests()
            try? await Task.sleep(for: .seconds(30))
        }
    }

    /// Says that what this edge held is nobody's, and ends the connection.
    func stop() async {
        await self.registry?.publisher.leave()
        await self.disconnect()
    }
}
