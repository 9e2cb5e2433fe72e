// SPDX-License-Identifier: Apache-2.0

import Foundation
import Inspection
import Testing

@testable import Connector

@Suite("Secrets in what the commands print as JSON")
struct MaskedAnswerTests {
    private static let mask = SecretNames.mask

    @Test("The list masks the members of a query, in the table and in JSON, unless secrets are asked for")
    func list() throws {
        let json: [String: Any] = [
            "id": "019ad0c3f2a1b004", "tunnel_name": "a", "start": 1_700_000_000_000.0, "method": "GET", "path": "/x",
            "query": "a=1&secret=hunter2", "state": "complete", "request_size": 0, "response_size": 0, "kind": "http",
            "is_whole": true,
        ]
        let summary = try JSONDecoder().decode(
            ExchangeSummary.self,
            from: JSONSerialization.data(withJSONObject: json)
        )
        #expect(summary.masked.query == "a=1&secret=\(Self.mask)")
        #expect(try JSONLine.of(summary.masked).contains("hunter2") == false)
        var table = RequestTable(timeZone: .gmt)
        #expect(table.line(summary).hasSuffix("/x?a=1&secret=\(Self.mask)"))
        table.reveals = true
        #expect(table.line(summary).hasSuffix("/x?a=1&secret=hunter2"))
    }

    @Test("An exchange has its secrets masked in each of its members, and keeps the rest")
    func exchange() throws {
        let body: [String: Any] = [
            "size": 0, "kept": 0, "is_whole": true, "is_complete": true, "is_chunked": false, "uri": "/body",
        ]
        let target = "/x?a=1&token=hunter2"
        let json: [String: Any] = [
            "uri": "/api/requests/http/019ad0c3f2a1b004", "id": "019ad0c3f2a1b004", "tunnel_name": "a",
            "start": "2026-01-01T00:00:00Z", "start_ms": 1.0, "url": "https://a.example\(target)", "connection": 1,
            "kind": "http", "state": "complete", "is_whole": true, "is_replayable": true,
            "timings": ["request_head_ms": 0],
            "interim": [
                [
                    "status": 103, "line": "HTTP/1.1 103 Early Hints", "fields": [["Set-Cookie", "s=hunter2"]],
                    "at_ms": 1.0,
                ]
            ],
            "request": [
                "method": "GET", "uri": target, "proto": "HTTP/1.1", "line": "GET \(target) HTTP/1.1",
                "fields": [["X-Api-Key", "hunter2"], ["Accept", "*/*"]],
                "headers": ["X-Api-Key": ["hunter2"], "Accept": ["*/*"]], "trailers": [["X-Token", "hunter2"]],
                "raw": "aHVudGVyMg==", "body": body,
            ],
            "response": [
                "status": "302 Found", "status_code": 302, "proto": "HTTP/1.1", "line": "HTTP/1.1 302 Found",
                "fields": [["Location", target]], "headers": ["Location": [target]], "body": body,
            ],
        ]
        let text = try RequestText.maskedJSON(JSONSerialization.data(withJSONObject: json))
        #expect(!text.contains("hunter2") && !text.contains("aHVudGVyMg"))
        let masked = try JSONDecoder().decode(ExchangeAnswer.self, from: Data(text.utf8))
        #expect(masked.url == "https://a.example/x?a=1&token=\(Self.mask)")
        #expect(masked.request.line == "GET /x?a=1&token=\(Self.mask) HTTP/1.1")
        #expect(masked.request.fields == [["X-Api-Key", Self.mask], ["Accept", "*/*"]])
        #expect(masked.request.headers == ["X-Api-Key": [Self.mask], "Accept": ["*/*"]])
        #expect(masked.request.trailers == [["X-Token", Self.mask]])
        #expect(masked.interim.map(\.fields) == [[["Set-Cookie", "s=\(Self.mask)"]]])
        #expect(masked.response?.headers == ["Location": ["/x?a=1&token=\(Self.mask)"]])
    }
}
