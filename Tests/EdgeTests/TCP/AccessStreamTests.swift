// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Mux
import NIOCore
import NIOEmbedded
import Protocol
import Synchronization
import Testing

@testable import EdgeTCP
@testable import EdgeTunnels

@Suite("Streams of a visitor's own session")
struct AccessStreamTests {
    private final class Faults: ConnectionRecorder {
        let all = Mutex<[ConnectionFault?]>([])
        func started(_ kind: TunnelKind) {}
        func finished(_ entry: ConnectionEntry) { self.all.withLock { $0.append(entry.fault) } }
    }

    /// A session of a visitor, whose access token is of one owner's tunnel.
    private struct Visit {
        let visitor: EmbeddedChannel
        let edge: EmbeddedChannel
        let session: SessionHandler

        init(services: ConnectionServices, _ id: TunnelID, of owner: String) throws {
            let loop = EmbeddedEventLoop()
            var configuration = SessionConfiguration(role: .edge)
            configuration.settings.maximumStreams = 8
            self.session = SessionHandler(configuration: SessionConfiguration(role: .connector))
            self.visitor = EmbeddedChannel(handler: self.session, loop: loop)
            self.edge = EmbeddedChannel(
                handler: SessionHandler(configuration: configuration) { stream in
                    TunnelConnection.serve(services, stream, tunnel: id, of: owner, from: nil)
                },
                loop: loop
            )
            let address = try SocketAddress(ipAddress: "127.0.0.1", port: 1)
            for end in [self.visitor, self.edge] { try end.connect(to: address).wait() }
            try self.settle()
        }

        func open(_ id: TunnelID) throws {
            _ = try self.session.openStream(kind: .tcp, metadata: OpenMetadata(target: id.description)) { _ in }
            try self.settle()
        }

        private func settle() throws {
            for _ in 0..<8 {
                self.visitor.embeddedEventLoop.run()
                for (from, to) in [(self.visitor, self.edge), (self.edge, self.visitor)] {
                    while let bytes = try from.readOutbound(as: ByteBuffer.self) { try to.writeInbound(bytes) }
                }
            }
        }
    }

    @Test("Later streams of a session end with the owner whose access token opened it, though its name leads somewhere")
    func otherOwner() async throws {
        let registry = InMemoryTunnelRegistry()
        let faults = Faults()
        let services = ConnectionServices(
            settings: ConnectionSettings(),
            registry: registry,
            places: ConnectionPlaces(limit: 100, perAddress: 100),
            recorder: faults,
            connections: VisitorConnections()
        )
        let id = try #require(TunnelID("my-app"))
        func specification(_ owner: String, at seconds: Double) -> TunnelSpecification {
            TunnelSpecification(
                id: id,
                owner: owner,
                policy: TunnelPolicy(),
                createdAt: Date(timeIntervalSince1970: seconds)
            )
        }
        let first = try await registry.restore(specification("ann", at: 10))
        try self.visit(services, id, whoseIs: first)
        let next = try await registry.restore(specification("bob", at: 20))
        try self.visit(services, id, whoseIs: next)
        #expect(faults.all.withLock { $0.filter { $0 == .tunnelNotFound } }.count == 1)
    }

    /// A visitor with a token of ann's opens a stream, and one of whoever has the tunnel.
    private func visit(_ services: ConnectionServices, _ id: TunnelID, whoseIs tunnel: Tunnel) throws {
        for owner in Set(["ann", tunnel.owner]) {
            let before = tunnel.counters.requests
            try Visit(services: services, id, of: owner).open(id)
            #expect(tunnel.counters.requests - before == (owner == tunnel.owner ? 1 : 0))
        }
    }
}
