// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import Inspection

/// A tap with a clock that the test moves, and all that it told.
struct TapScript {
    private let told = NIOLockedValueBox<[HTTPCapture.Event]>([])
    private var tap: HTTPCapture
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000)

    init(recorder: ExchangeRecorder? = nil) {
        let told = self.told
        self.tap = HTTPCapture(
            CaptureListeners(report: { event in told.withLockedValue { $0.append(event) } }, recorder: recorder)
        )
    }

    var events: [HTTPCapture.Event] { self.told.withLockedValue { $0 } }

    mutating func request(_ text: String) {
        self.request(ByteBuffer(string: text))
    }

    mutating func request(_ bytes: ByteBuffer) {
        self.tap.requestBytes(bytes, now: self.now)
    }

    mutating func response(_ text: String) {
        self.response(ByteBuffer(string: text))
    }

    mutating func response(_ bytes: ByteBuffer) {
        self.tap.responseBytes(bytes, now: self.now)
    }

    mutating func wait(_ milliseconds: Int64) {
        self.now = self.now + .milliseconds(milliseconds)
    }

    mutating func stopResponses() {
        self.tap.responsesUnwanted(now: self.now)
    }

    mutating func finishResponses() {
        self.tap.responsesFinished(now: self.now)
    }

    mutating func close(isClean: Bool = true) {
        self.close(isClean ? .streamClosed : .streamFailed)
    }

    mutating func close(_ ending: PipeEnding) {
        self.tap.closed(ending, now: self.now)
    }

    /// The events, with both parts of a response that was told of at once.
    var parts: [HTTPCapture.Event] {
        self.events.flatMap { event -> [HTTPCapture.Event] in
            guard case .answered(let exchange) = event else { return [event] }
            return [.responded(exchange), .ended(exchange)]
        }
    }

    /// The events in short: `+` a request, `200` an answer, `200.` its end, `200!` its end before its time.
    var summary: String {
        self.parts.map { event in
            switch event {
            case .began: "+"
            case .responded(let exchange): "\(exchange.status ?? 0)"
            case .ended(let exchange), .answered(let exchange):
                "\(exchange.status ?? 0)\(exchange.isComplete ? "." : "!")"
            }
        }.joined(separator: " ")
    }
}

@Suite("The tap on a connection")
struct HTTPCaptureTests {
    private static let get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

    private func summary(_ script: (inout TapScript) -> Void) -> String {
        var tap = TapScript()
        script(&tap)
        return tap.summary
    }

    @Test("A request is told with method, path without query, status and both times")
    func exchange() {
        var script = TapScript()
        script.request("POST /a/b?secret=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
        script.wait(12)
        script.response("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\no")
        script.wait(30)
        script.response("k")
        var exchange = HTTPCapture.Exchange(method: "POST", path: "/a/b", status: 201, responseTime: .milliseconds(12))
        #expect(script.events[0] == .began)
        #expect(script.events[1] == .responded(exchange))
        exchange.duration = .milliseconds(42)
        exchange.isComplete = true
        #expect(script.events[2...] == [.ended(exchange)])
    }

    @Test("A response that comes whole is told of once, with its time and its end")
    func answeredAtOnce() {
        var script = TapScript()
        let asked = HTTPCapture.Exchange(method: "GET", path: "/", status: 204)
        script.request(Self.get)
        script.wait(5)
        script.response("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")
        var exchange = asked
        (exchange.responseTime, exchange.duration, exchange.isComplete) = (.milliseconds(5), .milliseconds(5), true)
        #expect(script.events == [.began, .answered(exchange)])

        // Of two in one read the second is not whole: its head is told of before the connection breaks.
        script = TapScript()
        script.request(Self.get + Self.get)
        script.response("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 500 Oops\r\nContent-Length: 1\r\n\r\n")
        #expect(script.events.count == 4)
        #expect(script.summary == "+ + 200 200. 500")
        script.close(isClean: false)
        #expect(script.summary == "+ + 200 200. 500 500!")
        #expect(script.events.compactMap(\.end).map(\.status) == [200, 500])
    }

    @Test(
        "The end of an answer is found, and the next request seen",
        arguments: [
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length:\t5 \r\n\r\nhello",
            "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
            "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "HTTP/1.1 200 \r\nTransfer-Encoding: CHUNKED\r\n\r\nA;x=\"y\"\r\n0123456789\r\n00\r\nX-Trailer: x\r\n\r\n",
            "HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
        ]
    )
    func framing(answer: String) {
        let summary = self.summary { tap in
            for _ in 0..<3 {
                tap.request(Self.get)
                tap.response(answer)
            }
        }
        #expect(summary == "+ 200 200. + 200 200. + 200 200.")
    }

    @Test(
        "An answer that has no body by its status or its method ends with its head",
        arguments: [("GET", 204), ("GET", 304), ("HEAD", 200), ("HEAD", 500)]
    )
    func noBody(method: String, status: Int) {
        let summary = self.summary { tap in
            for _ in 0..<2 {
                tap.request("\(method) / HTTP/1.1\r\nHost: x\r\n\r\n")
                tap.response("HTTP/1.1 \(status) x\r\nContent-Length: 1000\r\n\r\n")
            }
        }
        #expect(summary == "+ \(status) \(status). + \(status) \(status).")
    }

    @Test("An answer without a length ends, complete, when the origin has finished")
    func untilClose() {
        let summary = self.summary { tap in
            tap.request(Self.get)
            tap.response("HTTP/1.0 200 OK\r\n\r\nsome ")
            tap.response("text HTTP/1.1 200 OK\r\n\r\n")
            tap.finishResponses()
            tap.close()
        }
        #expect(summary == "+ 200 200.")
    }

    @Test("What is cut short is told as such", arguments: [true, false])
    func cut(isClean: Bool) {
        for answer in ["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", "HTTP/1.1 200 OK\r\n\r\nx"] {
            let summary = self.summary { tap in
                tap.request(Self.get)
                tap.response(answer)
                tap.close(isClean: isClean)
            }
            #expect(summary == "+ 200 200!")
        }
        let unanswered = self.summary { tap in
            tap.request(Self.get)
            tap.response("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 2")
            tap.close(isClean: isClean)
        }
        #expect(unanswered == "+ 0!")
    }

    @Test("After an upgrade nothing is looked at, and the exchange ends with the connection")
    func upgrade() {
        for (request, answer, status) in [
            (
                "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
                "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", 101
            ),
            ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", 200),
        ] {
            let summary = self.summary { tap in
                tap.request(request)
                tap.response(answer + Self.get)
                tap.request(Self.get)
                tap.response("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                tap.close()
            }
            #expect(summary == "+ \(status) \(status).")
        }
    }

    @Test("An answer that comes before the upload is over leaves the upload to be passed over")
    func earlyAnswer() {
        let summary = self.summary { tap in
            tap.request("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab")
            tap.response("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
            tap.request("cd\r\n0\r\n\r\n" + Self.get)
            tap.response("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        #expect(summary == "+ 413 413. + 200 200.")
    }

    @Test("Requests that follow each other without waiting are matched in order, up to a bound")
    func pipelining() {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
        let some = self.summary { tap in
            tap.request(String(repeating: Self.get, count: HTTPCapture.maximumOpen))
            tap.response(String(repeating: answer, count: HTTPCapture.maximumOpen))
        }
        #expect(some.split(separator: " ").count == 3 * HTTPCapture.maximumOpen)
        let tooMany = self.summary { tap in
            tap.request(String(repeating: Self.get, count: HTTPCapture.maximumOpen + 1))
            tap.response(answer)
            tap.close(isClean: false)
        }
        #expect(tooMany.split(separator: " ").count == 2 * HTTPCapture.maximumOpen)
        #expect(!tooMany.contains("200"))
    }

    @Test(
        "What is not HTTP/1.1 makes it blind",
        arguments: [
            "PRI * HTTP/2.0\r\n\r\n", "\u{16}\u{3}\u{1}\r\n", "GET /\r\n\r\n", "GET / HTTP/1.1 x\r\n\r\n",
            "G(T / HTTP/1.1\r\nHost: x\r\n\r\n", "GET  HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\nHost: x\n\n",
            "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        ]
    )
    func notUnderstoodRequest(text: String) {
        let summary = self.summary { tap in
            tap.request(text)
            tap.request(Self.get)
            tap.response("HTTP/1.1 200 OK\r\n\r\n")
            tap.close()
        }
        #expect(summary == "")
    }

    @Test(
        "An answer that is not understood leaves the request open until the connection ends",
        arguments: [
            "ICY 200 OK\r\n\r\n", "HTTP/1.1 99 x\r\n\r\n", "HTTP/1.1 2x0 x\r\n\r\n", "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 200 OK\r\n folded\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        ]
    )
    func notUnderstoodAnswer(text: String) {
        let summary = self.summary { tap in
            tap.request(Self.get)
            tap.response(text)
            tap.request(Self.get)
            tap.close()
        }
        #expect(summary == "+ 0!")
    }

    @Test(
        "A chunk that is not one makes it blind",
        arguments: ["x\r\n", "\r\n", "0123456789abcdef0\r\n", "1\r\nxy\r\n"]
    )
    func chunks(text: String) {
        let summary = self.summary { tap in
            tap.request(Self.get)
            tap.response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + text)
            tap.request(Self.get)
            tap.close()
        }
        #expect(summary == "+ 200 200.")
    }

    @Test("An answer to nothing makes it blind")
    func answerToNothing() {
        let summary = self.summary { tap in
            tap.response("HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n")
            tap.request(Self.get)
            tap.close()
        }
        #expect(summary == "")
    }

    @Test("A head beyond the bound makes it blind, one below it does not")
    func longHeads() {
        let field = "X-Long: " + String(repeating: "y", count: 24_000) + "\r\n"
        let fine = self.summary { tap in
            tap.request("GET / HTTP/1.1\r\nHost: x\r\n\(field)\r\n")
            tap.response("HTTP/1.1 200 OK\r\n\(field)Content-Length: 1\r\n\r\nx")
        }
        #expect(fine == "+ 200 200.")
        for text in [
            "GET / HTTP/1.1\r\nHost: x\r\n\(field)\(field)\(field)\r\n",
            "GET /\(String(repeating: "y", count: 65_536)) HTTP/1.1\r\nHost: x\r\n\r\n",
            "\r\n\r\n\r\n" + Self.get,
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \(String(repeating: "0", count: 8_192))1\r\n\r\n",
        ] {
            #expect(self.summary { $0.request(text) } == "")
        }
        var long = TapScript()
        long.request("GET /\(String(repeating: "p", count: 4_000)) HTTP/1.1\r\nHost: x\r\n\r\n")
        long.close()
        guard case .ended(let exchange) = long.events.last else {
            Issue.record("the request was not seen")
            return
        }
        #expect(exchange.path.utf8.count == HTTPCapture.longestPath)
    }

    @Test("Trailers beyond the bound make it blind")
    func longTrailers() {
        let summary = self.summary { tap in
            tap.request(Self.get)
            tap.response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
            for _ in 0..<16_384 / 8 + 1 { tap.response("A: 5678\r\n") }
            tap.response("\r\n")
            tap.close()
        }
        #expect(summary == "+ 200 200.")
    }

    @Test("After the end nothing is told")
    func afterTheEnd() {
        let summary = self.summary { tap in
            tap.request(Self.get)
            tap.close()
            tap.close()
            tap.request(Self.get)
            tap.response("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            tap.finishResponses()
        }
        #expect(summary == "+ 0!")
    }
}
