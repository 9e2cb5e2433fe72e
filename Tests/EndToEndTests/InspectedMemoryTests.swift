// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    /// What `Peers/inspected_memory.py` sends past an inspector.
    @Suite("The memory of a connector that keeps what passes", .serialized)
    struct InspectedMemory {
        /// What the program prints, in KiB.
        struct Report: Decodable {
            var idle: Int
            var peak: Int
            var after: Int
            var captured: Int
            var phases: [String: Int]
        }

        /// With `--inspect-memory 50MiB`.
        static let growthLimitKibibytes = 60 << 10

        @Test(
            "Requests, long bodies and busy WebSockets leave no more behind than the inspector's memory, and a little"
        )
        func isBounded() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            // A tenth of a second of each, or the whole.
            let amount =
                Programs.isFullSize
                ? [] : ["--requests", "2000", "--megabytes", "150", "--sockets", "50", "--rounds", "60"]
            let peer = try RunningProcess(
                Programs.python,
                ["-B", Programs.peer("inspected_memory.py"), try Programs.product("culvert"), edge.url] + amount,
                environment: ["CULVERT_API_KEY": edge.apiKey],
                in: scratch
            )
            let report = try await peer.decodedOutput(Report.self, within: .seconds(600))
            print("resident with an inspector, KiB: \(report)")
            #expect(report.captured >= (Programs.isFullSize ? 1_000 : 2_000))
            #expect(report.after - report.idle <= Self.growthLimitKibibytes)
        }
    }
}
