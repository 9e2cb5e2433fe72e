// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import HTTP1

@Suite("Request heads")
struct RequestHeadTests {
    /// What a reader of a connection makes of its bytes, in a form that can be compared.
    private static func outcome(_ pieces: [ByteBuffer], maximumBytes: Int = 64 << 10) -> String {
        var parser = HeadParser(maximumBytes: maximumBytes)
        var buffer = ByteBuffer()
        for piece in pieces {
            buffer.writeImmutableBuffer(piece)
            do {
                guard let head = try parser.request(&buffer) else { continue }
                let fields = head.section.textFields.map { "\($0.name)=\($0.value)" }
                return "\(head.methodText) \(head.targetText) \(head.version) \(head.framing) \(fields)"
            } catch {
                return "\(error.kind)"
            }
        }
        return "incomplete"
    }

    private static func outcome(_ text: String) -> String { self.outcome([ByteBuffer(string: text)]) }

    private static let accepted: [(head: String, outcome: String)] = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / http11 none [\"Host=a\"]"),
        ("BREW /p HTTP/1.1\r\nHost:a\r\n\r\n", "BREW /p http11 none [\"Host=a\"]"),
        ("get / HTTP/1.1\r\nHost: \t a \t\r\n\r\n", "get / http11 none [\"Host=a\"]"),
        ("!#$%&'*+-.^_`|~09 / HTTP/1.1\r\nHost: a\r\n\r\n", "!#$%&'*+-.^_`|~09 / http11 none [\"Host=a\"]"),
        ("GET /%2F//;a?&=# HTTP/1.1\r\nHost: a\r\n\r\n", "GET /%2F//;a?&=# http11 none [\"Host=a\"]"),
        ("GET / HTTP/1.0\r\n\r\n", "GET / http10 none []"),
        ("GET / HTTP/1.9\r\nHost:\r\n\r\n", "GET / http11 none [\"Host=\"]"),
        ("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET / http11 none [\"Host=[::1]:80\"]"),
        ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / http11 none [\"Host=a\"]"),
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / http11 none [\"Host=a\"]"),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\n",
            "POST / http11 length(7) [\"Host=a\", \"Content-Length=007\"]"
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            "POST / http11 none [\"Host=a\", \"Content-Length=0\"]"
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
            "POST / http11 chunked [\"Host=a\", \"Transfer-Encoding=Chunked\"]"
        ),
        ("GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n", "GET / http11 none [\"Host=a\", \"X=\"]"),
    ]

    /// Each of these two readers could understand differently, or nobody can.
    static let refused: [String] = [
        // Start lines.
        "\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / x HTTP/1.1\r\nHost: a\r\n\r\n", "GET /\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "GET / http/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.10\r\nHost: a\r\n\r\n",
        "GET / HTTP/01.1\r\nHost: a\r\n\r\n", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\u{0} HTTP/1.1\r\nHost: a\r\n\r\n", "GET /\u{7F} HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\ra HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\nHost: a\r\n\r\n", "\u{16}\u{3}\u{1}\r\n\r\n",
        // Fields.
        "GET / HTTP/1.1\r\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\r\nX: b\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\u{0}\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: b\u{8}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost\t: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX(: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX\u{0}: b\r\n\r\n",
        // Host.
        "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: é\r\n\r\n", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: []\r\n\r\n", "GET / HTTP/1.1\r\nHost: [a.example]\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a]\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n",
    ]

    /// The field lines of requests whose body could be read in two ways.
    static let ambiguousFraming: [String] = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 0\r\nTransfer-Encoding: chunked", "content-length: 5\r\nCONTENT-LENGTH: 5",
        "Content-Length: 5\r\nContent-Length: 6", "Content-Length: 5, 5", "Content-Length: 5,", "Content-Length: +5",
        "Content-Length: -5", "Content-Length: 0x5", "Content-Length: 5 5", "Content-Length: 5.0", "Content-Length:",
        "Content-Length: ٥", "Content-Length: 99999999999999999999", "Content-Length: 18446744073709551621",
        "Transfer-Encoding: gzip", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: ,chunked", "Transfer-Encoding: chun\u{212A}ed",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "Transfer-Encoding: identity",
        "Transfer-Encoding: xchunked", "Transfer-Encoding: chunked;q=1", "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding:", "Transfer-Encoding: \u{B}chunked", "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked", "Transfer-Encoding:\r\n chunked", "X: a\rTransfer-Encoding: chunked",
        "X: a\nTransfer-Encoding: chunked",
    ]

    @Test("A head that says one thing is taken as it is, in whatever pieces it comes", arguments: Self.accepted)
    func acceptedHeads(_ head: String, _ outcome: String) {
        #expect(Self.outcome(head) == outcome)
        #expect(Self.outcome(Splits.byteByByte(head)) == outcome)
        for seed in 1...20 as ClosedRange<UInt64> {
            #expect(Self.outcome(Splits.random(head, seed: seed)) == outcome, "seed \(seed)")
        }
    }

    @Test("What can't begin a method is refused at once, for its sender may wait for an answer")
    func otherProtocols() {
        for start in ["\u{16}", "\u{0}", " ", "\r\n\r\n\u{16}\u{3}"] {
            #expect(Self.outcome(start) == "malformed")
        }
        for start in ["G", "\r", "\r\n", "\r\n\r", ""] { #expect(Self.outcome(start) == "incomplete") }
    }

    @Test(
        "Whether a connection is kept follows version and Connection, where close is heard first",
        arguments: [
            ("HTTP/1.1", "", true), ("HTTP/1.1", "a, Close", false), ("HTTP/1.1", "keep-alive, CLOSE", false),
            ("HTTP/1.0", "", false), ("HTTP/1.0", "Keep-Alive", true), ("HTTP/1.0", "keep-alive, close", false),
        ]
    )
    func keepAlive(_ version: String, _ connection: String, _ isKept: Bool) throws {
        var parser = HeadParser()
        var request = ByteBuffer(string: "GET / \(version)\r\nHost: a\r\nConnection: \(connection)\r\n\r\n")
        let asked = try parser.request(&request)
        #expect(asked?.isKeepAlive == isKept)
        var response = ByteBuffer(string: "\(version) 200 OK\r\nConnection: \(connection)\r\n\r\n")
        let answered = try parser.response(&response)
        #expect(answered?.isKeepAlive == isKept)
    }

    @Test(
        "An answer of the edge ends a connection on which something else might follow it",
        arguments: [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true), ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: any\r\n\r\n", false),
        ]
    )
    func edgeAnswers(_ text: String, _ isKept: Bool) throws {
        var parser = HeadParser()
        var buffer = ByteBuffer(string: text)
        let head = try parser.request(&buffer)
        #expect(head?.outlivesEdgeAnswer == isKept)
    }

    @Test("A head that is malformed is refused, in whatever pieces it comes", arguments: Self.refused)
    func refusedHeads(_ head: String) {
        #expect(Self.outcome(head) == "malformed")
        #expect(Self.outcome(Splits.byteByByte(head)) == "malformed")
        for seed in 1...20 as ClosedRange<UInt64> {
            #expect(Self.outcome(Splits.random(head, seed: seed)) == "malformed", "seed \(seed)")
        }
    }

    @Test("A request whose body two readers could end differently is refused", arguments: Self.ambiguousFraming)
    func ambiguous(_ lines: String) {
        let head = "POST / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n\r\n"
        #expect(Self.outcome(head) == "malformed")
        #expect(Self.outcome(Splits.byteByByte(head)) == "malformed")
    }

    @Test("Transfer-Encoding in HTTP/1.0 is refused")
    func oldTransferEncoding() {
        #expect(Self.outcome("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n") == "malformed")
    }

    @Test("Other versions of HTTP are named as such", arguments: ["PRI * HTTP/2.0\r\n\r\n", "GET / HTTP/0.9\r\n\r\n"])
    func versions(_ head: String) {
        #expect(Self.outcome(head) == "unsupportedVersion")
    }

    @Test("A method is told from its neighbours by every byte", arguments: ["GET", "GE", "GETS", "get", "HEAD", "G"])
    func method(_ method: String) throws {
        var parser = HeadParser()
        var bytes = ByteBuffer(string: "\(method) / HTTP/1.1\r\nHost: a\r\n\r\n")
        let head = try #require(try parser.request(&bytes))
        #expect(head.hasMethod("GET") == (method == "GET"))
        #expect(head.hasMethod("HEAD") == (method == "HEAD"))
    }

    @Test("A head may be as long as the limit, and not a byte longer, in whatever pieces it comes")
    func length() {
        let start = "GET / HTTP/1.1\r\nHost: a\r\nX: "
        for (extra, isAccepted) in [(0, true), (1, false), (5_000, false)] {
            let padding = String(repeating: "x", count: 1_000 - start.utf8.count - 4 + extra)
            let head = start + padding + "\r\n\r\n"
            for pieces in [[ByteBuffer(string: head)], Splits.byteByByte(head), Splits.random(head, seed: 3)] {
                let outcome = Self.outcome(pieces, maximumBytes: 1_000)
                #expect(isAccepted ? outcome.hasPrefix("GET / ") : outcome == "headTooLarge", "\(extra)")
            }
        }
    }

    @Test("128 fields pass, 129 and 20 000 do not")
    func fieldCount() {
        for (count, isAccepted) in [(127, true), (128, false), (20_000, false)] {
            let head = "GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "A:\r\n", count: count) + "\r\n"
            #expect(Self.outcome(head).hasPrefix("GET / ") == isAccepted)
            if !isAccepted { #expect(Self.outcome(head) == "headTooLarge") }
        }
    }

    @Test("Bytes above 0x7F in a value stay as they are")
    func obsText() throws {
        var bytes = ByteBuffer(string: "GET / HTTP/1.1\r\nHost: a\r\nX: ")
        bytes.writeBytes([0x80, 0xE9, 0xFF])
        bytes.writeString("\r\n\r\n")
        var parser = HeadParser()
        let head = try #require(try parser.request(&bytes))
        var copy = ByteBuffer()
        head.section.copy(head.section.lines[1], to: &copy)
        #expect(Array(copy.readableBytesView) == Array("X: ".utf8) + [0x80, 0xE9, 0xFF, 0x0D, 0x0A])
        #expect(head.section.latin1Text(head.section.lines[1].value) == "\u{80}\u{E9}\u{FF}")
    }

    @Test("What follows a head stays in the buffer for the next")
    func pipelined() throws {
        let one = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
        var buffer = ByteBuffer(string: one + one.replacing("/1 ", with: "/2 "))
        var parser = HeadParser()
        #expect(try parser.request(&buffer)?.targetText == "/1")
        #expect(try parser.request(&buffer)?.targetText == "/2")
        #expect(buffer.readableBytes == 0)
    }
}
