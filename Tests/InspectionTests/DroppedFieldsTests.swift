// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import Inspection

@Suite("Fields that are not kept")
struct DroppedFieldsTests {
    private static let moment = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private static let dropped = DroppedFields(["Authorization", "set-cookie"])

    private static func removed(_ text: String, hasLine: Bool = true) -> (kept: String, names: [String]) {
        var bytes = Array(text.utf8)
        let names = Self.dropped.remove(from: &bytes, hasLine: hasLine)
        return (String(decoding: bytes, as: UTF8.self), names)
    }

    @Test("Their lines go, in any case and as often as they are there; everything else stays byte for byte")
    func lines() {
        let (kept, names) = Self.removed(
            "GET /authorization: HTTP/1.1\r\nHost: x\r\nAUTHORIZATION: Bearer a\r\nX-Authorization:b\r\n"
                + "authorization:c\r\n\r\n"
        )
        #expect(kept == "GET /authorization: HTTP/1.1\r\nHost: x\r\nX-Authorization:b\r\n\r\n")
        #expect(names == ["AUTHORIZATION", "authorization"])
        #expect(Self.removed("GET / HTTP/1.1\nSet-Cookie: a\n b: more\nX: y\n\n").kept == "GET / HTTP/1.1\nX: y\n\n")
        // What looks like one is the start line.
        #expect(Self.removed("Authorization: x\r\n\r\n").kept == "Authorization: x\r\n\r\n")
        #expect(Self.removed("Authorization: x\r\nA: b\r\n\r\n", hasLine: false).kept == "A: b\r\n\r\n")
        for text in ["", "\n", "x", "GET / HTTP/1.1\r\nAuthorization", "\r\n\r\n"] {
            #expect(Self.removed(text).kept == text)
        }
    }

    @Test("Neither heads nor trailers of what passes have them, the exchange says so, and its memory is given back")
    func capture() throws {
        let ring = CaptureRing(dropped: Self.dropped)
        let secret = "hush-hush"
        let head = "POST / HTTP/1.1\r\nHost: x\r\nAuthorization: \(secret)\r\n\r\n"
        let origin = ExchangeOrigin(tunnel: "my-app", connection: 1)
        let exchange = try #require(ring.begin(origin, head: Array(head.utf8), at: Self.moment))
        exchange.interim(Array("HTTP/1.1 103 x\r\nSet-Cookie: \(secret)\r\n\r\n".utf8), at: Self.moment)
        exchange.requestEnded(trailers: Array("Authorization: \(secret)\r\n\r\n".utf8), at: Self.moment)
        let response = "HTTP/1.1 200 OK\r\nSet-Cookie: a=\(secret)\r\nX: y\r\n\r\n"
        exchange.responded(Array(response.utf8), kind: .http, at: Self.moment)
        exchange.completed(trailers: Array("Set-Cookie: b=\(secret)\r\nT: u\r\n\r\n".utf8), at: Self.moment)
        let view = ExchangeView(exchange.snapshot())
        let answer = ExchangeAnswer(view, publicURL: nil, rawLimit: .max)
        #expect(answer.request.droppedFields == ["Authorization"])
        #expect(answer.response?.droppedFields == ["Set-Cookie"])
        #expect(answer.response?.fields == [["X", "y"]] && answer.response?.trailers == [["T", "u"]])
        let state = view.exchange.state
        let held =
            [state.request, try #require(state.response)].flatMap { $0.head + $0.trailers }
            + state.interim.flatMap(\.head)
        #expect(!String(decoding: held, as: UTF8.self).contains(secret))
        // A replay is what is left.
        let replay = String(decoding: try ReplayRequest(repeating: view).head, as: UTF8.self)
        #expect(!replay.lowercased().contains("authorization") && replay.contains("Host: x\r\n"))
        #expect(ring.remove(exchange.id) && ring.usedBytes == 0)
    }

    @Test("What comes from an archive has them no more than what passes")
    func archive() throws {
        let ring = CaptureRing(dropped: Self.dropped)
        let text = "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: hush\r\n\r\n"
        var state = ExchangeState(request: MessageCapture(head: Array(text.utf8)), began: Self.moment)
        state.setResponse(MessageCapture(head: Array("HTTP/1.1 200 OK\r\nSet-Cookie: a\r\n\r\n".utf8)), at: Self.moment)
        let origin = ExchangeOrigin(tunnel: "my-app", connection: 1)
        let exchange = try #require(ring.add(origin, state: state))
        let kept = exchange.snapshot().state
        #expect(String(decoding: kept.request.head, as: UTF8.self) == "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(kept.request.dropped == ["Authorization"] && kept.response?.dropped == ["Set-Cookie"])
        #expect(kept.counted == ring.usedBytes)
        ring.clear()
        #expect(ring.usedBytes == 0)
    }
}
