// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Requests with bodies while connectors leave", .serialized)
    struct DrainingPosts {
        private static let rounds = Programs.isFullSize ? 20 : 3

        /// What `draining_posts.py` prints.
        struct Tally: Decodable {
            var requests: Int
            var failures: [String]
        }

        @Test("Of two connections each leaves in turn, and none of a hundred POSTs a second fails")
        func eachInTurn() async throws {
            let scratch = try ScratchFolder()
            let port = try FreePort.next()
            let edge = try await EdgeProcess(in: scratch)
            let tunnel = try await edge.createTunnel(in: scratch)
            func connect() throws -> RunningProcess {
                try RunningProcess(
                    Programs.product("culvert"),
                    ["connect", "--to", "\(port)", "--connections", "1"],
                    environment: ["CULVERT_TOKEN": tunnel.token],
                    in: scratch
                )
            }
            func serving(_ count: Int) async throws {
                try await eventually("\(count) connectors") {
                    // The admin listener's figure: the control API would limit so many questions.
                    try await edge.metric("culvert_active_sessions", in: scratch) == Double(count) ? () : nil
                }
            }
            var connectors = [try connect(), try connect()]
            try await serving(2)
            let stop = scratch.file("stop")
            let peer = try RunningProcess.peer(
                "draining_posts.py",
                ["\(port)", "\(edge.url)/\(tunnel.id)/", stop.path],
                in: scratch
            )
            _ = try await peer.line(startingWith: "posting")
            for round in 0..<(2 * Self.rounds) {
                let index = round % 2
                connectors[index].send(signal: SIGINT)
                #expect(try await connectors[index].end() == .exited(0), "round \(round)")
                try await serving(1)
                connectors[index] = try connect()
                try await serving(2)
            }
            try Data().write(to: stop)
            let output = try await peer.successfulOutput(within: .seconds(60))
            let last = try #require(output.split(separator: "\n").last)
            let tally = try JSONDecoder().decode(Tally.self, from: Data(last.utf8))
            print(
                "POSTs while connectors leave: \(tally.requests) in \(Self.rounds) rounds, failed \(tally.failures.count)"
            )
            #expect(tally.failures == [])
            #expect(tally.requests > 100)
        }
    }
}
