// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import Inspection

@Suite("The tap, whatever comes")
struct HTTPCapturePropertyTests {
    /// The bytes of a conversation in either direction, and what is to be told of it.
    private struct Conversation {
        var requests: [String] = []
        var answers: [String] = []
        var told: [String] = []

        init(using random: inout SeededGenerator) {
            for index in 0..<Int.random(in: 1...6, using: &random) {
                let method = ["GET", "HEAD", "POST", "DELETE"].randomElement(using: &random) ?? "GET"
                let status = [200, 204, 304, 404, 500].randomElement(using: &random) ?? 200
                let path = "/\(index)"
                self.requests.append(
                    "\(method) \(path)\(Bool.random(using: &random) ? "?q" : "") HTTP/1.1\r\nHost: x\r\n"
                        + (method == "POST" ? Self.body(using: &random) : "\r\n")
                )
                let interim = Bool.random(using: &random) ? "HTTP/1.1 100 Continue\r\n\r\n" : ""
                let hasBody = method != "HEAD" && status != 204 && status != 304
                self.answers.append(
                    "\(interim)HTTP/1.1 \(status) OK\r\n" + (hasBody ? Self.body(using: &random) : "\r\n")
                )
                self.told += ["+", "\(method) \(path) \(status)", "\(method) \(path) \(status) true"]
            }
        }

        private static func body(using random: inout SeededGenerator) -> String {
            // What looks like a head inside a body must not be taken for one.
            let text = String(repeating: "\r\n\r\nHTTP/1.1 200 OK\r\n", count: Int.random(in: 0...4, using: &random))
            guard Bool.random(using: &random) else { return "Content-Length: \(text.utf8.count)\r\n\r\n\(text)" }
            let chunk = text.isEmpty ? "" : "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n"
            return "Transfer-Encoding: chunked\r\n\r\n\(chunk)\(chunk)0\r\nX-Trailer: x\r\n\r\n"
        }
    }

    private static func cut(_ text: String, using random: inout SeededGenerator) -> [ByteBuffer] {
        var bytes = ByteBuffer(string: text)
        var pieces: [ByteBuffer] = []
        while bytes.readableBytes > 0 {
            let length = min(bytes.readableBytes, Int.random(in: 0...12, using: &random))
            if let piece = bytes.readSlice(length: length) { pieces.append(piece) }
        }
        return pieces
    }

    private static func told(_ events: [HTTPCapture.Event]) -> [String] {
        events.map { event in
            switch event {
            case .began: "+"
            case .responded(let exchange): "\(exchange.method) \(exchange.path) \(exchange.status ?? 0)"
            case .ended(let exchange), .answered(let exchange):
                "\(exchange.method) \(exchange.path) \(exchange.status ?? 0) \(exchange.isComplete)"
            }
        }
    }

    @Test("However conversations are cut, the same is told of them")
    func anyCut() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(state: seed)
        for round in 0..<300 {
            let conversation = Conversation(using: &random)
            var tap = TapScript()
            for (request, answer) in zip(conversation.requests, conversation.answers) {
                for piece in Self.cut(request, using: &random) { tap.request(piece) }
                for piece in Self.cut(answer, using: &random) { tap.response(piece) }
            }
            tap.close()
            #expect(Self.told(tap.parts) == conversation.told, "seed \(seed), round \(round)")
        }
    }

    @Test("A conversation cut in two anywhere is told the same")
    func everyCut() {
        var random = SeededGenerator(state: 7)
        let conversation = Conversation(using: &random)
        for (request, answer) in zip(conversation.requests, conversation.answers) {
            for (requestCut, answerCut) in [(true, false), (false, true)] {
                let length = requestCut ? request.utf8.count : answer.utf8.count
                for position in 0...length {
                    var tap = TapScript()
                    for piece in Self.halves(request, at: requestCut ? position : 0) {
                        tap.request(piece)
                    }
                    for piece in Self.halves(answer, at: answerCut ? position : 0) {
                        tap.response(piece)
                    }
                    #expect(tap.parts.count == 3, "cut at \(position): \(tap.events)")
                }
            }
        }
    }

    private static func halves(_ text: String, at position: Int) -> [ByteBuffer] {
        let bytes = Array(text.utf8)
        return [ByteBuffer(bytes: bytes[..<position]), ByteBuffer(bytes: bytes[position...])]
    }

    @Test("Of bytes that make no sense it tells nothing wrong: no more ends than beginnings, and never fails")
    func noise() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(state: seed)
        let scraps = [
            "GET / HTTP/1.1\r\nHost: x\r\n", "HTTP/1.1 200 OK\r\n", "\r\n", "\n", "Content-Length: 3\r\n", "abc",
            "Transfer-Encoding: chunked\r\n", "3\r\n", "0\r\n", ":", " ", "\u{0}", "HTTP/1.1 101 x\r\n",
            "ffffffffffffff\r\n",
        ]
        for round in 0..<2_000 {
            var tap = TapScript()
            for _ in 0..<Int.random(in: 1...24, using: &random) {
                let piece = ByteBuffer(string: scraps.randomElement(using: &random) ?? "")
                if Bool.random(using: &random) {
                    tap.request(piece)
                } else {
                    tap.response(piece)
                }
            }
            if Bool.random(using: &random) { tap.finishResponses() }
            tap.close(isClean: Bool.random(using: &random))
            let events = tap.parts
            let began = events.count { $0 == .began }
            let ended = events.count { if case .ended = $0 { true } else { false } }
            let answered = events.count { if case .responded = $0 { true } else { false } }
            #expect(began == ended && answered <= began, "seed \(seed), round \(round): \(events)")
        }
    }
}
