// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import NIOPosix
import Testing

@testable import Edge
@testable import EdgeTunnels

@Suite("The admin listener")
struct AdminListenerTests {
    private func withListener(_ body: (ListenAddress) async throws -> Void) async throws {
        let listener = AdminListener(endpoint: AdminEndpoint(readiness: Readiness(), metrics: EdgeMetrics()))
        let group = MultiThreadedEventLoopGroup.singleton
        let admin = try await listener.bind(to: ListenAddress(host: "127.0.0.1", port: 0), group: group)
        var address = ListenAddress(host: "127.0.0.1", port: 0)
        address.port = try #require(admin.localAddress?.port)
        try await body(address)
        try await admin.close()
    }

    @Test("It answers GET and HEAD, one after the other on a connection, and refuses the rest")
    func answers() async throws {
        try await self.withListener { address in
            let visitor = try await RawVisitor.connect(to: address)
            for (request, status) in [
                ("GET /healthz", 200), ("GET /readyz?verbose", 503), ("GET /metrics", 200),
                ("GET /api/tunnels/list", 404),
                ("POST /healthz", 405),
            ] {
                try await visitor.send("\(request) HTTP/1.1\r\nHost: admin\r\n\r\n")
                let answer = try await visitor.answer()
                #expect(answer.status == status, "\(request)")
                #expect(answer["Cache-Control"] == "no-store")
            }
            try await visitor.send("GET /healthz HTTP/1.0\r\n\r\n")
            #expect(try await visitor.answer().status == 200)
            try await visitor.end(within: .seconds(10))
        }
    }

    @Test("A probe is heard when more are connected than may be: the oldest gives way")
    func crowd() async throws {
        try await self.withListener { address in
            var visitors = [try await RawVisitor.connect(to: address)]
            // Connections are set up on several event loops: only one that is heard has come before the others.
            try await visitors[0].send("GET /healthz HTTP/1.1\r\nHost: admin\r\n\r\n")
            #expect(try await visitors[0].answer().status == 200)
            for _ in 0..<AdminListener.maximumConnections { visitors.append(try await RawVisitor.connect(to: address)) }
            try await visitors.last?.send("GET /healthz HTTP/1.1\r\nHost: admin\r\n\r\n")
            #expect(try await visitors.last?.answer().status == 200)
            try await visitors[0].end(within: .seconds(10))
        }
    }
}
