// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Testing

@testable import Mux

@Suite("The server's opening handshake (RFC 6455 §4.2, B.2)")
struct WebSocketServerHandshakeTests {
    private static let good: [WebSocketHandshake.Field] = [
        ("Host", "tunnels.example.com"), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Protocol", "culvert.mux.v1"),
    ]

    /// The request with one field changed, or left out.
    private func request(_ name: String, _ value: String?) -> [WebSocketHandshake.Field] {
        var fields = Self.good.filter { $0.name != name }
        if let value { fields.append((name, value)) }
        return fields
    }

    @Test("a good request gets the answer of the RFC's example")
    func accepted() throws {
        let fields = try WebSocketHandshake.accept(fields: Self.good).get()
        #expect(fields.contains { $0 == ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") })
        #expect(fields.contains { $0 == ("Sec-WebSocket-Protocol", "culvert.mux.v1") })
        #expect(fields.contains { $0 == ("Upgrade", "websocket") })
        #expect(fields.contains { $0 == ("Connection", "Upgrade") })
        #expect(fields.count == 4)
    }

    @Test(
        "names, tokens and lists may be written in any way that HTTP allows",
        arguments: [
            ("Connection", "keep-alive, UPGRADE"), ("Upgrade", "WebSocket"),
            ("Sec-WebSocket-Protocol", "culvert.mux.v2, culvert.mux.v1"),
        ]
    )
    func variants(_ name: String, _ value: String) throws {
        let fields = self.request(name, value).map { ($0.name.uppercased(), $0.value) }
        let answer = try WebSocketHandshake.accept(fields: fields).get()
        #expect(answer.filter { $0.name == "Sec-WebSocket-Protocol" }.map(\.value) == ["culvert.mux.v1"])
    }

    @Test("extensions that are offered are never accepted")
    func extensions() throws {
        let fields = Self.good + [("Sec-WebSocket-Extensions", "permessage-deflate")]
        let answer = try WebSocketHandshake.accept(fields: fields).get()
        #expect(!answer.contains { $0.name == "Sec-WebSocket-Extensions" })
    }

    @Test(
        "what is wrong is refused with the status of its kind",
        arguments: [
            ("Origin", "https://example.com", 403, "origin_forbidden"),
            ("Origin", "null", 403, "origin_forbidden"),
            ("Upgrade", nil, 426, "upgrade_required"),
            ("Upgrade", "h2c", 426, "upgrade_required"),
            ("Connection", nil, 426, "upgrade_required"),
            ("Connection", "close", 426, "upgrade_required"),
            ("Sec-WebSocket-Version", nil, 426, "websocket_version"),
            ("Sec-WebSocket-Version", "8", 426, "websocket_version"),
            ("Sec-WebSocket-Key", nil, 400, "websocket_key"),
            ("Sec-WebSocket-Key", "c2hvcnQ=", 400, "websocket_key"),
            ("Sec-WebSocket-Key", "not base 64 at all!!!!!!", 400, "websocket_key"),
            ("Sec-WebSocket-Protocol", nil, 400, "subprotocol_required"),
            ("Sec-WebSocket-Protocol", "culvert.mux.v10", 400, "subprotocol_required"),
            ("Sec-WebSocket-Protocol", "CULVERT.MUX.V1", 400, "subprotocol_required"),
        ] as [(String, String?, Int, String)]
    )
    func refused(_ name: String, _ value: String?, _ status: Int, _ code: String) {
        guard case .failure(let refusal) = WebSocketHandshake.accept(fields: self.request(name, value)) else {
            Issue.record("it was accepted")
            return
        }
        #expect(refusal.status == status)
        #expect(refusal.code == code)
        #expect(!refusal.reason.isEmpty)
    }

    @Test("two keys are refused")
    func twoKeys() {
        let fields = Self.good + [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]
        guard case .failure(let refusal) = WebSocketHandshake.accept(fields: fields) else {
            Issue.record("it was accepted")
            return
        }
        #expect(refusal.code == "websocket_key")
    }

    @Test("keys are random and have 16 bytes")
    func keys() {
        let keys = Set((0..<100).map { _ in WebSocketHandshake.makeKey() })
        #expect(keys.count == 100)
        #expect(keys.allSatisfy { $0.utf8.count == 24 })
    }
}

@Suite("The client's opening handshake (RFC 6455 §4.1, B.2)")
struct WebSocketClientHandshakeTests {
    private static let good = [
        "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Sec-WebSocket-Protocol: culvert.mux.v1",
    ]

    private func handshake() -> WebSocketClientHandshake {
        WebSocketClientHandshake(
            host: "edge.example.com",
            target: "/api/tunnel/connect/demo",
            fields: [("Authorization", "Bearer secret")],
            key: "dGhlIHNhbXBsZSBub25jZQ=="
        )
    }

    private func answer(_ lines: [String], body: String = "") -> ByteBuffer {
        ByteBuffer(string: lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
    }

    /// What becomes of an answer, whole and byte by byte, with the end of the connection behind it.
    private func outcomes(
        _ answer: ByteBuffer
    ) -> [Result<WebSocketClientHandshake.Outcome, WebSocketClientHandshake.Failure>] {
        [answer.readableBytes, 1].map { pieces in
            var handshake = self.handshake()
            var rest = answer
            do throws(WebSocketClientHandshake.Failure) {
                while let piece = rest.readSlice(length: min(pieces, rest.readableBytes)), piece.readableBytes > 0 {
                    if let outcome = try handshake.receive(piece) { return .success(outcome) }
                }
                return .success(try handshake.receivedEnd())
            } catch {
                return .failure(error)
            }
        }
    }

    @Test("the request asks for the subprotocol with the fields it was given, and for no extension")
    func request() {
        #expect(
            String(buffer: self.handshake().request) == """
                GET /api/tunnel/connect/demo HTTP/1.1\r
                Host: edge.example.com\r
                Upgrade: websocket\r
                Connection: Upgrade\r
                Sec-WebSocket-Version: 13\r
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
                Sec-WebSocket-Protocol: culvert.mux.v1\r
                Authorization: Bearer secret\r
                \r

                """
        )
    }

    @Test("a good answer upgrades; what comes behind it belongs to the WebSocket")
    func upgraded() throws {
        var handshake = self.handshake()
        let outcome = try handshake.receive(self.answer(Self.good, body: "\u{2}\u{0}"))
        #expect(outcome == .upgraded(leftover: ByteBuffer(string: "\u{2}\u{0}")))
        #expect(self.outcomes(self.answer(Self.good)).allSatisfy { $0 == .success(.upgraded(leftover: ByteBuffer())) })
    }

    @Test(
        "an upgrade that was not asked for like that fails",
        arguments: [
            (1, "Upgrade: h2c"), (2, "Connection: keep-alive"), (2, "X: y"),
            (3, "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA="), (4, "Sec-WebSocket-Protocol: culvert.mux.v2"),
            (4, "X-Nothing: at all"), (4, "Sec-WebSocket-Protocol: culvert.mux.v1\r\nSec-WebSocket-Extensions: x"),
        ]
    )
    func invalidUpgrade(_ index: Int, _ line: String) {
        var lines = Self.good
        lines[index] = line
        for outcome in self.outcomes(self.answer(lines)) {
            guard case .failure(.invalidUpgrade) = outcome else {
                Issue.record("it was taken: \(outcome)")
                continue
            }
        }
    }

    @Test("a refusal is told with its status, Retry-After and body", arguments: [401, 403, 404, 409, 429, 503])
    func refused(_ status: Int) {
        let answer = self.answer(
            [
                "HTTP/1.1 \(status) Whatever", "Retry-After: 7", "Content-Type: application/problem+json",
                "Content-Length: 2",
            ],
            body: "{}"
        )
        let refusal = WebSocketClientHandshake.Refusal(
            status: status,
            retryAfter: 7,
            contentType: "application/problem+json",
            body: "{}"
        )
        #expect(self.outcomes(answer).allSatisfy { $0 == .success(.refused(refusal)) })
    }

    @Test("a body without a length ends with the connection")
    func bodyToTheEnd() {
        let refusal = WebSocketClientHandshake.Refusal(status: 502, retryAfter: nil, contentType: nil, body: "oops")
        let answer = self.answer(["HTTP/1.0 502 Bad Gateway"], body: "oops")
        #expect(self.outcomes(answer).allSatisfy { $0 == .success(.refused(refusal)) })
    }

    @Test("a length that is none is as good as no length", arguments: ["-1", "-9223372036854775808", "x", "4, 4", "+"])
    func badLength(_ length: String) {
        let refusal = WebSocketClientHandshake.Refusal(status: 403, retryAfter: nil, contentType: nil, body: "oops")
        let answer = self.answer(["HTTP/1.1 403 Forbidden", "Content-Length: \(length)"], body: "oops")
        #expect(self.outcomes(answer).allSatisfy { $0 == .success(.refused(refusal)) })
    }

    @Test(
        "a status that is none is no HTTP",
        arguments: ["099", "+101", "-1", "1010", "10", "x", "", "1e2"]
    )
    func badStatus(_ status: String) {
        var lines = Self.good
        lines[0] = "HTTP/1.1 \(status) Whatever"
        #expect(self.outcomes(self.answer(lines)).allSatisfy { $0 == .failure(.notHTTP) })
    }

    @Test(
        "a Retry-After that is no number of seconds is as good as none",
        arguments: ["-5", "+5", "9223372036854775807", "1000000000", "5.5", "5, 5", "Fri, 01 Jan 2027 00:00:00 GMT"]
    )
    func badRetryAfter(_ value: String) {
        let refusal = WebSocketClientHandshake.Refusal(status: 503, retryAfter: nil, contentType: nil, body: "")
        let answer = self.answer(["HTTP/1.1 503 x", "Retry-After: \(value)", "Content-Length: 0"])
        #expect(self.outcomes(answer).allSatisfy { $0 == .success(.refused(refusal)) })
    }

    @Test("what is not HTTP, too long a head and an early end fail")
    func nonsense() {
        #expect(self.outcomes(ByteBuffer(string: "SSH-2.0-x\r\n\r\n")).allSatisfy { $0 == .failure(.notHTTP) })
        let long = ByteBuffer(string: "HTTP/1.1 101 Ok\r\nX: " + String(repeating: "x", count: 17_000))
        var handshake = self.handshake()
        #expect(throws: WebSocketClientHandshake.Failure.headTooLarge) { try handshake.receive(long) }
        #expect(self.outcomes(ByteBuffer(string: "HTTP/1.1 101")).allSatisfy { $0 == .failure(.connectionClosed) })
        #expect(self.outcomes(ByteBuffer()).allSatisfy { $0 == .failure(.connectionClosed) })
    }
}
