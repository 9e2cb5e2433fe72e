// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Aborts", .serialized)
    struct Aborts {
        /// What `aborts.py` prints.
        struct Measurement: Decodable {
            /// The milliseconds that each attempt took.
            var cases: [String: [Double]]
            /// Descriptors of both programs, and the edge's streams.
            var before: [String: Int]
            var after: [String: Int]
            var failures: [String]
        }

        @Test("Whoever leaves is missed within a second on the other side, and nothing of it stays")
        func leaving() async throws {
            let scratch = try ScratchFolder()
            let port = try FreePort.next()
            let tunnel = try await TunnelFixture(originPort: port, in: scratch)
            let metrics = "http://127.0.0.1:\(tunnel.edge.adminPort)/metrics"
            let processes = ["\(tunnel.edge.process.identifier)", "\(tunnel.connector.identifier)"]
            let peer = try RunningProcess.peer("aborts.py", ["\(port)", tunnel.url, metrics] + processes, in: scratch)
            let measured = try await peer.decodedOutput(Measurement.self, within: .seconds(240))
            for (name, unsorted) in measured.cases.sorted(by: { $0.key < $1.key }) {
                let times = unsorted.sorted()
                let (median, worst) = (times[times.count / 2], times[times.count - 1])
                print("\(name): median \(median), worst \(worst) ms")
                #expect(times.count == 10, "\(name)")
                #expect(median <= 1000, "\(name)")
                // No time-out of the programs is this short; a machine that is busy with other things may be this slow.
                #expect(worst <= 5000, "\(name)")
            }
            #expect(measured.failures == [])
            #expect(measured.cases.count == 18)
            #expect(measured.after == measured.before)
        }
    }
}
