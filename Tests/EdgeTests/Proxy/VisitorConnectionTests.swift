// SPDX-License-Identifier: Apache-2.0

import Foundation
import Mux
import NIOCore
import NIOEmbedded
import Protocol
import Testing

@testable import EdgeProxy
@testable import EdgeTunnels

@Suite("A visitor's connection")
struct VisitorConnectionTests {
    private static let get = "GET /\(ProxyWorld.tunnelID)/ HTTP/1.1\r\nHost: \(ProxyWorld.host)\r\n\r\n"
    private static let unknown = "GET /no-such-tunnel/ HTTP/1.1\r\nHost: \(ProxyWorld.host)\r\n\r\n"
    private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    /// A world whose origin answers each request without a body.
    private func world(_ settings: ProxySettings = ProxySettings()) throws -> ProxyWorld {
        let world = try ProxyWorld(settings: settings)
        try world.addConnector { AnsweringOrigin.serve($0, with: Self.ok) }
        return world
    }

    @Test("Requests that the edge answers itself wait while the visitor takes none of the answers")
    func pipelinedAnswers() throws {
        let world = try self.world()
        let visitor = try world.visit()
        visitor.isTaking = false
        let count = 2_000
        visitor.send(Data(String(repeating: Self.unknown, count: count).utf8))
        world.settle()
        // The high-water mark, and what one answer may be beyond it.
        #expect(visitor.untakenBytes > 32 << 10)
        #expect(visitor.untakenBytes < 80 << 10)
        #expect(world.recorder.startedCount < 200)
        visitor.isTaking = true
        world.settle()
        #expect(world.recorder.entries.count == count)
        #expect(String(decoding: visitor.received, as: UTF8.self).split(separator: "HTTP/1.1 404").count == count)
    }

    @Test(
        "Where no place is left to ask other edges for a tunnel, nobody is told that there is none",
        arguments: [true, false]
    )
    func fullOfGuesses(asksOthers: Bool) throws {
        let settings = ProxySettings(unknownHold: .seconds(1))
        let world = try ProxyWorld(settings: settings, looksFurther: asksOthers)
        while world.services.arrivals.enter() {}
        let visitor = try world.visit()
        visitor.send(Data(Self.unknown.utf8))
        world.settle()
        let answer = String(decoding: visitor.received, as: UTF8.self)
        #expect(answer.hasPrefix(asksOthers ? "HTTP/1.1 503 " : "HTTP/1.1 404 "))
        #expect(answer.contains(asksOthers ? "Culvert-Error: registry_unavailable" : "Culvert-Error: tunnel_not_found"))
        #expect(answer.contains("Retry-After: 1\r\n") == asksOthers)
    }

    @Test("A visitor who takes nothing is given up after the stall time-out, by a reset")
    func stalled() throws {
        let world = try self.world()
        let visitor = try world.visit()
        visitor.isTaking = false
        visitor.send(Data(String(repeating: Self.unknown, count: 2_000).utf8))
        world.settle()
        world.advance(by: .seconds(59))
        #expect(visitor.ended == nil)
        world.advance(by: .seconds(2))
        #expect(visitor.ended == .reset)
        #expect(world.services.connections.count == 0)
    }

    @Test(
        "While the listener leaves an answer says that it is the last, and an idle connection is kept until it closes"
    )
    func leaving() throws {
        let world = try self.world()
        let (asking, idle) = (try world.visit(), try world.visit())
        for visitor in [asking, idle] { visitor.send(Data(Self.get.utf8)) }
        world.settle()
        #expect(String(decoding: asking.received, as: UTF8.self) == Self.ok)
        world.services.connections.enter(.leaving)
        world.settle()
        asking.send(Data(Self.get.utf8))
        world.settle()
        #expect(
            String(decoding: asking.received.dropFirst(Self.ok.utf8.count), as: UTF8.self).contains("Connection: close")
        )
        #expect(asking.ended == .end)
        #expect(idle.ended == nil)
        world.services.connections.enter(.closing)
        world.settle()
        #expect(idle.ended == .end)
        #expect(world.services.connections.count == 0)
    }

    @Test("A request that waits for a connector is answered at once when the listener leaves")
    func waitingWhileLeaving() throws {
        let world = try ProxyWorld()
        let visitor = try world.visit()
        visitor.send(Data(Self.get.utf8))
        world.settle()
        #expect(visitor.received.isEmpty)
        world.services.connections.enter(.leaving)
        world.settle()
        #expect(String(decoding: visitor.received, as: UTF8.self).hasPrefix("HTTP/1.1 503"))
        #expect(visitor.ended == .end)
        let late = try world.visit()
        late.send(Data(Self.get.utf8))
        world.settle()
        #expect(String(decoding: late.received, as: UTF8.self).hasPrefix("HTTP/1.1 503"))
    }

    @Test("Where there are other edges a request waits while this one leaves: its connector may have come to another")
    func waitingForOtherEdges() throws {
        let world = try ProxyWorld(looksFurther: true)
        let visitors = [try world.visit(), try world.visit()]
        visitors[0].send(Data(Self.get.utf8))
        world.settle()
        world.services.connections.enter(.leaving)
        world.settle()
        visitors[1].send(Data(Self.get.utf8))
        world.settle()
        #expect(visitors.allSatisfy { $0.received.isEmpty && $0.ended == nil })
        world.services.connections.enter(.closing)
        world.settle()
        for visitor in visitors {
            #expect(String(decoding: visitor.received, as: UTF8.self).hasPrefix("HTTP/1.1 503"))
            #expect(visitor.ended == .end)
        }
    }

    @Test("A head that does not come in its time is answered, a connection that asks nothing is closed in silence")
    func deadlines() throws {
        let world = try self.world()
        let (slow, silent) = (try world.visit(), try world.visit())
        slow.send(Data("GET /".utf8))
        world.settle()
        world.advance(by: .seconds(11))
        #expect(String(decoding: slow.received, as: UTF8.self).hasPrefix("HTTP/1.1 408"))
        #expect(silent.ended == nil)
        for _ in 0..<20 { world.advance(by: .seconds(5)) }
        #expect(silent.ended == .end)
        #expect(silent.received.isEmpty)
    }

    @Test("Who goes on with an upload that was answered early has half a minute to come to the answer")
    func lateReader() throws {
        let world = try ProxyWorld()
        try world.addConnector { stream in
            stream.accept()
            let answer = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            stream.writeAndFlush(ByteBuffer(string: answer), promise: nil)
            stream.close(mode: .output, promise: nil)
            stream.stopReading(code: .localReset)
        }
        let head = "POST /\(ProxyWorld.tunnelID)/ HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n"
        for pause in [4, 6] as [Int64] {
            let visitor = try world.visit()
            visitor.send(Data(head.utf8))
            world.settle()
            #expect(String(decoding: visitor.received, as: UTF8.self).hasPrefix("HTTP/1.1 413"))
            var seconds: Int64 = 0
            while visitor.channel.isActive, seconds < 60 {
                visitor.send(Data(repeating: 0x78, count: 1_000))
                for _ in 0..<pause { world.advance(by: .seconds(1)) }
                seconds += pause
            }
            #expect(seconds == (pause == 4 ? 32 : 6))
        }
    }

    @Test("Nothing of a connection stays when it is over, however it ended, on one event loop and across two")
    func leftovers() throws {
        for isLocal in [true, false] {
            let world = try self.world()
            let loop = isLocal ? world.loop : world.otherLoop
            weak var remembered: VisitorConnection?
            for ending in 0..<3 {
                let connection = VisitorConnection(services: world.services)
                remembered = connection
                let visitor = try VisitorEnd(connection, from: "127.0.0.1", on: loop)
                visitor.send(Data(Self.get.utf8))
                world.settle()
                #expect(String(decoding: visitor.received, as: UTF8.self) == Self.ok)
                switch ending {
                case 0: visitor.shut()
                case 1: visitor.reset()
                default:
                    visitor.send(Data(Self.get.utf8))
                    visitor.reset()
                }
                world.settle()
                world.advance(by: .seconds(6))
            }
            #expect(remembered == nil)
            #expect(world.services.connections.count == 0)
            #expect(world.recorder.startedCount == world.recorder.entries.count)
        }
    }
}

/// An origin that answers each request whose head has come, and each body of a known length, with the same response.
final class AnsweringOrigin: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let response: String
    private let seen: (String) -> Void
    private var text = ""
    private var context: ChannelHandlerContext?
    /// Whether it is the connection's turn; until then what comes is kept.
    private var isServing: Bool

    /// Accepts a stream as a connector would, with such an origin behind it.
    ///
    /// - Parameters:
    ///   - isServing: Whether it answers before ``takeTurn()`` is called.
    ///   - seen: Gets each request, with its body.
    @discardableResult
    static func serve(
        _ stream: StreamChannel,
        with response: String,
        isServing: Bool = true,
        seen: @escaping (String) -> Void = { _ in }
    ) -> AnsweringOrigin {
        let origin = AnsweringOrigin(response, isServing, seen)
        try? stream.pipeline.syncOperations.addHandler(origin)
        stream.accept()
        return origin
    }

    private init(_ response: String, _ isServing: Bool, _ seen: @escaping (String) -> Void) {
        self.response = response
        self.isServing = isServing
        self.seen = seen
    }

    /// Answers from now on.
    func takeTurn() {
        self.isServing = true
        self.answer()
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.text += String(buffer: self.unwrapInboundIn(data))
        self.answer()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // As servers do where the client has closed.
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(promise: nil) }
    }

    private func answer() {
        guard self.isServing, let head = self.text.range(of: "\r\n\r\n") else { return }
        let length =
            self.text.range(of: "Content-Length: ").flatMap { Int(self.text[$0.upperBound...].prefix { $0.isNumber }) }
            ?? 0
        guard self.text.utf8.distance(from: head.upperBound, to: self.text.endIndex) >= length else { return }
        self.seen(self.text)
        self.text = ""
        self.context?.channel.writeAndFlush(ByteBuffer(string: self.response), promise: nil)
    }
}
