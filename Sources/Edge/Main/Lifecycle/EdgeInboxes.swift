// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeInbox
import EdgeTunnels
import InboxFile
import InboxRedis
import Logging
import NIOCore
import Redis

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The inboxes of a running edge: opened when it begins, looked after while it runs.
struct EdgeInboxes: Sendable {
    /// The inboxes; `nil` if the edge has none.
    let desk: InboxDesk?
    private let metrics: InboxMetrics
    private let logger: Logger

    /// How often what is kept long enough is looked for, and figures are taken.
    private static let interval = Duration.seconds(5)

    /// Opens what a configuration asks for.
    ///
    /// - Parameters:
    ///   - configuration: What the edge is set to.
    ///   - metrics: Takes figures.
    ///   - eventLoop: Where the connections of a store in Redis live.
    /// - Throws: ``InboxFileFailure`` or ``CredentialFiles/Failure``.
    init(_ configuration: EdgeConfiguration, metrics: EdgeMetrics, eventLoop: any EventLoop) throws {
        let logger = Logger(label: "culvert.inbox")
        self.logger = logger
        self.metrics = metrics.inboxes
        let recorder = InboxLog(metrics: metrics.inboxes, logger: logger)
        let store: any InboxStore
        if let shared = try Self.sharedStore(configuration, eventLoop: eventLoop, logger: logger) {
            store = shared
        } else if let folder = configuration.inbox.directory {
            var bounds = SQLiteInboxStore.Bounds()
            bounds.fileBytes = configuration.inbox.maxSize.bytes
            let keys = try Self.keys(configuration.inbox, folder)
            store = try SQLiteInboxStore(folder: folder, keys: keys, bounds: bounds)
        } else if configuration.isDevelopment {
            store = MemoryInboxStore()
        } else {
            self.desk = nil
            return
        }
        self.desk = InboxDesk(store: store, perOwner: configuration.inbox.maxPerKey, recorder: recorder)
    }

    /// The store in Redis, if that is what is asked for.
    private static func sharedStore(
        _ configuration: EdgeConfiguration,
        eventLoop: any EventLoop,
        logger: Logger
    ) throws -> (any InboxStore)? {
        #if Redis
        guard configuration.inbox.store == .redis, let path = configuration.inbox.keyFile,
            let url = configuration.cluster.redisURL.flatMap({ RedisURL($0) })
        else { return nil }
        var options = RedisInboxStore.Options()
        options.prefix = configuration.cluster.redisPrefix
        options.lease = configuration.cluster.lease
        options.maximumBytes = configuration.inbox.maxSize.bytes
        return try RedisInboxStore(
            try EdgeRegistry.settings(of: configuration.cluster, url: url),
            keys: try CredentialFiles.sealingKeys(at: path),
            options: options,
            eventLoop: eventLoop,
            logger: logger
        )
        #else
        return nil
        #endif
    }

    private static func keys(_ inbox: EdgeConfiguration.Inbox, _ folder: String) throws -> SealingKeys {
        // With --dev the key lies beside what it seals, which protects nothing and needs no care.
        let path = inbox.keyFile ?? "\(folder)/key"
        if inbox.keyFile == nil, !FileManager.default.fileExists(atPath: path) {
            try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let attributes: [FileAttributeKey: Any] = [.posixPermissions: 0o600]
            let text = Data("\(SealingKeys.makeKey())\n".utf8)
            _ = FileManager.default.createFile(atPath: path, contents: text, attributes: attributes)
        }
        return try CredentialFiles.sealingKeys(at: path)
    }

    /// Makes the tunnels of inboxes again, so that what is sent to them is kept before any connector is back.
    ///
    /// - Throws: What is wrong with a file; a store that edges share may be away for a while.
    func restore(to registry: any TunnelRegistry) async throws {
        guard let desk else { return }
        await desk.store.open()
        do {
            for record in try await desk.load() { await self.restore(record, to: registry, desk) }
        } catch {
            guard desk.store.events != nil else { throw error }
            desk.recorder.storeFailed("\(error)")
        }
    }

    private func restore(_ record: InboxRecord, to registry: any TunnelRegistry, _ desk: InboxDesk) async {
        guard let id = TunnelID(record.tunnelID) else { return }
        let specification = TunnelSpecification(
            id: id,
            name: record.name,
            owner: record.owner,
            policy: record.policy,
            createdAt: record.createdAt,
            version: record.version
        )
        do {
            try await registry.restore(specification).inbox = desk.inbox(record, of: id)
        } catch {
            self.logger.error("an inbox has no tunnel", metadata: ["tunnel": "\(id)", "why": "\(error)"])
        }
    }

    /// Takes up what other edges do to inboxes, until the task is cancelled.
    func follow(_ registry: any TunnelRegistry) async {
        guard let desk, let events = desk.store.events else { return }
        for await event in events {
            do {
                switch event {
                case .due(let id): desk.wake(id)
                case .changed(let id): try await self.look(at: id, in: registry, desk)
                case .missed: try await self.lookAtAll(in: registry, desk)
                }
            } catch {
                // Everything is looked at when the store is back.
                desk.recorder.storeFailed("\(error)")
            }
        }
    }

    private func look(at id: TunnelID, in registry: any TunnelRegistry, _ desk: InboxDesk) async throws {
        let before = desk.record(id)
        guard let record = try await desk.look(at: id) else {
            registry.tunnel(id)?.inbox = nil
            return
        }
        // What this edge has done itself comes back to it.
        guard record != before || registry.tunnel(id)?.inbox == nil else { return }
        await self.restore(record, to: registry, desk)
    }

    private func lookAtAll(in registry: any TunnelRegistry, _ desk: InboxDesk) async throws {
        let before = desk.records.compactMap { TunnelID($0.tunnelID) }
        for record in try await desk.load() { await self.restore(record, to: registry, desk) }
        for id in before where desk.record(id) == nil { registry.tunnel(id)?.inbox = nil }
    }

    /// Removes what is kept long enough, keeps what tunnels have become, and takes figures, until the task is cancelled.
    func lookAfter(_ registry: any TunnelRegistry) async {
        guard let desk else { return }
        while !Task.isCancelled {
            do {
                for record in desk.records {
                    guard let id = TunnelID(record.tunnelID), let tunnel = registry.tunnel(id),
                        tunnel.owner == record.owner, tunnel.version > record.version
                    else { continue }
                    var changed = record
                    (changed.policy, changed.version) = (tunnel.policy, tunnel.version)
                    _ = try await desk.set(changed, of: id)
                }
                let report = try await desk.store.sweep(now: Date())
                if report.expired > 0 {
                    self.logger.warning("messages waited too long", metadata: ["count": "\(report.expired)"])
                }
                self.metrics.show(try await desk.store.figures(), now: Date())
            } catch {
                desk.recorder.storeFailed("\(error)")
            }
            try? await Task.sleep(for: Self.interval)
        }
    }
}

/// Counts what inboxes do, and writes down what an operator has to know.
private struct InboxLog: InboxRecorder {
    let metrics: InboxMetrics
    let logger: Logger

    func stored() { self.metrics.stored() }

    func refused(_ reason: InboxRefusal) { self.metrics.refused(reason) }

    func concluded(_ outcome: DeliveryOutcome) { self.metrics.concluded(outcome) }

    func storeFailed(_ why: String) { self.logger.error("the store of inboxes failed", metadata: ["why": "\(why)"]) }
}
