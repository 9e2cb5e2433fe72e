// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import Testing

@testable import Edge

extension EdgeUnderTest {
    /// Starts an edge that has one port for tunnels of TCP, which nobody else has.
    static func run(
        tcpPort settings: (Int) -> [String],
        _ body: (EdgeUnderTest, Int) async throws -> Void
    ) async throws {
        let probe = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(probe.localAddress?.port)
        try await probe.close()
        try await Self.run(settings(port)) { try await body($0, port) }
    }

    /// The answer of an edge without such ports to a call that makes a tunnel.
    static func refusal(of body: String) async throws -> RawAnswer {
        var answer: RawAnswer?
        try await Self.run { answer = try await $0.call("POST", "tunnels/create", body: body) }
        return try #require(answer)
    }

    /// Comes to a port of a tunnel of TCP.
    func visit(_ port: Int, host: String = "127.0.0.1") async throws -> RawVisitor {
        try await RawVisitor.connect(to: ListenAddress(host: host, port: port))
    }
}
