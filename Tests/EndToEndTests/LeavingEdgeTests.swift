// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("The end of an edge", .serialized)
    struct LeavingEdge {
        /// What `leaving_edge.py` prints of one edge.
        private struct Report: Decodable {
            var answers: Int
            var closingAnswers: Int
            var failures: [String]
            var lastSaysClose: Bool
            var idleEnd: String
            var idleAfterDelay: Double
            var slow: Slow
            var exitAfterLast: Double

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
        private static let rounds = Programs.isFullSize ? 50 : 3

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
                let decoder = JSONDecoder()
                decoder.keyDecodingStrategy = .convertFromSnakeCase
                let report = try decoder.decode(Report.self, from: Data(output.utf8))
                let note: Comment = "round \(round): \(output)\n\(tunnel.edge.process.transcript)"
                #expect(report.failures.isEmpty, note)
                #expect(report.answers > 20, note)
                // From the signal on each answer is its connection's last.
                #expect(report.closingAnswers > 5, note)
                #expect(report.lastSaysClose, note)
                #expect(report.idleEnd.isEmpty, "closed in order, and not reset; \(output)")
                #expect((-0.02...0.1).contains(report.idleAfterDelay), note)
                #expect(report.slow.status == 200, note)
                #expect(report.slow.saysClose, note)
                #expect(report.exitAfterLast < 0.2, note)
                #expect(try await tunnel.edge.process.end() == .exited(0), note)
            }
        }
    }
}
