// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    /// The tables of `Peers/conformance`, with raw sockets at both ends.
    @Suite("Conformance", .serialized)
    struct Conformance {
        /// What the program prints.
        struct Report: Decodable {
            struct Tally: Decodable, CustomStringConvertible {
                var cases: Int
                var failures: [String]

                var description: String { "\(self.cases - self.failures.count)/\(self.cases)" }
            }

            var edge: Tally
            var nginx: Tally?
            var traefik: Tally?
            var rest: Tally?
            /// How many exchanges the inspectors have kept.
            var captured: Int?
        }

        private func report(
            _ arguments: [String],
            edge edgeArguments: [String] = [],
            in scratch: ScratchFolder
        ) async throws -> Report {
            let edge = try await EdgeProcess(
                in: scratch,
                arguments: ["--dev", "--public-wildcard-domain", "tunnels.test", "--proxies-trusted", "127.0.0.2/32"]
                    + edgeArguments
            )
            let suite = try RunningProcess(
                Programs.python,
                [Programs.peer("conformance")] + arguments
                    + ["--edge", edge.url, "--culvert", try Programs.product("culvert")],
                environment: ["CULVERT_API_KEY": edge.apiKey],
                in: scratch
            )
            let output = try await suite.successfulOutput(within: .seconds(300))
            return try JSONDecoder().decode(Report.self, from: Data(output.utf8))
        }

        @Test("Every byte that should not differ between a visitor and the origin does not, in either direction")
        func exchanges() async throws {
            let scratch = try ScratchFolder()
            let folder = try scratch.folder("reference")
            let report = try await self.report(["exchanges", "--nginx", folder.path], in: scratch)
            let reference = try #require(report.nginx)
            print("Conformance: edge \(report.edge), nginx \(reference) of the cases that concern any proxy")
            #expect(report.edge.failures == [])
            #expect(report.edge.cases >= 430)
        }

        @Test("No ambiguous or malformed message reaches the other side as two, or with a changed meaning")
        func smuggling() async throws {
            let scratch = try ScratchFolder()
            let report = try await self.report(["smuggling"], in: scratch)
            print("Request smuggling: edge \(report.edge)")
            #expect(report.edge.failures == [])
            #expect(report.edge.cases >= 190)
        }

        @Test("With the inspector on, every byte is the same", arguments: [("exchanges", 430), ("smuggling", 190)])
        func inspected(suite: String, cases: Int) async throws {
            let scratch = try ScratchFolder()
            let report = try await self.report([suite, "--inspect"], in: scratch)
            print("Conformance with the inspector, \(suite): edge \(report.edge), \(report.captured ?? 0) kept")
            #expect(report.edge.failures == [])
            #expect(report.edge.cases >= cases)
            // Most cases reach the origin, and are looked at.
            #expect(report.captured ?? 0 >= cases / 4)
        }

        @Test("Nobody holds a connection by sending next to nothing, and nobody who is at work is cut off")
        func limits() async throws {
            let scratch = try ScratchFolder()
            let report = try await self.report(
                ["limits"],
                edge: [
                    "--http-head-timeout", "1s", "--http-stall-timeout", "2s", "--tunnel-request-timeout", "2s",
                    "--http-max-connections", "32",
                ],
                in: scratch
            )
            print("Limits: edge \(report.edge)")
            #expect(report.edge.failures == [])
            #expect(report.edge.cases >= 14)
        }
    }
}
