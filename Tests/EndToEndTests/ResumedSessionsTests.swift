// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    /// A connector whose connections break again and again, while exchanges of every kind run.
    @Suite("Connections that break", .serialized)
    struct ConnectionsThatBreak {
        /// What `cut_exchanges.py` prints.
        private struct Outcome: Decodable {
            var failures: [String]
            var downloads: Int
            var uploads: Int
            var messages: Int
            var events: Int
            var posts: Int
            var worst: Double

            private enum CodingKeys: String, CodingKey {
                case failures, downloads, uploads, messages, events, posts
                case worst = "worst_ms"
            }
        }

        private static let cuts = Programs.isFullSize ? 30 : 4
        private static let mebibytes = Programs.isFullSize ? 64 : 4
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
            let url = "\(edge.url)/" + (printed.split(separator: "/").last ?? "") + "/"
            try await eventually("both connections") {
                try await edge.metric("culvert_active_sessions", in: scratch) == 2 ? () : nil
            }
            let silence = isSilent ? 3.0 : 0
            let seconds = Double(Self.cuts) * (Self.interval + silence) + 2
            let start = scratch.file("start")
            let exchanges = try RunningProcess(
                "python3",
                [
                    Programs.peer("cut_exchanges.py"), "\(originPort)", url, "\(seconds)", "\(Self.mebibytes)",
                    start.path,
                ],
                in: scratch
            )
            try await eventually("the origin") { FileManager.default.fileExists(atPath: start.path) ? () : nil }
            try FileManager.default.removeItem(at: start)
            for _ in 0..<Self.cuts {
                try await Task.sleep(for: .seconds(Self.interval))
                if isSilent {
                    try await path.become(.frozen)
                    try await Task.sleep(for: .seconds(silence))
                }
                try await path.breakConnections()
                if isSilent { try await path.become(.passing) }
            }
            let output = try await exchanges.successfulOutput(within: .seconds(seconds + 60))
            let outcome = try JSONDecoder().decode(Outcome.self, from: Data(output.utf8))
            let resumed = try await edge.metric("culvert_sessions_resumed_total", in: scratch)
            print("cuts: \(Self.cuts), silent \(isSilent): \(outcome), \(resumed) resumptions")
            #expect(outcome.failures == [])
            #expect(outcome.downloads >= 3 && outcome.uploads >= 3 && outcome.messages > 20 && outcome.posts > 50)
            #expect(outcome.events == 3 * Int(seconds * 10))
            #expect(resumed >= Double(Self.cuts))
            #expect(try await edge.metric("culvert_sessions_total", in: scratch) == 2)
            if !isSilent { #expect(outcome.worst < 1_000) }
        }
    }
}
