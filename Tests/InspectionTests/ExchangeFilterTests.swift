// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import Testing

@testable import Inspection

@Suite("The filter of exchanges")
struct ExchangeFilterTests {
    private struct Table: Decodable {
        var now: Int64
        var exchanges: [Exchange]
        var cases: [Case]
    }

    private struct Case: Decodable {
        var filter: String
        /// `nil` for what lines of the list don't tell.
        var matches: [String]?
    }

    /// A line of the list, as the inspector's API has it.
    private struct Exchange: Decodable {
        var summary: ExchangeSummary
        var start: Int64

        init(from decoder: any Decoder) throws {
            self.summary = try ExchangeSummary(from: decoder)
            self.start = Int64(self.summary.start)
        }

        /// An exchange that has such a line.
        func view(now: Int64) -> ExchangeView {
            let line = self.summary
            let target = line.path + (line.query.map { "?" + $0 } ?? "")
            var request = "\(line.method) \(target) HTTP/1.1\r\nHost: x\r\n"
            if let address = line.remoteAddress { request += "X-Forwarded-For: 10.0.0.1, \(address)\r\n" }
            if let type = line.requestType { request += "Content-Type: \(type.uppercased()); charset=utf-8\r\n" }
            var response = line.status.map { "HTTP/1.1 \($0) x\r\n" }
            if let type = line.type { response = (response ?? "") + "content-type: \(type)\r\n" }
            let view = Captured.view(
                request + "\r\n",
                response: response.map { $0 + "\r\n" },
                kind: ExchangeState.Kind(rawValue: line.kind) ?? .http,
                ending: line.error.map { .failed($0) } ?? (line.state == "open" ? .open : .complete),
                milliseconds: line.durationMS.map { Int64($0) } ?? now - self.start,
                tunnel: line.tunnelName,
                replayOf: line.replayOf.flatMap { CaptureID($0) }
            )
            var exchange = view.exchange
            exchange.state.request.body = Self.body(line.requestSize, isWhole: line.isWhole)
            exchange.state.response?.body = Self.body(line.responseSize, isWhole: line.isWhole)
            return ExchangeView(exchange)
        }

        private static func body(_ size: UInt64, isWhole: Bool) -> BodyCapture {
            BodyCapture(whole: [UInt8](repeating: 66, count: isWhole ? Int(size) : 0), size: size)
        }
    }

    @Test("Each case of the table that the page is held to as well")
    func table() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let table = try JSONDecoder().decode(
            Table.self,
            from: Data(contentsOf: folder.appending(path: "Cases/filter.json"))
        )
        #expect(table.cases.count > 90)
        for entry in table.cases {
            let filter = ExchangeFilter(entry.filter)
            let ids = table.exchanges.filter { exchange in
                filter.matches(
                    exchange.view(now: table.now),
                    now: Captured.start + .milliseconds(table.now - exchange.start)
                )
            }.map(\.summary.id)
            #expect(Set(ids) == entry.matches.map { Set($0) } ?? Set(ids), "\(entry.filter)")
        }
    }

    @Test("Fields and bodies are searched, which lines of the list don't hold")
    func deep() {
        let view = Captured.view(
            "POST / HTTP/1.1\r\nHost: x\r\nX-GitHub-Event: push\r\n\r\n",
            body: Array("{\"ref\": \"refs/heads/main\"}".utf8),
            response: "HTTP/1.1 200 OK\r\nX-Powered-By: ASP\r\n\r\n",
            responseBody: [0, 1, 2, 0xFF] + Array("end".utf8)
        )
        for (text, isMatch) in [
            ("header:x-github-event", true), ("header:X-GitHub-Event=PUSH", true),
            ("header:x-github-event=pull", false),
            ("header:x-powered-by=asp", true), ("header:x-none", false), ("body:heads/main", true), ("body:end", true),
            ("body:endx", false), ("body:", true), ("body:\"\\\"ref\\\": \"", false), ("-body:end", false),
        ] {
            #expect(ExchangeFilter(text).matches(view, now: Captured.start) == isMatch, "\(text)")
        }
    }

    @Test("Any text is a filter")
    func noise() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(state: seed)
        let scraps = [
            "is:", "status:", "-", ":", "\"", "size:>", "9", "x", " ", "*", "path:", "=", "time:<", "MiB", "é",
        ]
        let view = Captured.view("GET /9x* HTTP/1.1\r\nHost: x\r\n\r\n")
        for _ in 0..<2_000 {
            let text = (0..<Int.random(in: 0...8, using: &random)).map { _ in
                scraps.randomElement(using: &random) ?? ""
            }.joined()
            _ = ExchangeFilter(text).matches(view, now: Captured.start)
        }
    }
}
