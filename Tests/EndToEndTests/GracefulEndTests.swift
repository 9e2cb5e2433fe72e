// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("The end of a connector", .serialized)
    struct GracefulEnd {
        @Test("Asked to stop, a connector finishes what runs, says goodbye, and keeps a tunnel with a name")
        func inFlight() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let named = ["--name", "kept"]
            let tunnel = try await TunnelFixture(originPort: origin.port, options: named, in: scratch)
            let size = 16 << 20
            try Data(count: size).write(to: origin.files.appendingPathComponent("large"))
            try await tunnel.waitUntilItAnswers(at: "saw/")
            let file = scratch.file("download")
            // Slow enough to last beyond the request to stop, and for the windows not to hold all of it.
            let download = try RunningProcess(
                "curl",
                [
                    "--silent", "--fail", "--limit-rate", "6M", "--output", file.path, "\(tunnel.url)files/large",
                ],
                in: scratch
            )
            func downloaded() throws -> Int {
                (try? FileManager.default.attributesOfItem(atPath: file.path)[.size] as? Int) ?? 0
            }
            try await eventually("the beginning of the download") { try downloaded() > 0 ? () : nil }
            tunnel.connector.send(signal: SIGINT)
            try await eventually("the connector to leave") {
                tunnel.connector.standardError.contains("leaving") ? () : nil
            }
            #expect(try downloaded() < size)
            _ = try await download.successfulOutput(within: .seconds(60))
            #expect(try downloaded() == size)
            #expect(try await tunnel.connector.end() == .exited(0))
            // The tunnel is still there; a deleted one would be unknown.
            let answer = try await Curl.get(tunnel.url, in: scratch)
            #expect(answer["Culvert-Error"] == "tunnel_offline")
        }
    }
}
