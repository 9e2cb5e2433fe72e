// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import HTTP1

@Suite("Response heads")
struct ResponseHeadTests {
    private static func head(_ text: String) throws -> ResponseHead? {
        var parser = HeadParser()
        var buffer = ByteBuffer(string: text)
        return try parser.response(&buffer)
    }

    private static func framing(_ text: String, isHead: Bool = false) throws -> BodyFraming {
        let head = try #require(try Self.head(text))
        return try BodyFraming.response(
            head.section,
            status: head.status,
            version: head.version,
            isHead: isHead
        )
    }

    private static let framings: [(head: String, isHead: Bool, framing: BodyFraming)] = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, .length(5)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, .none),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", false, .none),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, .none),
        ("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", false, .none),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, .chunked),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, .none),
        ("HTTP/1.1 200 OK\r\n\r\n", false, .untilClose), ("HTTP/1.0 200 OK\r\n\r\n", false, .untilClose),
        ("HTTP/1.0 200\r\nContent-Length: 5\r\n\r\n", false, .length(5)),
        ("HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", false, .length(0)),
    ]

    @Test("The framing follows status, method and fields", arguments: Self.framings)
    func framing(_ head: String, _ isHead: Bool, _ framing: BodyFraming) throws {
        #expect(try Self.framing(head, isHead: isHead) == framing)
    }

    @Test(
        "A response whose body two readers could end differently is refused",
        arguments: Self.refusedFraming
    )
    func ambiguous(_ lines: String) {
        #expect(throws: HTTPFault.self) { try Self.framing("HTTP/1.1 200 OK\r\n\(lines)\r\n\r\n") }
        #expect(throws: HTTPFault.self) { try Self.framing("HTTP/1.1 200 OK\r\n\(lines)\r\n\r\n", isHead: true) }
    }

    /// What is refused in requests, and has but one meaning in responses.
    private static let toleratedFraming: [String: BodyFraming] = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked": .chunked,
        "Transfer-Encoding: chunked\r\nContent-Length: 5": .chunked,
        "Content-Length: 0\r\nTransfer-Encoding: chunked": .chunked,
        "content-length: 5\r\nCONTENT-LENGTH: 5": .length(5), "Content-Length: 5, 5": .length(5),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked": .chunked, "Transfer-Encoding : chunked": .chunked,
        "Transfer-Encoding\t: chunked": .chunked, "X: a\nTransfer-Encoding: chunked": .chunked,
        "Content-Length: 5,\t5 ,5\r\nContent-Length: 05": .length(5), "Content-Length: 5\n": .length(5),
    ]

    private static let refusedFraming = RequestHeadTests.ambiguousFraming.filter { Self.toleratedFraming[$0] == nil }

    @Test(
        "What servers repeat or end oddly in responses is read as every reader reads it",
        arguments: Self.toleratedFraming
    )
    func tolerated(_ lines: String, _ framing: BodyFraming) throws {
        #expect(try Self.framing("HTTP/1.1 200 OK\r\n\(lines)\r\n\r\n") == framing)
        #expect(throws: HTTPFault.self) {
            var parser = HeadParser()
            var buffer = ByteBuffer(string: "POST / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n\r\n")
            _ = try parser.request(&buffer)
        }
    }

    @Test(
        "A response's head is read leniently, and its fields are passed on as they should be",
        arguments: [
            ("HTTP/1.1 200 OK\nA: 1\nB: 2\n\n", "A: 1\r\nB: 2\r\n"),
            ("HTTP/1.1 200 OK\r\nA: 1\nB: 2\r\n\r\n", "A: 1\r\nB: 2\r\n"),
            ("HTTP/1.1 200 OK\nA: 1\r\n\n", "A: 1\r\n"),
            ("HTTP/1.1 200 OK\r\nA : 1\r\nB\t :2\r\n\r\n", "A: 1\r\nB: 2\r\n"),
            ("HTTP/1.1 200 OK\r\nA\r\nB: 2\r\n\r\n", "B: 2\r\n"),
            ("HTTP/1.1 200 OK\r\nA: \u{1b}[1m\u{7f}\r\n\r\n", "A: \u{1b}[1m\u{7f}\r\n"),
        ]
    )
    func lenient(_ text: String, _ passed: String) throws {
        for pieces in [[ByteBuffer(string: text)], Splits.byteByByte(text)] {
            var parser = HeadParser()
            var buffer = ByteBuffer()
            var head: ResponseHead?
            for piece in pieces {
                buffer.writeImmutableBuffer(piece)
                if let whole = try parser.response(&buffer) { head = whole }
            }
            let section = try #require(head?.section)
            var output = ByteBuffer()
            for line in section.lines { section.copy(line, to: &output) }
            #expect(String(buffer: output) == passed)
            #expect(buffer.readableBytes == 0)
        }
    }

    @Test("Transfer-Encoding in an HTTP/1.0 response is refused")
    func oldTransferEncoding() {
        #expect(throws: HTTPFault.self) {
            try Self.framing("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        }
    }

    @Test(
        "What is not a response head is refused",
        arguments: [
            "ICY 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1\t200 OK\r\n\r\n", "<html>\r\n\r\n",
            "HTTP/1.1 200OK\r\n\r\n", "HTTP/1.1 200 O\u{0}K\r\n\r\n", "HTTP/1.1 200 OK\r\nX\u{0}\r\n\r\n",
            "\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nX: a\u{0}b\r\n\r\n", "HTTP/1.1 200 OK\r\n: a\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX\ra\r\n\r\n", "HTTP/1.1 200 OK\r\nX y: a\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
            "HTTP/1.1 200 OK\r\n X: a\r\n\r\n", "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n",
            "\u{15}\u{3}\u{1}\u{0}\u{2}\u{2}\n",
        ]
    )
    func refused(_ head: String) {
        #expect(throws: HTTPFault.self) { try Self.head(head) }
    }

    @Test("What can't begin a status line is refused at once, for its sender may wait for an answer")
    func otherProtocols() throws {
        for start in ["\u{15}", "SSH-2.0-", "220 smtp", "hello", "\r", "HTTQ"] {
            #expect(throws: HTTPFault.self) { try Self.head(start) }
        }
        for start in ["", "H", "HTTP/", "HTTP/1.1 200 OK\r\n"] { #expect(try Self.head(start) == nil) }
    }

    @Test("A reason may be empty, missing or any text")
    func reasons() throws {
        for (line, reason) in [("200", ""), ("200 ", ""), ("200 All is well", "All is well"), ("299 é", "é")] {
            let head = try #require(try Self.head("HTTP/1.1 \(line)\r\n\r\n"))
            #expect(head.section.text(head.reason) == reason)
        }
    }
}
