// SPDX-License-Identifier: Apache-2.0

import EdgeControl
import EdgeLinks
import EdgeTunnels
import Logging
import Mux
import NIOCore
import Program

/// The running edge's links to others.
struct ClusterLinks: Sendable {
    private let configuration: EdgeConfiguration
    private let address: ListenAddress
    private let table: LinkTable
    private let tokens: LinkTokens
    private let registry: DirectoryTunnelRegistry
    private let recorder: any LinkRecorder
    /// What encrypts links; `nil` where they are not encrypted.
    private let tls: ReloadedTLS<LinkTLS>?
    private let logger = Logger(label: "culvert.links")

    /// Makes what a configuration asks for; `nil` for an edge that serves its own tunnels alone.
    ///
    /// - Parameters:
    ///   - configuration: What the edge is set to.
    ///   - registry: Knows where tunnels are.
    ///   - sessions: What the edge's sessions bring along.
    ///   - keys: The keys that edges have in common.
    ///   - metrics: Counts.
    ///   - group: The event loops.
    /// - Throws: ``CredentialError``, or ``CredentialFiles/Failure`` for a file of `cluster.tls` that can't be used.
    init?(
        _ configuration: EdgeConfiguration,
        registry: EdgeRegistry,
        sessions: SessionConfiguration,
        keys: [SigningKey],
        metrics: EdgeMetrics,
        group: any EventLoopGroup
    ) async throws {
        guard let address = configuration.cluster.listen, let registry = registry.registry else { return nil }
        self.configuration = configuration
        self.address = address
        self.registry = registry
        self.recorder = metrics.links
        let tokens = try await LinkTokens(keys: keys)
        self.tokens = tokens
        let own = registry.publisher.pod
        let tls = try LinkTLS.reloaded(configuration.cluster)
        self.tls = tls
        self.table = LinkTable(
            own: own,
            tunnels: registry.local,
            configuration: sessions,
            dialer: LinkDialer(
                group: group,
                pods: registry.publisher.pods,
                secure: tls?.securesDialled,
                makeToken: { try await tokens.issue(from: own, to: $0) }
            ),
            recorder: metrics.links,
            logger: self.logger
        )
        registry.seeker.use(self.table)
    }

    /// Which of the edges this is, for connectors.
    var presence: EdgePresence { EdgePresence(pod: self.table.own, pods: self.registry.publisher.pods) }

    /// Takes other keys instead, and ends the links that were opened with one that is gone.
    func replaceKeys(with keys: [SigningKey]) async throws {
        try await self.tokens.replaceKeys(with: keys)
        let tokens = self.tokens
        self.table.endUnlessSigned { tokens.accepts($0) }
    }

    /// Listens, and has the other edges told where.
    func bind(group: any EventLoopGroup) async throws -> any Channel {
        let table = self.table
        let endpoint = LinkEndpoint(
            tokens: self.tokens,
            own: table.own,
            logger: self.logger,
            refused: { [recorder] in recorder.linkRefused() },
            makeHandler: { table.accepted(from: $0, signedBy: $1, on: $2) }
        )
        let channel = try await LinkListener(endpoint: endpoint, secure: self.tls?.securesAccepted)
            .bind(to: self.address, group: group)
        var reached = self.configuration.cluster.advertise ?? self.address
        if reached.port == 0 { reached.port = channel.localAddress?.port ?? 0 }
        self.registry.publisher.tell(PodInfo(address: "\(reached)", version: ProgramVersion.current))
        self.logger.info(
            "listening for other edges",
            metadata: [
                "listen": "\(self.address)", "advertise": "\(reached)", "pod": "\(table.own)",
                "encrypted": "\(self.tls != nil)",
            ]
        )
        return channel
    }

    /// Has the other edges told that connectors are not to come here any more.
    func beginLeaving() { self.registry.publisher.beginLeaving() }

    /// Takes up renewed files of `cluster.tls`, for links that begin later.
    ///
    /// - Returns: Whether there was a change.
    /// - Throws: ``CredentialFiles/Failure`` for a file that can't be used.
    func reloadCertificateIfChanged() throws -> Bool { try self.tls?.reloadIfChanged() ?? false }

    /// Lets other edges finish what they have under way here, and ends the links.
    ///
    /// - Parameter whenDone: Called once no link is left.
    func leave(whenDone: @escaping @Sendable () -> Void) {
        self.table.drain(gracePeriod: self.configuration.shutdownGrace, whenDone: whenDone)
    }
}
