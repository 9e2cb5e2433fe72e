// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    /// A connector whose connections break again and again, while exchanges of every kind run.
    @Suite("Connections that break", .serialized)
    struct ConnectionsThatBreak {
        private static let cuts = Programs.isFullSize ? 30 : 4
        /// Between two cuts.
        private static let interval = Programs.isFullSize ? 3.0 : 1.5

        @Test(
            "Downloads, uploads, conversations, event streams and POSTs outlive connections that break",
            arguments: [false, true]
        )
        func exchanges(isSilent: Bool) async throws {
            let scratch = try ScratchFolder()
            let originPort = try FreePort.next()
            let edge = try await EdgeProcess(in: scratch)
            let path = try await TroubledPath(to: edge.port)
            let connector = try RunningProcess(
                Programs.product("culvert"),
                ["http", "\(originPort)", "--edge", "http://127.0.0.1:\(path.port)", "--log-format", "json"],
                environment: ["CULVERT_API_KEY": edge.apiKey],
                in: scratch
            )
            let printed = try await connector.line(startingWith: "http")
            let url = "\(edge.url)/\(TunnelFixture.id(inURL: printed))/"
            try await eventually("both connections") {
                try await edge.metric("culvert_active_sessions", in: scratch) == 2 ? () : nil
            }
            let silence = isSilent ? 3.0 : 0
            let seconds = Double(Self.cuts) * (Self.interval + silence) + 2
            let exchanges = try await CutExchanges(originPort: originPort, url: url, seconds: seconds, in: scratch)
            for _ in 0..<Self.cuts {
                try await Task.sleep(for: .seconds(Self.interval))
                if isSilent {
                    try await path.become(.frozen)
                    try await Task.sleep(for: .seconds(silence))
                }
                try await path.breakConnections()
                if isSilent { try await path.become(.passing) }
            }
            let outcome = try await exchanges.outcome()
            let resumed = try await edge.metric("culvert_sessions_resumed_total", in: scratch)
            print("cuts: \(Self.cuts), silent \(isSilent): \(outcome), \(resumed) resumptions")
            #expect(outcome.failures == [])
            #expect(outcome.downloads >= 3 && outcome.uploads >= 3 && outcome.messages > 20 && outcome.posts > 50)
            #expect(outcome.events == 3 * Int(seconds * 10))
            #expect(resumed >= Double(Self.cuts))
            #expect(try await edge.metric("culvert_sessions_total", in: scratch) == 2)
            if !isSilent { #expect(outcome.worst < 1_000) }
        }

        @Test(
            "A connector that leaves is not waited for; what one that was killed had under way ends with its time to return"
        )
        func endOfConnector() async throws {
            for signal in [SIGTERM, SIGKILL] {
                let scratch = try ScratchFolder()
                let edge = try await EdgeProcess(in: scratch, arguments: ["--dev", "--tunnel-resume", "3s"])
                let sample = try await SampleOrigin(in: scratch)
                let connector = try RunningProcess(
                    Programs.product("culvert"),
                    ["http", "\(sample.port)", "--edge", edge.url],
                    environment: ["CULVERT_API_KEY": edge.apiKey],
                    in: scratch
                )
                let printed = try await connector.line(startingWith: "http")
                try await eventually("both connections") {
                    try await edge.metric("culvert_active_sessions", in: scratch) == 2 ? () : nil
                }
                guard signal == SIGKILL else {
                    connector.send(signal: signal)
                    #expect(try await connector.end() == .exited(0))
                    try await eventually("the end of both sessions") {
                        try await edge.metric("culvert_active_sessions", in: scratch) == 0 ? () : nil
                    }
                    #expect(try await edge.metric("culvert_sessions_suspended", in: scratch) == 0)
                    continue
                }
                let clock = try RunningProcess("curl", ["-sS", "--no-buffer", "\(printed)clock"], in: scratch)
                _ = try await clock.line(startingWith: "data")
                connector.send(signal: signal)
                let start = ContinuousClock.now
                _ = try await clock.end()
                let pause = ContinuousClock.now - start
                print("a stream of events ends \(pause) after its connector was killed")
                #expect(pause > .seconds(2) && pause < .seconds(10))
                try await eventually("nothing is left") {
                    try await edge.metric("culvert_sessions_suspended", in: scratch) == 0 ? () : nil
                }
            }
        }

        private static var mayMakeNetworks: Bool {
            Programs.isFullSize && geteuid() == 0
        }

        @Test(
            "Nothing fails when the connector's interface goes down and another one, with another address, comes up",
            .enabled(if: ConnectionsThatBreak.mayMakeNetworks, "the long tier, as root")
        )
        func otherNetwork() async throws {
            let scratch = try ScratchFolder()
            let moves = 10
            let process = try RunningProcess(
                "unshare",
                [
                    "--net", "python3", Programs.peer("roaming_path.py"), Programs.product("culvert-edge"),
                    Programs.product("culvert"), Programs.peer("cut_exchanges.py"), "\(moves)",
                    "\(CutExchanges.mebibytes)", try scratch.folder("network").path,
                ],
                in: scratch
            )
            let output = Data(try await process.successfulOutput(within: .seconds(240)).utf8)
            let outcome = try JSONDecoder().decode(CutExchanges.Outcome.self, from: output)
            let counts = try JSONDecoder().decode([String: Double].self, from: Self.figures(output))
            print("\(moves) changes of the network: \(outcome), \(counts)")
            #expect(outcome.failures == [])
            #expect(outcome.downloads >= 3 && outcome.uploads >= 3 && outcome.messages > 20 && outcome.posts > 50)
            #expect(counts["resumed"] ?? 0 >= Double(2 * moves))
            #expect(counts["sessions"] == 2)
        }

        /// The members that are numbers.
        private static func figures(_ output: Data) throws -> Data {
            let all = try JSONSerialization.jsonObject(with: output) as? [String: Any] ?? [:]
            return try JSONSerialization.data(withJSONObject: all.filter { $0.value is NSNumber })
        }
    }
}
