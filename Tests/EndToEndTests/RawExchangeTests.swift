// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Raw exchanges", .serialized)
    struct RawExchanges {
        /// What `raw_exchanges.py` prints.
        struct Tally: Decodable {
            var cases: Int
            var failures: [String]
        }

        @Test(
            "Messages cut anywhere, and slow and half-closed visitors, lose no byte, whether anybody looks or not",
            arguments: ["off", "on"]
        )
        func nothingIsLost(inspect: String) async throws {
            let scratch = try ScratchFolder()
            let port = try FreePort.next()
            let tunnel = try await TunnelFixture(originPort: port, options: ["--inspect", inspect], in: scratch)
            let peer = try RunningProcess(
                Programs.python,
                [Programs.peer("raw_exchanges.py"), "\(port)", tunnel.url],
                in: scratch
            )
            let output = try await peer.successfulOutput(within: .seconds(150))
            let tally = try JSONDecoder().decode(Tally.self, from: Data(output.utf8))
            #expect(tally.failures == [])
            #expect(tally.cases == 38)
        }
    }
}
