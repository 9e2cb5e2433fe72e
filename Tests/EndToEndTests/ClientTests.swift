// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Clients", .serialized)
    struct Clients {
        /// What `clients` prints.
        struct Tally: Decodable {
            var done: [String]
            var failures: [String]
        }

        @Test(
            "curl, requests, websockets, aiohttp, wrk, hey and Chromium work through the tunnel, in path and host mode"
        )
        func everyClient() async throws {
            let scratch = try ScratchFolder()
            let port = try FreePort.next()
            let edge = try await EdgeProcess(
                in: scratch,
                arguments: ["--dev", "--public-wildcard-domain", "tunnels.test"]
            )
            let connector = try RunningProcess(
                Programs.product("culvert"),
                ["http", "\(port)", "--name", "page", "--edge", edge.url],
                environment: ["CULVERT_API_KEY": edge.apiKey],
                in: scratch
            )
            _ = try await connector.line(startingWith: "http")
            let arguments = ["\(port)", "127.0.0.1", "\(edge.port)", "page", "tunnels.test"]
            let peer = try RunningProcess.peer("clients", arguments, in: scratch)
            let tally = try await peer.decodedOutput(Tally.self, within: .seconds(300))
            print("clients: \(tally.done.joined(separator: ", "))")
            #expect(tally.failures == [])
            #expect(tally.done.count == 18)
        }
    }
}
