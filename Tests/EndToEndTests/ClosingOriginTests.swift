// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Closing origin", .serialized)
    struct ClosingOrigin {
        /// What `closing_origin.py` prints.
        struct Tally: Decodable {
            var requests: Int
            var seconds: Double
            var visitorConnections: Int
            var originConnections: Int
            var failures: [String]

            enum CodingKeys: String, CodingKey {
                case requests
                case seconds
                case visitorConnections = "visitor_connections"
                case originConnections = "origin_connections"
                case failures
            }
        }

        @Test("GETs, one after the other, to an origin that closes unannounced after each answer: none fails")
        func sequentialRequests() async throws {
            let scratch = try ScratchFolder()
            let port = try FreePort.next()
            let tunnel = try await TunnelFixture(originPort: port, in: scratch)
            // A machine that is busy with other things sends fewer: each of them shows the same.
            let limit = Programs.isFullSize ? [] : ["10"]
            let arguments = ["\(port)", tunnel.url, "10000"] + limit
            let peer = try RunningProcess.peer("closing_origin.py", arguments, in: scratch)
            let tally = try await peer.decodedOutput(Tally.self, within: .seconds(900))
            print("closing origin: \(tally.requests) requests in \(tally.seconds) s")
            #expect(tally.failures == [])
            #expect(tally.requests >= (Programs.isFullSize ? 10_000 : 200))
            #expect(tally.visitorConnections == 1)
            // Else the origin's closing would not have been met at all.
            #expect(tally.originConnections >= tally.requests)
        }
    }
}
