// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Tunnels of TCP", .serialized)
    struct TCP {
        /// What the peer prints.
        struct Tally: Decodable {
            var done: [String]
            var failures: [String]
        }

        @Test("Bytes, ends, resets, bounds and ports of raw sockets are as docs/tcp.md says")
        func rawSockets() async throws {
            try await self.run("raw", cases: 11)
        }

        @Test("An end is an end and a reset a reset, either way, in tunnels of TCP and TLS and through private access")
        func ends() async throws {
            try await self.run("ends", cases: 3)
        }

        @Test(
            "nginx, HAProxy, ssh, scp, rsync, psql, pgbench, redis-benchmark, mosquitto and iperf3 work through a tunnel of TCP"
        )
        func programs() async throws {
            try await self.run("programs", cases: 7)
        }

        @Test(
            "Private tunnels are reached by culvert access alone, with tokens that end and can be revoked"
        )
        func privateAccess() async throws {
            try await self.run("access", cases: 8)
        }

        @Test(
            "Tunnels of TLS show the origin's own certificate, and end whoever names none of them"
        )
        func passthrough() async throws {
            try await self.run("passthrough", cases: 2)
        }

        private func run(_ group: String, cases: Int) async throws {
            let scratch = try ScratchFolder()
            let folder = URL(fileURLWithPath: try Programs.product("culvert")).deletingLastPathComponent().path
            let peer = try RunningProcess(
                Programs.python,
                ["-B", Programs.peer("tcp"), folder, group],
                environment: Programs.sizeVariables,
                in: scratch
            )
            let output = try await peer.successfulOutput(within: .seconds(Programs.isFullSize ? 900 : 240))
            let line = try #require(output.split(separator: "\n").last)
            let tally = try JSONDecoder().decode(Tally.self, from: Data(line.utf8))
            #expect(tally.failures == [])
            #expect(tally.done.count == cases)
        }
    }
}
