// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    /// What `Peers/inspected_memory.py` sends past an inspector.
    @Suite("The memory of a connector that keeps what passes", .serialized)
    struct InspectedMemory {
        /// What the program prints, in KiB but for `counted`, which is in bytes.
        struct Report: Decodable {
            var idle: Int
            var peak: Int
            var after: Int
            var captured: Int
            var passed: Int
            var counted: Int
            var phases: [String: Int]
        }

        /// What passes, and what may stay of it.
        struct Load {
            var arguments: [String]
            /// `--inspect-memory`, in MiB.
            var memory: Int
            /// How much more may be resident afterwards than before, in MiB.
            var growth: Int
            /// How many requests pass.
            var requests: Int

            /// 100 000 requests, three gigabytes each way, and 1 000 busy WebSockets.
            static let whole = Load(arguments: [], memory: 50, growth: 60, requests: 100_000)
            /// Enough of each to fill the memory several times: without its bound 170 MiB would be kept.
            static let small = Load(
                arguments: [
                    "--requests", "8000", "--megabytes", "80", "--bodies", "76", "--sockets", "50", "--rounds", "60",
                ],
                memory: 10,
                growth: 22,
                requests: 8_000
            )
        }

        @Test(
            "Requests, long bodies and busy WebSockets leave no more behind than the inspector's memory, and a little"
        )
        func isBounded() async throws {
            let scratch = try ScratchFolder()
            let edge = try await EdgeProcess(in: scratch)
            let load = Programs.isFullSize ? Load.whole : Load.small
            let peer = try RunningProcess(
                Programs.python,
                ["-B", Programs.peer("inspected_memory.py"), try Programs.product("culvert"), edge.url]
                    + ["--memory", "\(load.memory)MiB", "--growth", "\(load.growth)"] + load.arguments,
                environment: ["CULVERT_API_KEY": edge.apiKey],
                in: scratch
            )
            let report = try await peer.decodedOutput(Report.self, within: .seconds(600))
            print("resident with an inspector, KiB: \(report)")
            #expect(report.passed >= load.requests)
            // The memory is full, else its bound is not reached.
            #expect(report.counted <= load.memory << 20)
            #expect(report.counted >= (load.memory << 20) * 3 / 4)
            #expect(report.after - report.idle <= load.growth << 10)
        }
    }
}
