// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Stalled bodies", .serialized)
    struct StalledBodies {
        /// What `stalled.py` prints.
        struct Measurement: Decodable {
            var before: [Double]
            var during: [Double]
            var movedBytes: Int
            var failures: [String]

            enum CodingKeys: String, CodingKey {
                case before = "before_ms"
                case during = "during_ms"
                case movedBytes = "moved_bytes"
                case failures
            }
        }

        /// What either program may have resident.
        static let residentLimitKibibytes = 128 << 10
        /// What a request may take, in milliseconds.
        static let limit = 100.0

        @Test(
            "Four bodies that nobody reads cost other requests nothing, and little memory",
            arguments: [
                "download", "upload",
            ]
        )
        func othersGoOn(kind: String) async throws {
            let scratch = try ScratchFolder()
            let port = try FreePort.next()
            let tunnel = try await TunnelFixture(originPort: port, in: scratch)
            let peer = try RunningProcess.peer("stalled.py", ["\(port)", tunnel.url, kind], in: scratch)
            let measured = try await peer.decodedOutput(Measurement.self, within: .seconds(120))
            let (before, during) = (measured.before.sorted(), measured.during.sorted())
            let peak = try tunnel.peakResidentKibibytes()
            print("stalled \(kind), before: \(Self.summary(before)); during: \(Self.summary(during))")
            print("stalled \(kind): \(measured.movedBytes) bytes, peak \(peak.edge) and \(peak.connector) KiB")
            #expect(measured.failures == [])
            #expect(during.count == 50)
            // A machine that is busy with other things is slow before as well, and now and then for a moment.
            #expect(during[during.count / 2] <= max(Self.limit, 2 * before[before.count / 2]))
            #expect(during[during.count * 9 / 10] <= max(Self.limit, 2 * before[before.count * 9 / 10]))
            #expect(peak.edge < Self.residentLimitKibibytes)
            #expect(peak.connector < Self.residentLimitKibibytes)
        }

        private static func summary(_ sorted: [Double]) -> String {
            let values = [sorted[sorted.count / 2], sorted[sorted.count * 9 / 10], sorted[sorted.count - 1]]
            let rounded = values.map { "\(($0 * 10).rounded() / 10)" }
            return "median \(rounded[0]), p90 \(rounded[1]), worst \(rounded[2]) ms"
        }
    }
}
