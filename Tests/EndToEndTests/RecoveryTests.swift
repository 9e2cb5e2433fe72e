// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Recovery", .serialized)
    struct Recovery {
        @Test("After the edge was killed and started again, the same URL answers without help")
        func killedEdge() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let tunnel = try await TunnelFixture(originPort: origin.port, in: scratch)
            try await tunnel.waitUntilItAnswers(at: "saw/")
            for _ in 0..<2 {
                try await tunnel.edge.crash()
                try await tunnel.edge.restart()
                let start = ContinuousClock.now
                try await tunnel.waitUntilItAnswers(at: "saw/again")
                print("back \(ContinuousClock.now - start) after the edge")
            }
            #expect(tunnel.connector.isRunning)
        }

        @Test(
            "A connector that is asked to stop exits with 0; a tunnel with a name is offline then, another is gone",
            arguments: [(["--name", "kept"], 503, "tunnel_offline"), ([], 404, "tunnel_not_found")]
        )
        func stoppedConnector(options: [String], status: Int, code: String) async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let tunnel = try await TunnelFixture(originPort: origin.port, options: options, in: scratch)
            try await tunnel.waitUntilItAnswers(at: "saw/")
            tunnel.connector.send(signal: SIGTERM)
            #expect(try await tunnel.connector.end() == .exited(0))
            let answer = try await Curl.get(tunnel.url, in: scratch)
            #expect(answer.status == status)
            #expect(answer["Culvert-Error"] == code)
        }

        @Test("An edge that is asked to stop exits with 0")
        func stoppedEdge() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            edge.process.send(signal: SIGTERM)
            #expect(try await edge.process.end() == .exited(0))
        }
    }
}
