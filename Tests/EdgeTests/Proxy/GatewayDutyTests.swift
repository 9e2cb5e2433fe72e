// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Mux
import NIOCore
import Testing

@testable import EdgeProxy

@Suite("What HTTP asks of gateways")
struct GatewayDutyTests {
    private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    private func request(_ method: String = "GET", _ fields: String = "") -> Data {
        Data("\(method) /\(ProxyWorld.tunnelID)/a HTTP/1.1\r\nHost: \(ProxyWorld.host)\r\n\(fields)\r\n".utf8)
    }

    private func text(_ visitor: VisitorEnd) -> String { String(decoding: visitor.received, as: UTF8.self) }

    @Test("A response that does not say when it was made gets the time of its arrival, an interim one does not")
    func date() throws {
        let date = "Date: Thu, 01 Jan 1970 00:16:40 GMT\r\n"
        for (response, expected) in [
            (Self.ok, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\(date)\r\nok"),
            (
                "HTTP/1.1 103 Early Hints\r\n\r\n" + Self.ok,
                "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\(date)\r\nok"
            ),
            ("HTTP/1.1 204 No Content\r\ndate: then\r\n\r\n", "HTTP/1.1 204 No Content\r\ndate: then\r\n\r\n"),
        ] {
            let world = try ProxyWorld(datesResponses: true)
            try world.addConnector { AnsweringOrigin.serve($0, with: response) }
            let visitor = try world.visit()
            visitor.send(self.request())
            world.settle()
            #expect(self.text(visitor) == expected)
        }
        let world = try ProxyWorld(datesResponses: true)
        let visitor = try world.visit()
        visitor.send(
            Data("GET /nobody/ HTTP/1.1\r\nHost: a\r\n\r\nGET /\(ProxyWorld.tunnelID) HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        )
        world.settle()
        #expect(self.text(visitor).components(separatedBy: date).count == 3)
    }

    /// Gives to a visitor of the edge what comes out of a stream.
    private final class Forwarding: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let visitor: VisitorEnd

        init(to visitor: VisitorEnd) { self.visitor = visitor }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.visitor.send(Data(self.unwrapInboundIn(data).readableBytesView))
        }
    }

    @Test("A tunnel that leads back to the edge ends after five rounds, with 508")
    func loop() throws {
        let world = try ProxyWorld(policy: TunnelPolicy { $0.pathMode = .keep })
        var passes: [(stream: StreamChannel, visitor: VisitorEnd)] = []
        try world.addConnector { stream in
            // The local server is the edge: what comes out of the tunnel goes in again.
            guard let visitor = try? world.visit() else { return }
            try? stream.pipeline.syncOperations.addHandler(Forwarding(to: visitor))
            passes.append((stream, visitor))
            stream.accept()
        }
        let visitor = try world.visit()
        visitor.send(self.request())
        var answered = 0
        for _ in 0..<30 {
            world.settle()
            // From the innermost round outwards.
            guard answered < passes.count, passes.last?.visitor.received.isEmpty == false else { continue }
            let (stream, inner) = passes[passes.count - 1 - answered]
            guard !inner.received.isEmpty else { continue }
            stream.writeAndFlush(ByteBuffer(bytes: inner.received), promise: nil)
            answered += 1
        }
        #expect(passes.count == HopCount.maximum)
        #expect(self.text(visitor).hasPrefix("HTTP/1.1 508 Loop Detected\r\n"))
    }

    @Test("What may go no further is answered here: OPTIONS in short, TRACE by the request but for its secrets")
    func maxForwards() throws {
        let world = try ProxyWorld()
        var seen: [String] = []
        try world.addConnector { AnsweringOrigin.serve($0, with: Self.ok) { seen.append($0) } }
        let visitor = try world.visit()
        visitor.send(self.request("OPTIONS", "Max-Forwards: 0\r\n"))
        world.settle()
        #expect(self.text(visitor) == "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        let tracing = try world.visit()
        tracing.send(self.request("TRACE", "Max-Forwards: 00\r\nA: b\r\nCookie: c\r\nAUTHORIZATION: d\r\n"))
        world.settle()
        let body =
            "TRACE /\(ProxyWorld.tunnelID)/a HTTP/1.1\r\nHost: \(ProxyWorld.host)\r\nMax-Forwards: 00\r\nA: b\r\n\r\n"
        #expect(self.text(tracing).hasSuffix("\r\n\r\n" + body))
        #expect(self.text(tracing).contains("Content-Type: message/http\r\n"))
        #expect(seen.isEmpty)
        visitor.send(self.request("GET", "Max-Forwards: 0\r\n"))
        world.settle()
        #expect(seen.count == 1)
    }

    @Test("An origin that says that it is at work has its time again, whichever version of HTTP the visitor speaks")
    func interimResponses() throws {
        for version in ["1.1", "1.0"] {
            let world = try ProxyWorld()
            var streams: [StreamChannel] = []
            try world.addConnector {
                streams.append($0)
                $0.accept()
            }
            let visitor = try world.visit()
            let head = "GET /\(ProxyWorld.tunnelID)/ HTTP/\(version)\r\nHost: a\r\n\r\n"
            visitor.send(Data(head.utf8))
            world.settle()
            for _ in 0..<9 {
                for _ in 0..<9 { world.advance(by: .seconds(10)) }
                streams[0].writeAndFlush(ByteBuffer(string: "HTTP/1.1 102 Processing\r\n\r\n"), promise: nil)
                world.settle()
            }
            #expect(visitor.ended == nil)
            for _ in 0..<11 { world.advance(by: .seconds(10)) }
            #expect(self.text(visitor).contains("HTTP/1.1 504"))
        }
    }
}
