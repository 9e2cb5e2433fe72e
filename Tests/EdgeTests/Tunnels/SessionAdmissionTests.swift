// SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging
import Mux
import NIOCore
import NIOPosix
import Protocol
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

/// Connectors' sessions over real sockets, without the opening handshake.
@Suite("Sessions join and leave their tunnel")
struct SessionAdmissionTests {
    private let fixture = AdmissionFixture()

    private func connect(to server: any Channel, bundle: UInt8) async throws -> any Channel {
        var configuration = SessionConfiguration(role: .connector)
        configuration.settings.bundle = SessionSettings.Bundle(
            id: Array(repeating: bundle, count: 16),
            index: 0,
            count: 1
        )
        return try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelInitializer { [configuration] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(SessionHandler(configuration: configuration))
                }
            }
            .connect(to: try #require(server.localAddress))
            .get()
    }

    @Test(
        "A connector that comes back takes over at once, a hundred times, from one that is frozen",
        .timeLimit(.minutes(2))
    )
    func takeOver() async throws {
        let tokens = try await self.fixture.tokens()
        let (token, _) = try await tokens.issue(for: self.fixture.specification(), edge: "http://e", lifetime: 600)
        let server = try await self.fixture.listen(self.fixture.endpoint(tokens), token: token)
        let tunnel = try await self.fixture.registry.restore(self.fixture.specification())
        var clients: [any Channel] = []
        var sessions: [Remembered] = []
        var last: UInt64 = 0
        for _ in 0..<100 {
            let client = try await self.connect(to: server, bundle: 1)
            clients.append(client)
            try await self.fixture.within(AdmissionFixture.patience, "the new session serves") {
                tunnel.sessions.count == 1 && tunnel.sessions[0].id > last
            }
            last = tunnel.sessions.first?.id ?? 0
            sessions += tunnel.sessions.map { Remembered(session: $0) }
            // A frozen peer: its kernel takes bytes, but nobody answers and nothing is closed.
            try await client.setOption(.autoRead, value: false).get()
        }
        #expect(self.fixture.metrics.prometheusText().contains("culvert_sessions_total 100\n"))
        try await self.fixture.within(AdmissionFixture.patience, "the replaced ones have left") {
            self.fixture.metrics.prometheusText().contains("\nculvert_active_sessions 1\n")
        }
        for client in clients { try? await client.close() }
        try await self.fixture.within(AdmissionFixture.patience, "the last one has left") {
            tunnel.sessions.isEmpty && self.fixture.hasNoSession
        }
        // A timer that was left behind would hold its session.
        #expect(sessions.count == 100)
        try await self.fixture.within(AdmissionFixture.patience, "nothing holds a session that has ended") {
            sessions.allSatisfy { $0.session == nil }
        }
        try await server.close()
    }

    /// A session, without keeping it alive.
    private struct Remembered {
        weak var session: TunnelSession?
    }

    @Test("Connectors with different identities serve side by side")
    func sideBySide() async throws {
        let tokens = try await self.fixture.tokens()
        let (token, _) = try await tokens.issue(for: self.fixture.specification(), edge: "http://e", lifetime: 600)
        let server = try await self.fixture.listen(self.fixture.endpoint(tokens), token: token)
        let tunnel = try await self.fixture.registry.restore(self.fixture.specification())
        let one = try await self.connect(to: server, bundle: 1)
        let other = try await self.connect(to: server, bundle: 2)
        try await self.fixture.within(AdmissionFixture.patience, "both serve") { tunnel.sessions.count == 2 }
        try await one.close()
        try await self.fixture.within(AdmissionFixture.patience, "one is left") { tunnel.sessions.count == 1 }
        try await other.close()
        try await server.close()
    }

    @Test("A live session ends with its token")
    func expiry() async throws {
        // The token is let in by a clock that is behind, and has ended by the time that the session is there.
        let tokens = try await self.fixture.tokens(behind: 600)
        let (token, _) = try await tokens.issue(for: self.fixture.specification(), edge: "http://e", lifetime: 600)
        let server = try await self.fixture.listen(self.fixture.endpoint(tokens), token: token)
        let client = try await self.connect(to: server, bundle: 1)
        try await client.closeFuture.get()
        try await self.fixture.within(AdmissionFixture.patience, "it has left") { self.fixture.hasNoSession }
        #expect(self.fixture.metrics.prometheusText().contains("culvert_sessions_total 1\n"))
        try await server.close()
    }

    @Test("A live session ends when its tunnel is deleted")
    func deletion() async throws {
        let tokens = try await self.fixture.tokens()
        let (token, _) = try await tokens.issue(for: self.fixture.specification(), edge: "http://e", lifetime: 600)
        let server = try await self.fixture.listen(self.fixture.endpoint(tokens), token: token)
        let tunnel = try await self.fixture.registry.restore(self.fixture.specification())
        let client = try await self.connect(to: server, bundle: 1)
        try await self.fixture.within(AdmissionFixture.patience, "it serves") { tunnel.sessions.count == 1 }
        for session in tunnel.close(isDeleted: true) { session.revoke() }
        try await client.closeFuture.get()
        try await self.fixture.within(AdmissionFixture.patience, "it has left") { self.fixture.hasNoSession }
        try await server.close()
    }

    @Test("A token that is refused gets one answer, whatever is wrong with it")
    func refusals() async throws {
        let tokens = try await self.fixture.tokens()
        let endpoint = self.fixture.endpoint(tokens)
        let (token, _) = try await tokens.issue(for: self.fixture.specification(), edge: "http://e", lifetime: 600)
        var answers = Set<String>()
        for (id, credential) in [
            ("my-app", nil), ("my-app", "Bearer x"), ("my-app", "Basic \(token)"), ("other-app", "Bearer \(token)"),
            ("!", "Bearer \(token)"), ("my-app", "Bearer \(token)x"),
        ] {
            var fields: [(name: String, value: String)] = [
                ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", WebSocketHandshake.makeKey()),
                ("Sec-WebSocket-Protocol", WebSocketHandshake.subprotocol),
            ]
            if let credential { fields.append(("Authorization", credential)) }
            let requestID = RequestID()
            let decision = await endpoint.decide(
                tunnelID: id,
                fields: fields,
                remoteAddress: nil,
                requestID: requestID
            )
            guard case .refuse(let response, let body) = decision else {
                return #expect(Bool(false), "a bad token was accepted")
            }
            answers.insert("\(response) \(String(buffer: body))".replacing(requestID.description, with: ""))
        }
        #expect(answers.count == 1)
        #expect(answers.first?.contains("invalid_token") == true)
    }
}
