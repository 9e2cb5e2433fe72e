// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Crowd", .serialized)
    struct Crowd {
        /// What `crowd.py` prints.
        struct Tally: Decodable {
            var requests: Int
            var bytes: Int
            var failures: [String]
        }

        static let rounds = Programs.isFullSize ? 10 : 3

        @Test("500 requests at once with bodies that know whose they are: none is mixed up")
        func nothingIsMixedUp() async throws {
            let scratch = try ScratchFolder()
            let port = try FreePort.next()
            let tunnel = try await TunnelFixture(originPort: port, in: scratch)
            let seed = UInt32.random(in: 1...UInt32.max)
            print("crowd: seed \(seed), \(Self.rounds) rounds of 500 requests")
            let start = ContinuousClock.now
            let arguments = ["\(port)", tunnel.url, "500", "\(Self.rounds)", "\(seed)"]
            let peer = try RunningProcess.peer("crowd.py", arguments, in: scratch)
            let tally = try await peer.decodedOutput(Tally.self, within: .seconds(Self.rounds * 60))
            let peak = try tunnel.peakResidentKibibytes()
            print(
                "crowd: \(tally.bytes) bytes in \(ContinuousClock.now - start),"
                    + " peak edge \(peak.edge), connector \(peak.connector) KiB"
            )
            #expect(tally.failures == [], "seed \(seed)")
            #expect(tally.requests == Self.rounds * 500)
        }
    }
}
