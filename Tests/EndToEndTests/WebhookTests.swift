// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    /// Webhooks that come while the connector is away, and while the edge is killed.
    @Suite("Webhooks", .serialized)
    struct Webhooks {
        /// What `Peers/webhooks` prints.
        private struct Tally: Decodable {
            var accepted: Int?
            var delivered: Int?
            var failures: [String]
        }

        private func run(_ mode: String, _ numbers: [Int], within limit: Duration) async throws -> Tally {
            let scratch = try ScratchFolder()
            let peer = try RunningProcess.peer("webhooks", mode: mode, numbers, in: scratch)
            return try await peer.decodedOutput(Tally.self, within: limit)
        }

        @Test("What GitHub, Stripe, Slack and Standard Webhooks would send arrives in order, with valid signatures")
        func senders() async throws {
            let count = Programs.isFullSize ? 200 : 20
            let tally = try await self.run("senders", [count], within: .seconds(180))
            #expect(tally.failures == [])
            #expect(tally.delivered == 4 * count)
        }

        @Test("Whatever was answered 202 arrives, however often the edge is killed")
        func kills() async throws {
            let (rounds, senders) = Programs.isFullSize ? (20, 64) : (3, 16)
            let tally = try await self.run("kills", [rounds, senders], within: .seconds(700))
            #expect(tally.failures == [])
            #expect(try #require(tally.accepted) > 0)
        }

        @Test("Webhooks reach three edges, and one hands each over, in order, also when it is killed in the middle")
        func severalEdges() async throws {
            let count = Programs.isFullSize ? 600 : 120
            let tally = try await self.run("edges", [count], within: .seconds(240))
            #expect(tally.failures == [])
            #expect(tally.accepted == count)
        }

        @Test("A file gives back what is kept long enough, and no webhook waits for that", arguments: [10, 1_000])
        func retention(kibibytes: Int) async throws {
            let (mebibytes, milliseconds) = Programs.isFullSize ? (900, 100) : (60, 0)
            let tally = try await self.run("retention", [mebibytes, kibibytes, milliseconds], within: .seconds(400))
            #expect(tally.failures == [])
        }

        @Test("Requests beside webhooks that are kept take as long as beside other requests")
        func beside() async throws {
            let numbers = Programs.isFullSize ? [8, 5, 120] : [1, 1, 0]
            let tally = try await self.run("beside", numbers, within: .seconds(200))
            #expect(tally.failures == [])
        }

        @Test("culvert start makes the inbox of its file, changes it with the file, and leaves it there when it ends")
        func file() async throws {
            let tally = try await self.run("file", [], within: .seconds(120))
            #expect(tally.failures == [])
            #expect(tally.delivered == 1)
        }

        @Test("A full file refuses what comes, and takes again once there is room")
        func full() async throws {
            let tally = try await self.run("full", [], within: .seconds(120))
            #expect(tally.failures == [])
        }
    }
}
