// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import Testing

@testable import Inspection

@Suite("The line of an exchange as JSON")
struct ExchangeSummaryTests {
    private static func decoded(_ summary: ExchangeSummary) throws -> ExchangeSummary {
        var text = ByteBuffer()
        summary.write(to: &text)
        return try JSONDecoder().decode(ExchangeSummary.self, from: Data(text.readableBytesView))
    }

    @Test("A decoder reads what was written, and it has the members that the encoder writes")
    func members() throws {
        var full = ExchangeSummary(
            Captured.view("POST /a?b HTTP/1.1\r\nHost: x\r\n\r\n", response: "HTTP/1.1 200 OK\r\n\r\n")
        )
        full.error = "x"
        full.requestType = "a/b"
        full.type = "c/d"
        full.messages = 3
        full.remoteAddress = "192.0.2.7"
        full.replayOf = "019ad0c3f2a1b004"
        full.isImported = true
        full.requestSize = .max
        for summary in [full, ExchangeSummary(Captured.view("GET / HTTP/1.1\r\n\r\n", ending: .open))] {
            #expect(try Self.decoded(summary) == summary)
            var text = ByteBuffer()
            summary.write(to: &text)
            let written = try #require(
                try JSONSerialization.jsonObject(with: Data(text.readableBytesView)) as? [String: Any]
            )
            let encoded = try JSONSerialization.jsonObject(with: JSONEncoder().encode(summary)) as? [String: Any]
            #expect(Set(written.keys) == Set(try #require(encoded).keys))
        }
    }

    @Test("Whatever strangers send stays one text")
    func hostile() throws {
        let texts = [
            "", "\"", "\\", "\u{0}\u{1}\u{1F}\u{7F}", "\n\r\t\u{8}\u{C}", "</script>", "\u{2028}", "😀é\"}\\\"",
            "\\u0041",
        ]
        var summary = ExchangeSummary(Captured.view("GET / HTTP/1.1\r\n\r\n"))
        for text in texts {
            summary.path = text
            summary.query = text
            summary.method = text
            #expect(try Self.decoded(summary) == summary)
        }
        var list = ByteBuffer()
        ExchangeSummary.write([summary, summary], to: &list)
        #expect(
            try JSONDecoder().decode([ExchangeSummary].self, from: Data(list.readableBytesView)) == [summary, summary]
        )
        list.clear()
        ExchangeSummary.write([], to: &list)
        #expect(String(buffer: list) == "[]")
    }
}
