// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Mux
import NIOCore
import NIOEmbedded
import Protocol
import Testing

@testable import EdgeTunnels

@Suite("Sessions of visitors with access tokens")
struct AccessSessionsTests {
    @Test("They end when the tunnel's name is another owner's than that of their tokens, and others go on")
    func moved() throws {
        let loop = EmbeddedEventLoop()
        let sessions = AccessSessions()
        func join(_ tunnel: String, owner: String) throws -> SessionHandler {
            let session = SessionHandler(configuration: SessionConfiguration(role: .edge))
            let number = sessions.join(
                session,
                on: loop,
                tunnel: try #require(TunnelID(tunnel)),
                owner: owner,
                tokenIssuedAt: 10,
                signedBy: SigningKeyStamp(kid: "key", bytes: []),
                lifetime: .hours(1)
            )
            try #require(number != nil)
            return session
        }
        let (before, after) = (try join("my-app", owner: "ann"), try join("my-app", owner: "bob"))
        let other = try join("other-app", owner: "ann")
        sessions.end(of: try #require(TunnelID("my-app")), unlessOwnedBy: "bob")
        loop.run()
        #expect(before.phase == .closing || before.phase == .closed)
        #expect(after.phase == .helloWait && other.phase == .helloWait)
        withExtendedLifetime((before, after, other)) {}
    }
}
