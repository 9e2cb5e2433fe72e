// SPDX-License-Identifier: Apache-2.0

import Foundation
import Mux
import NIOCore
import NIOPosix
import Protocol
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

/// A connector that is let in by its upgrade, and then says nothing for as long as it may.
@Suite("A HELLO that is held back", .timeLimit(.minutes(1)))
struct HeldHelloTests {
    private let fixture = AdmissionFixture()

    /// What ends the token between the upgrade and the HELLO.
    enum Ending: CaseIterable, Sendable {
        case revocation
        case overlap
        case removedKey
        case deletion
        case anotherOwner
    }

    @Test("What ended between the upgrade and the HELLO is seen when the session joins", arguments: Ending.allCases)
    func heldBack(ending: Ending) async throws {
        let tokens = try await self.fixture.tokens()
        let specification = try self.fixture.specification()
        let (token, _) = try await tokens.issue(for: specification, edge: "http://e", lifetime: 600)
        let server = try await self.fixture.listen(self.fixture.endpoint(tokens), token: token)
        let client = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelOption(.autoRead, value: false)
            .connect(to: try #require(server.localAddress))
            .get()
        let registry = self.fixture.registry
        try await self.fixture.within(AdmissionFixture.patience, "it is let in") {
            registry.tunnel(specification.id) != nil
        }
        let tunnel = try #require(registry.tunnel(specification.id))
        switch ending {
        case .revocation: tokens.endTokens(of: specification.id)
        case .overlap: tokens.endTokens(of: specification.id, at: Date().addingTimeInterval(300))
        case .removedKey:
            let secret = Data(repeating: 8, count: 32).base64EncodedString()
            try await tokens.replaceKeys(with: [SigningKey(kid: "k", secret: secret)])
        case .deletion:
            tokens.endTokens(of: specification.id)
            _ = await registry.remove(specification.id, keepingNameFor: .zero)
            #expect(tunnel.close(isDeleted: true).isEmpty)
        case .anotherOwner:
            var taken = specification
            taken.owner = "bob"
            taken.version += 1
            _ = try await registry.restore(taken)
        }
        try await client.eventLoop.submit {
            try client.pipeline.syncOperations.addHandler(
                SessionHandler(configuration: SessionConfiguration(role: .connector))
            )
        }.get()
        try await client.setOption(.autoRead, value: true).get()
        // Within an overlap it may serve, and no longer.
        if ending == .overlap {
            try await self.fixture.within(AdmissionFixture.patience, "it serves until the end of the overlap") {
                tunnel.sessions.first?.expiresAt.map { $0 < Date().addingTimeInterval(301) } ?? false
            }
            for session in tunnel.sessions { session.limitLifetime(to: Date()) }
        }
        try await client.closeFuture.get()
        try await self.fixture.within(AdmissionFixture.patience, "it has left") { self.fixture.hasNoSession }
        let joined = self.fixture.metrics.prometheusText().contains("culvert_sessions_total 1\n")
        #expect(joined == (ending == .overlap))
        #expect(tunnel.sessions.isEmpty)
        try await server.close()
    }
}
