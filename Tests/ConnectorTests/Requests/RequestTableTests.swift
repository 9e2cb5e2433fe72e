// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
import Inspection
import Testing

@testable import Connector

@Suite("The list of requests")
struct RequestTableTests {
    private static func summary(of tunnel: String, path: String) throws -> ExchangeSummary {
        let json: [String: Any] = [
            "id": "019ad0c3f2a1b004", "tunnel_name": tunnel, "start": 1_700_000_000_000.0, "method": "POST",
            "path": path, "status": 200, "state": "complete", "duration_ms": 12.0, "request_size": 0,
            "response_size": 2_500, "kind": "http", "is_whole": true,
        ]
        return try JSONDecoder().decode(ExchangeSummary.self, from: JSONSerialization.data(withJSONObject: json))
    }

    @Test("An empty list says what the edge has answered itself, and that a filter is in force")
    func nothing() {
        let answers = EdgeAnswers(["origin_refused": 2])
        let list = RequestsCommand.List.self
        #expect(list.nothing(EdgeAnswers(), isFiltered: false) == "No requests.")
        #expect(
            list.nothing(answers, isFiltered: false)
                == "No requests came here; the edge itself answered 2 with an error: 2 origin refused."
        )
        #expect(list.nothing(EdgeAnswers(["": 1]), isFiltered: false).hasSuffix("answered 1 with an error."))
        #expect(list.nothing(answers, isFiltered: true) == "No requests that match.")
        #expect(
            list.unserved("x-y", beside: ["a-b", "c-d"])
                == "No requests: this program serves no tunnel x-y, but a-b, c-d."
        )
        #expect(list.unserved("x-y", beside: []) == "No requests: this program serves no tunnel x-y.")
    }

    @Test("Its heading stands above what it names")
    func heading() throws {
        let table = RequestTable(timeZone: .gmt)
        let line = try table.line(Self.summary(of: "my-app", path: "/hooks/a"))
        #expect(line == "019ad0c3f2a1b004 22:13:20 200    POST      2.5 kB   12 ms  /hooks/a")
        #expect(table.heading == "ID               TIME     STATUS METHOD  RESPONSE    TOOK  REQUEST")
    }

    @Test("Above it stands whose requests it has, and from which inspector")
    func whose() {
        let url = "http://127.0.0.1:4040"
        let whose = RequestsCommand.List.whose
        #expect(whose(["my-app"], url) == "Requests of my-app, from the inspector at http://127.0.0.1:4040:")
        #expect(whose(["a", "b"], url) == "Requests of 2 tunnels, from the inspector at http://127.0.0.1:4040:")
        #expect(whose([], url) == "Requests, from the inspector at http://127.0.0.1:4040:")
    }

    @Test("A tunnel's name is shown where there are several, and only there")
    func tunnels() throws {
        #expect(RequestTable(tunnels: ["my-app", "my-app"]).tunnelWidth == nil)
        let table = RequestTable(tunnels: ["a", "longer-name", "a"], timeZone: .gmt)
        #expect(try table.line(Self.summary(of: "a", path: "/x")).hasSuffix("12 ms  a            /x"))
        #expect(table.heading.hasSuffix("TOOK  TUNNEL       REQUEST"))
        let long = String(repeating: "n", count: 63)
        #expect(
            try RequestTable(tunnels: ["a", long], timeZone: .gmt).line(Self.summary(of: long, path: "/x"))
                .hasSuffix("ms  " + String(repeating: "n", count: 23) + "…  /x")
        )
    }

    @Test("A line is cut at the edge of the window")
    func window() throws {
        let table = RequestTable(columns: 40)
        #expect(table.heading.count == 40 && table.heading.hasSuffix("…"))
        #expect(try table.line(Self.summary(of: "a", path: "/x")).count == 40)
    }
}
