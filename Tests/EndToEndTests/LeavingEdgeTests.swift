// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("The end of an edge", .serialized)
    struct LeavingEdge {
        /// What `leaving_edge.py` prints of one edge.
        private struct Report: Decodable {
            var answers: Int
            var closing_answers: Int
            var failures: [String]
            var last_says_close: Bool
            var idle_end: String
            var idle_after_delay: Double
            var slow: Slow
            var exit_after_last: Double

            /// The status, and whether the answer says that it is the connection's last.
            struct Slow: Decodable {
                var status: Int
                var saysClose: Bool

                init(from decoder: any Decoder) throws {
                    var values = try decoder.unkeyedContainer()
                    self.status = try values.decode(Int.self)
                    self.saysClose = try values.decode(Bool.self)
                }
            }
        }

        /// Fifty in the long tier.
        private static let rounds = ProcessInfo.processInfo.environment["CULVERT_E2E_FULL"] == nil ? 3 : 50

        @Test("Asked to stop, an edge answers whoever comes, closes who waits, and is gone with the last answer")
        func visitors() async throws {
            for round in 1...Self.rounds {
                let scratch = try ScratchFolder()
                let port = try FreePort.next()
                let tunnel = try await TunnelFixture(
                    originPort: port,
                    edgeArguments: ["--dev", "--shutdown-delay", "1s"],
                    in: scratch
                )
                let visitors = try RunningProcess(
                    Programs.python,
                    [
                        Programs.peer("leaving_edge.py"), tunnel.url, "\(port)",
                        "\(tunnel.edge.process.identifier)", "1",
                    ],
                    in: scratch
                )
                let output = try await visitors.successfulOutput(within: .seconds(90))
                let report = try JSONDecoder().decode(Report.self, from: Data(output.utf8))
                let note: Comment = "round \(round): \(output)\n\(tunnel.edge.process.transcript)"
                #expect(report.failures.isEmpty, note)
                #expect(report.answers > 20, note)
                // From the signal on each answer is its connection's last.
                #expect(report.closing_answers > 5, note)
                #expect(report.last_says_close, note)
                #expect(report.idle_end.isEmpty, "closed in order, and not reset; \(output)")
                #expect((-0.02...0.1).contains(report.idle_after_delay), note)
                #expect(report.slow.status == 200, note)
                #expect(report.slow.saysClose, note)
                #expect(report.exit_after_last < 0.2, note)
                #expect(try await tunnel.edge.process.end() == .exited(0), note)
            }
        }
    }
}
