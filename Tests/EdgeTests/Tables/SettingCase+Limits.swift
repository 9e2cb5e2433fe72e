// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Program
import Protocol
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

extension SettingCase {
    /// How much callers and connectors may ask for.
    static var limits: [SettingCase] {
        [
            SettingCase("limits.tunnels-per-key") {
                try await EdgeUnderTest.run(["--limits-tunnels-per-key", "1"]) { edge in
                    _ = try await edge.makeTunnel()
                    let second = try await edge.call("POST", "tunnels/create", body: "{}")
                    #expect(second["Culvert-Error"] == "too_many_tunnels")
                }
            },
            SettingCase("limits.api-calls-per-second") {
                try await EdgeUnderTest.run(["--limits-api-calls-per-second", "1"]) { edge in
                    let refused = try await Self.first(of: 50, with: 429) { try await edge.call("GET", "tunnels/list") }
                    #expect(refused?["RateLimit-Policy"] == #""api";q=1;w=1"#)
                }
            },
            SettingCase("limits.failed-logins-per-minute") {
                try await EdgeUnderTest.run(["--limits-failed-logins-per-minute", "2"]) { edge in
                    var statuses: [Int] = []
                    for _ in 0..<3 {
                        statuses.append(try await edge.call("GET", "tunnels/list", key: "cvk_wrong").status)
                    }
                    #expect(statuses == [401, 401, 429])
                }
            },
            SettingCase("limits.creations-per-hour") {
                try await EdgeUnderTest.run(["--limits-creations-per-hour", "2"]) { edge in
                    var statuses: [Int] = []
                    for _ in 0..<3 { statuses.append(try await edge.call("POST", "tunnels/create", body: "{}").status) }
                    #expect(statuses == [201, 201, 429])
                }
            },
            SettingCase("limits.connects-per-second") {
                try await EdgeUnderTest.run(["--limits-connects-per-second", "1"]) { edge in
                    let tunnel = try await edge.makeTunnel()
                    let refused = try await Self.first(of: 50, with: 503) {
                        try await edge.upgrade(tunnel.tunnelID, token: tunnel.token)
                    }
                    #expect(refused?["Culvert-Error"] == "crowded")
                }
            },
        ]
    }

    /// The first answer with a status.
    private static func first(
        of attempts: Int,
        with status: Int,
        _ attempt: () async throws -> RawAnswer
    ) async throws -> RawAnswer? {
        for _ in 0..<attempts {
            let answer = try await attempt()
            if answer.status == status { return answer }
        }
        return nil
    }
}
