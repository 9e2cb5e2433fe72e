// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Take-over", .serialized)
    struct TakeOver {
        private static let rounds = Programs.isFullSize ? 100 : 12
        /// Long after this a frozen connector is dead to the edge: three times the heartbeat interval set below.
        private static let lifeOfTheFrozen = Duration.seconds(10)

        @Test("While the connector before it is frozen, each new one serves within a second, and nothing stays behind")
        func fight() async throws {
            let scratch = try ScratchFolder()
            let origins = [try await NginxOrigin(in: scratch), try await NginxOrigin(in: ScratchFolder())]
            for (index, origin) in origins.enumerated() {
                try Data("origin \(index)".utf8).write(to: origin.files.appendingPathComponent("who"))
            }
            // The session of a connector that vanished would be kept for a while.
            let edge = try await EdgeProcess(
                in: scratch,
                arguments: ["--dev", "--tunnel-heartbeat-interval", "2s", "--tunnel-resume", "0s"]
            )
            let tunnel = try await edge.createTunnel(in: scratch)
            let url = "\(edge.url)/\(tunnel.id)/files/who"
            func connect(_ round: Int) throws -> RunningProcess {
                try RunningProcess(
                    Programs.product("culvert"),
                    ["connect", "--to", "\(origins[round % 2].port)", "--connections", "1"],
                    environment: ["CULVERT_TOKEN": tunnel.token],
                    in: scratch
                )
            }
            var current = try connect(0)
            try await eventually("the first connector") {
                try await Curl.get(url, in: scratch).status == 200 ? () : nil
            }
            let filesBefore = try edge.process.openFiles()

            var frozen: [(process: RunningProcess, since: ContinuousClock.Instant)] = []
            var slowest = Duration.zero
            for round in 1...Self.rounds {
                current.send(signal: SIGSTOP)
                frozen.append((current, .now))
                let sessions = try await edge.metric("culvert_sessions_total", in: scratch)
                current = try connect(round)
                try await eventually("connector \(round)") {
                    try await edge.metric("culvert_sessions_total", in: scratch) > sessions ? () : nil
                }
                let start = ContinuousClock.now
                let answer = try await Curl.get(url, ["--max-time", "10"], in: scratch)
                let duration = ContinuousClock.now - start
                slowest = max(slowest, duration)
                #expect(answer.body == "origin \(round % 2)", "round \(round): \(answer.status)")
                #expect(duration < .seconds(1), "round \(round)")
                // What the edge has forgotten by itself may really end.
                frozen.removeAll { $0.since < .now - Self.lifeOfTheFrozen }
            }

            // The last ones are frozen still: nothing but the heartbeat tells the edge that they are gone.
            #expect(!frozen.isEmpty)
            try await eventually("the frozen ones are forgotten") {
                try await edge.metric("culvert_active_sessions", in: scratch) == 1 ? () : nil
            }
            #expect(try await edge.status(of: tunnel.id, in: scratch).sessions.count == 1)
            try await eventually("their connections are closed") {
                try edge.process.openFiles() <= filesBefore ? () : nil
            }
            let files = try edge.process.openFiles()
            // Until here they are processes that are stopped, not ended.
            withExtendedLifetime(frozen) {}
            print(
                "take-over: \(Self.rounds) rounds, slowest \(slowest), open files \(filesBefore) before, \(files) after"
            )
        }
    }
}
