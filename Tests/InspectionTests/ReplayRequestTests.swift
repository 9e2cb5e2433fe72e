// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Testing

@testable import Inspection

@Suite("A request that is sent again")
struct ReplayRequestTests {
    @Test("A signature is made anew over the body that is sent, unless it was edited")
    func signature() throws {
        let view = Captured.view(
            "POST / HTTP/1.1\r\nHost: x\r\nStripe-Signature: t=1,v1=0\r\nContent-Length: 1\r\n\r\n",
            body: [65]
        )
        func head(_ edit: ReplayEdit) throws -> String {
            let replay = try ReplayRequest(repeating: view, edit: edit) { body in
                [HeadText.Field("stripe-signature", "t=2,v1=\(body.count)"), HeadText.Field("x-absent", "y")]
            }
            return String(decoding: replay.head, as: UTF8.self)
        }
        #expect(try head(ReplayEdit()).contains("\r\nStripe-Signature: t=2,v1=1\r\n"))
        #expect(try head(ReplayEdit(body: [65, 66])).contains("\r\nStripe-Signature: t=2,v1=2\r\n"))
        let same = ReplayEdit(fields: [HeadText.Field("Stripe-Signature", "t=1,v1=0")])
        #expect(try head(same).contains("\r\nStripe-Signature: t=2,v1=1\r\n"))
        let own = ReplayEdit(fields: [HeadText.Field("Stripe-Signature", "mine")])
        #expect(try head(own).contains("\r\nStripe-Signature: mine\r\n"))
        #expect(try !head(ReplayEdit(fields: [])).contains("ignature"))
        #expect(try !head(ReplayEdit()).contains("x-absent"))
    }

    private static let id = "019ad0c3f2a1b004"

    private static func text(_ request: ReplayRequest) -> String {
        String(decoding: request.head + request.body, as: UTF8.self)
    }

    @Test("It is byte for byte what passed, but for length, Connection, Expect and the name of the original")
    func exact() throws {
        let view = Captured.view(
            """
            POST /a%2Fb?x=%00 HTTP/1.1\r\nhost:localhost:3000\r\nX-Twice: a\r\nContent-Length: 5\r\nx-twice:  b\t\r\n\
            Expect: 100-continue\r\nConnection: keep-alive\r\nX-Empty:\r\n\r\n
            """,
            body: Array("hello".utf8)
        )
        #expect(
            Self.text(try ReplayRequest(repeating: view)) == """
                POST /a%2Fb?x=%00 HTTP/1.1\r\nhost:localhost:3000\r\nX-Twice: a\r\nContent-Length: 5\r\nx-twice:  b\t\r\n\
                X-Empty:\r\nConnection: close\r\nCulvert-Replay: \(Self.id)\r\n\r\nhello
                """
        )
    }

    @Test("Chunks become a length; with trailers they stay chunks")
    func framing() throws {
        let head = "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
        let plain = Self.text(try ReplayRequest(repeating: Captured.view(head, body: Array("abc".utf8))))
        #expect(plain.contains("Host: x\r\nContent-Length: 3\r\nTrailer") && plain.hasSuffix("\r\n\r\nabc"))
        let trailers = Captured.view(head, body: Array("abc".utf8), trailers: "X-Sum: 7\r\n\r\n")
        let chunked = Self.text(try ReplayRequest(repeating: trailers))
        #expect(chunked.contains("\r\nTransfer-Encoding: chunked\r\n") && !chunked.contains("Content-Length"))
        #expect(chunked.hasSuffix("\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n"))
        let empty = Self.text(try ReplayRequest(repeating: Captured.view("GET / HTTP/1.1\r\nHost: x\r\n\r\n")))
        #expect(!empty.contains("Content-Length"))
        let zero = Captured.view("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        #expect(Self.text(try ReplayRequest(repeating: zero)).contains("Content-Length: 0\r\n"))
    }

    @Test("An edited body gets its own length and loses the coding of the original")
    func editedBody() throws {
        let view = Captured.view(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 30\r\n\r\n",
            body: [UInt8](repeating: 0x1F, count: 30)
        )
        let edited = Self.text(try ReplayRequest(repeating: view, edit: ReplayEdit(body: Array("plain".utf8))))
        #expect(edited.contains("Content-Length: 5\r\n") && !edited.lowercased().contains("content-encoding"))
        #expect(edited.hasSuffix("\r\n\r\nplain"))
        let same = try ReplayRequest(repeating: view)
        #expect(String(decoding: same.head, as: UTF8.self).contains("Content-Encoding: gzip\r\n"))
        #expect(same.body == [UInt8](repeating: 0x1F, count: 30))
    }

    @Test("Edited fields are sent as they are, in order and with repeats; those that did not change keep their bytes")
    func editedFields() throws {
        let head = Array("GET /old HTTP/1.1\r\nHost:x\r\nX-Latin:  caf".utf8) + [0xE9] + Array("\r\n\r\n".utf8)
        var exchange = Captured.view("").exchange
        exchange.state.request.head = head
        let view = ExchangeView(exchange)
        let edit = ReplayEdit(
            method: "PATCH",
            target: "/new?y",
            fields: [
                HeadText.Field("Host", "x"), HeadText.Field("X-Latin", "café"), HeadText.Field("A", "1"),
                HeadText.Field("a", "2"), HeadText.Field("Content-Length", "99"),
            ]
        )
        let request = try ReplayRequest(repeating: view, edit: edit)
        #expect(
            request.head == Array("PATCH /new?y HTTP/1.1\r\nHost:x\r\nX-Latin:  caf".utf8) + [0xE9]
                + Array("\r\nA: 1\r\na: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".utf8)
        )
        let kept = ReplayEdit(fields: [HeadText.Field("Host", "x"), HeadText.Field("Connection", "keep-alive")])
        let text = Self.text(try ReplayRequest(repeating: view, edit: kept))
        #expect(text.contains("Connection: keep-alive\r\n") && !text.contains("close"))
    }

    @Test(
        "No edit can add a line, a request or a framing of its own",
        arguments: [
            ReplayEdit(method: "GET /x HTTP/1.1\r\nX"), ReplayEdit(method: ""), ReplayEdit(target: "/a b"),
            ReplayEdit(target: "/\r\nX: y"), ReplayEdit(target: ""),
            ReplayEdit(fields: [HeadText.Field("X\r\nY", "1")]),
            ReplayEdit(fields: [HeadText.Field("X", "1\r\nY: 2")]), ReplayEdit(fields: [HeadText.Field("", "1")]),
            ReplayEdit(fields: [HeadText.Field("X Y", "1")]), ReplayEdit(fields: [HeadText.Field("X", "\0")]),
        ]
    )
    func refusedEdits(edit: ReplayEdit) {
        let view = Captured.view("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(throws: ProblemDetails.self) { try ReplayRequest(repeating: view, edit: edit) }
    }

    @Test("What is not there can't be sent again, and the refusal says what to do")
    func refusals() throws {
        let cut = Captured.view("POST / HTTP/1.1\r\nHost: x\r\n\r\n", body: [1, 2], size: 3_000)
        let refusal = try #require(ReplayRequest.refusal(of: cut))
        #expect(refusal.code == "body_not_whole" && refusal.status == 409)
        #expect(refusal.detail?.contains("first 2 of 3000 bytes") == true)
        #expect(refusal.detail?.contains("--inspect-body") == true)
        #expect(throws: ProblemDetails.self) { try ReplayRequest(repeating: cut) }
        #expect(try ReplayRequest(repeating: cut, edit: ReplayEdit(body: [9])).body == [9])
        for kind in [ExchangeState.Kind.websocket, .upgrade, .opaque] {
            let view = Captured.view("GET / HTTP/1.1\r\nHost: x\r\n\r\n", kind: kind)
            #expect(ReplayRequest.refusal(of: view)?.code == "not_replayable")
        }
        var open = Captured.view("POST / HTTP/1.1\r\nHost: x\r\n\r\n").exchange
        open.state.request.body = BodyCapture()
        #expect(ReplayRequest.refusal(of: ExchangeView(open))?.code == "body_not_whole")
    }
}
