// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import Testing

@testable import ConnectorCore

@Suite("Names at and below localhost", .timeLimit(.minutes(1)))
struct LocalhostTests {
    @Test(
        "They are told from others (RFC 6761, section 6.3)",
        arguments: [
            ("localhost", true), ("edge.localhost", true), ("A.B.LocalHost", true), ("localhost.", true),
            ("edge.localhost.", true), ("notlocalhost", false), ("localhost.example", false), ("127.0.0.1", false),
            ("", false), (".", false),
        ]
    )
    func names(name: String, isLocalhost: Bool) {
        #expect(Authority.isLocalhost(name) == isLocalhost)
    }

    @Test("They lead to loopback, by either address, whatever the resolver says", arguments: ["127.0.0.1", "::1"])
    func connect(address: String) async throws {
        let origin = try await LocalOrigin.start(.swallow, host: address)
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let channel = try await ClientBootstrap.reaching("no.such.localhost", on: eventLoop)
            .connect(host: "no.such.localhost", port: origin.port).get()
        #expect(channel.remoteAddress?.ipAddress == address)
        try await channel.close()
        #expect(await origin.nextEnding() != nil)
        try await origin.listener.close()
    }
}
