// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Soak", .serialized)
    struct Soak {
        /// What `soak` prints.
        struct Tally: Decodable {
            var requests: Int
            var failures: [String]
            var failed: Int
            var p50: Double
            var p99: Double
            var peak: Double
            var attacks: [String: Int]

            private enum CodingKeys: String, CodingKey {
                case requests
                case failures
                case failed
                case p50 = "p50_ms"
                case p99 = "p99_ms"
                case peak = "peak_mib"
                case attacks
            }
        }

        @Test("All that hostile visitors do, at once: honest requests are served beside it, and memory has its bound")
        func allAtOnce() async throws {
            let scratch = try ScratchFolder()
            let programs = URL(fileURLWithPath: try Programs.product("culvert-edge")).deletingLastPathComponent().path
            let (seconds, rate) = Programs.isFullSize ? (120, 200) : (10, 50)
            let peer = try RunningProcess.peer("soak", [programs, "\(seconds)", "--rate", "\(rate)"], in: scratch)
            let tally = try await peer.decodedOutput(Tally.self, within: .seconds(seconds + 120))
            print("soak: \(tally)")
            #expect(tally.failed == 0, "\(tally.failures)")
            #expect(tally.requests >= seconds * rate * 95 / 100)
            #expect(tally.peak < 200)
            for (attack, count) in tally.attacks { #expect(count > 0, "\(attack) was not at work") }
            // A delay says something of optimised programs on a machine that has nothing else to do.
            if Programs.areReleased, Programs.isFullSize { #expect(tally.p99 < 50) }
        }
    }
}
