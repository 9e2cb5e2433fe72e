// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import HTTPTypes
import Testing

@testable import Edge
@testable import EdgeControl

extension SettingCase {
    /// Where the page is for who has an API key.
    static var dashboard: [SettingCase] {
        [
            SettingCase("dashboard") {
                func page(_ edge: EdgeUnderTest, _ host: String) async throws -> RawAnswer {
                    try await edge.get("/api/dashboard/", fields: [("Host", host)])
                }
                let host = ["--public-api-host", "api.example"]
                try await EdgeUnderTest.run(host) { edge in
                    let foreign = try await edge.admin("/api/dashboard/")
                    #expect(foreign["Culvert-Error"] == "foreign_page")
                    #expect(try await page(edge, "api.example").status == 404)
                }
                try await EdgeUnderTest.run(host + ["--dashboard", "public"]) { edge async throws -> Void in
                    #expect(try await page(edge, "api.example").body.contains("Culvert tunnels"))
                    #expect(try await page(edge, "edge.example").status == 404)
                }
                try await EdgeUnderTest.run(["--dashboard", "off"]) { edge in
                    let nothing = try await edge.admin("/api/dashboard/")
                    #expect(nothing.body == "/healthz /readyz /metrics\n")
                }
                let problems = EdgeUnderTest.read(["--dashboard", "public"]).problems
                #expect(problems.contains { $0.contains("public needs public.api-host") })
            }
        ]
    }
}

extension CodeCase {
    /// What pages meet that are not the dashboard's, and those who have not signed in.
    static var dashboard: [CodeCase] {
        [
            Self.edge(.caller, "foreign_page", 403) { try await $0.admin("/api/dashboard/") },
            CodeCase(.caller, "session_ended", 401) {
                Met(try await DashboardUnderTest().call(.get, "/api/dashboard/session"))
            },
            CodeCase(.caller, "admins_only", 403) {
                let test = try await DashboardUnderTest()
                let halves = try await test.signIn(ControlPlaneHarness.alice).halves
                return Met(try await test.call(.get, "/api/dashboard/audit", as: halves))
            },
        ]
    }
}
