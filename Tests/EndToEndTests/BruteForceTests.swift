// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Guessing API keys", .serialized)
    struct BruteForce {
        /// The most callers that one table of the limits remembers.
        private static let tableCapacity = 16_384.0

        private struct Outcome: Decodable {
            struct Figures: Decodable {
                var median: Double
                var p95: Double
            }

            var statuses: [String: Int]
            var seconds: Double
            var before: Figures
            var during: Figures
        }

        private func guess(
            _ edge: EdgeProcess,
            _ count: Int,
            _ mode: String,
            in scratch: ScratchFolder
        ) async throws
            -> Outcome
        {
            let peer = try RunningProcess(
                Programs.python,
                [Programs.peer("wrong_keys.py"), "\(edge.port)", "\(count)", mode],
                environment: ["RIGHT_KEY": edge.apiKey],
                in: scratch
            )
            let output = try await peer.successfulOutput(within: .seconds(300))
            let outcome = try JSONDecoder().decode(Outcome.self, from: Data(output.utf8))
            let (before, during) = (outcome.before, outcome.during)
            print(
                "guessing: \(count) from \(mode) in \(outcome.seconds) s, statuses \(outcome.statuses);",
                "right calls took \(before.median) ms (p95 \(before.p95)) before,",
                "\(during.median) ms (p95 \(during.p95)) meanwhile"
            )
            // Generous: the guesser and the edge share a processor or two here.
            #expect(during.median < max(50, before.median * 10))
            return outcome
        }

        @Test("10 000 wrong keys from one address are refused after the fifth of a minute; others are not slowed")
        func oneAddress() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(
                in: scratch,
                arguments: ["--dev", "--limits-api-calls-per-second", "100000"]
            )
            let outcome = try await self.guess(edge, 10_000, "one", in: scratch)
            // Five at once, and one more each twelve seconds.
            #expect((5...(6 + Int(outcome.seconds / 12))).contains(outcome.statuses["401"] ?? 0))
            #expect(outcome.statuses.values.reduce(0, +) == 10_000)
            #expect(Set(outcome.statuses.keys) == ["401", "429"])
        }

        @Test("From more addresses than it has room for, the table stays within its bound; others are not slowed")
        func manyAddresses() async throws {
            let scratch = try ScratchFolder()
            let count = Programs.isFullSize ? 100_000 : 18_000
            let edge = try await EdgeProcess(
                in: scratch,
                arguments: ["--dev", "--limits-api-calls-per-second", "100000", "--proxies-trusted", "127.0.0.1"]
            )
            let memory = try await edge.metric("process_resident_memory_bytes", in: scratch)
            let outcome = try await self.guess(edge, count, "many", in: scratch)
            // Nobody guessed more than once.
            #expect(outcome.statuses == ["401": count])
            let callers = try await edge.metric("culvert_rate_limit_callers", in: scratch)
            let grown = (try await edge.metric("process_resident_memory_bytes", in: scratch) - memory) / 1_048_576
            print("guessing: \(Int(callers)) callers are remembered, memory grew by \(grown) MiB")
            // Beside the guessers only the right key is remembered.
            #expect((1_000...(Self.tableCapacity + 2)).contains(callers))
            #expect(grown < 48)
        }
    }
}
