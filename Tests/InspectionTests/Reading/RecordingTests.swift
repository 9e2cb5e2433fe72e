// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import Testing

@testable import Inspection

@Suite("What is kept of the exchanges of a connection")
struct RecordingTests {
    private let ring = CaptureRing()

    private func script() -> TapScript {
        let origin = ExchangeOrigin(tunnel: "my-app", connection: 3)
        return TapScript(recorder: ExchangeRecorder(ring: self.ring, origin: origin))
    }

    /// The exchanges, the oldest first.
    private var kept: [ExchangeSnapshot] { self.ring.exchanges.reversed().map { $0.snapshot() } }

    private static func text(_ bytes: [UInt8]?) -> String { String(decoding: bytes ?? [], as: UTF8.self) }

    private static let post = """
        POST /hooks?x=1 HTTP/1.1\r\nHost: x\r\nX-Twice: a\r\nx-twice:  b \r\nTransfer-Encoding: chunked\r\n\r\n\
        3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-Sum: 7\r\n\r\n
        """
    private static let answers = """
        HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 404 No\r\n\
        Content-Length: 0\r\n\r\n
        """

    @Test("Heads are kept byte for byte, bodies without their chunks, trailers and interim responses apart")
    func parts() throws {
        var script = self.script()
        script.request(Self.post)
        script.wait(5)
        script.request("GET /second HTTP/1.1\r\nHost: x\r\n\r\n")
        script.response(Self.answers)
        script.close()
        let (first, second) = (try #require(self.kept.first), try #require(self.kept.last))
        #expect(Self.text(first.state.request.head) == Self.post.components(separatedBy: "3\r\nabc")[0])
        #expect(Self.text(first.state.request.body.kept) == "abcdefg")
        #expect(Self.text(first.state.request.trailers) == "X-Sum: 7\r\n\r\n")
        #expect(first.state.request.body.isWhole && first.state.request.body.isComplete)
        #expect(first.state.interim.map { Self.text($0.head) } == ["HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"])
        #expect(Self.text(first.state.response?.head) == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        #expect(Self.text(first.state.response?.body.kept) == "ok")
        #expect(first.state.ending == .complete && second.state.ending == .complete)
        #expect(first.connection == 3 && second.connection == 3 && first.tunnel == "my-app")
        #expect(first.state.responseHead.map { first.span(to: $0) } == .milliseconds(5))
        #expect(second.state.responseHead.map { second.span(to: $0) } == .zero)
    }

    @Test("However the bytes are cut, the same is kept")
    func everyCut() {
        func kept(requestsAt requestCut: Int, responsesAt responseCut: Int) -> [String] {
            self.ring.clear()
            var script = self.script()
            let requests = Array((Self.post + "GET /second HTTP/1.1\r\nHost: x\r\n\r\n").utf8)
            for piece in [requests[..<requestCut], requests[requestCut...]] { script.request(ByteBuffer(bytes: piece)) }
            let responses = Array(Self.answers.utf8)
            for piece in [responses[..<responseCut], responses[responseCut...]] {
                script.response(ByteBuffer(bytes: piece))
            }
            return self.kept.map { exchange in
                let state = exchange.state
                return [
                    Self.text(state.request.head), Self.text(state.request.body.kept),
                    Self.text(state.request.trailers),
                    Self.text(state.response?.head), Self.text(state.response?.body.kept),
                    "\(state.interim.count) \(state.ending)",
                ].joined(separator: "|")
            }
        }
        let whole = kept(requestsAt: 0, responsesAt: 0)
        #expect(whole.count == 2)
        for cut in 0...Self.post.utf8.count { #expect(kept(requestsAt: cut, responsesAt: 0) == whole, "\(cut)") }
        for cut in 0...Self.answers.utf8.count { #expect(kept(requestsAt: 0, responsesAt: cut) == whole, "\(cut)") }
    }

    @Test("An exchange that breaks off says on which side, and a late upload is still counted")
    func broken() throws {
        var script = self.script()
        script.request("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
        script.response("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
        script.request("67")
        script.request("890GET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
        script.response("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12")
        script.close(isClean: false)
        #expect(self.kept.first?.state.request.body.size == 10)
        #expect(self.kept.first?.state.request.body.isWhole == true)
        #expect(
            self.kept.last?.state.ending
                == .failed("The visitor or the edge gave up before the response was complete.")
        )
    }

    @Test("A connection that is not HTTP/1 is one exchange: bytes each way, and why")
    func opaque() throws {
        var script = self.script()
        script.request(ByteBuffer(bytes: [0x16, 0x03, 0x01, 0x00, 0x05]))
        script.response(ByteBuffer(bytes: [0x15, 0x03]))
        script.request(ByteBuffer(bytes: [1, 2, 3]))
        script.close()
        let exchange = try #require(self.kept.first)
        #expect(self.kept.count == 1 && exchange.state.kind == .opaque)
        #expect(exchange.state.request.body.kept.isEmpty && exchange.state.response?.body.size == 2)
        #expect(exchange.state.fault?.contains("visitor") == true && exchange.state.ending == .complete)
    }

    @Test("The reason why a response can't be read is kept with its exchange")
    func unreadableResponse() throws {
        var script = self.script()
        script.request("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        script.response("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx")
        script.close()
        #expect(self.kept.first?.state.fault?.contains("a Transfer-Encoding other than chunked") == true)
    }

    @Test("The messages of a WebSocket are kept in order with who sent them, compressed ones decoded")
    func webSocket() throws {
        var script = self.script()
        script.request(
            "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n"
        )
        script.response(
            ByteBuffer(
                bytes: Array(
                    """
                    HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n
                    """.utf8
                ) + [0x81, 0x02, 0x68, 0x69]
            )
        )
        script.wait(7)
        script.request(ByteBuffer(bytes: [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]))
        script.response(ByteBuffer(bytes: [0xC1, 0x07, 0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]))
        script.close()
        let exchange = try #require(self.kept.first)
        let frames = try #require(exchange.state.frames)
        #expect(exchange.state.kind == .websocket && exchange.state.ending == .complete)
        #expect(frames.frames.map { Self.text($0.content) } == ["hi", "Hello", "Hello"])
        #expect(frames.frames.map(\.side) == [.server, .visitor, .server])
        #expect(frames.frames.map { exchange.span(to: $0.moment) } == [.zero, .milliseconds(7), .milliseconds(7)])
        #expect(exchange.state.request.body.size == 11 && exchange.state.response?.body.size == 13)
        #expect(exchange.state.isWhole)
    }

    @Test("No more WebSockets are decompressed at a time than the bound")
    func inflaters() {
        let quota = InflaterQuota()
        var places = (0..<InflaterQuota.maximum).map { _ in quota.take() }
        #expect(places.allSatisfy { $0 != nil } && quota.take() == nil)
        places.removeLast()
        #expect(quota.take() != nil)
    }

    @Test("An event stream notes when its pieces came")
    func events() throws {
        var script = self.script()
        script.request("GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        script.response("HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\n\r\n")
        for _ in 0..<3 {
            script.wait(10)
            script.response("data: 1\n\n")
        }
        let exchange = try #require(self.kept.first)
        #expect(exchange.state.kind == .events)
        let arrivals = try #require(exchange.state.response?.body.arrivals)
        #expect(arrivals.map(\.offset) == [0, 9, 18])
        #expect(arrivals.map { exchange.span(to: $0.moment) } == [10, 20, 30].map { .milliseconds($0) })
    }

    @Test("A read buffer is not kept alive by what is kept of it")
    func ownMemory() throws {
        var script = self.script()
        let head = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        var buffer = ByteBufferAllocator().buffer(capacity: 65_536)
        buffer.writeString(head)
        script.request(buffer)
        let before = try #require(self.kept.first).state.request.head.capacity
        #expect(before < 1_024)
    }
}
