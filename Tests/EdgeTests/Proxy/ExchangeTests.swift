// SPDX-License-Identifier: Apache-2.0

import Foundation
import Mux
import NIOCore
import NIOEmbedded
import Protocol
import Testing

@testable import EdgeProxy
@testable import EdgeTunnels

@Suite("Exchanges, and their second tries")
struct ExchangeTests {
    private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    private func request(_ method: String, _ body: String = "") -> Data {
        let length = body.isEmpty && method == "GET" ? "" : "Content-Length: \(body.utf8.count)\r\n"
        let head = "\(method) /\(ProxyWorld.tunnelID)/ HTTP/1.1\r\nHost: \(ProxyWorld.host)\r\n\(length)\r\n"
        return Data((head + body).utf8)
    }

    private func text(_ visitor: VisitorEnd) -> String { String(decoding: visitor.received, as: UTF8.self) }

    @Test("Of two sessions one refuses every stream: no GET, POST or PUT fails, and each arrives once, whole")
    func refusingSession() throws {
        for isLocal in [true, false] {
            let world = try ProxyWorld()
            var bodies: [String] = []
            try world.addConnector { $0.reject(code: .draining) }
            try world.addConnector { stream in
                AnsweringOrigin.serve(stream, with: Self.ok) { bodies.append(String($0.suffix(200))) }
            }
            for number in 0..<200 {
                for method in ["GET", "POST", "PUT"] {
                    let visitor = try world.visit(on: isLocal ? world.loop : world.otherLoop)
                    let body =
                        method == "GET" ? "" : "\(method) \(number) " + String(repeating: "x", count: 32 << 10) + "!"
                    visitor.send(self.request(method, body))
                    world.settle()
                    #expect(self.text(visitor) == Self.ok, "\(method) \(number)")
                    visitor.close()
                    world.settle()
                }
            }
            #expect(bodies.count == 600)
            #expect(bodies.count { $0.hasSuffix("x!") } == 400)
            #expect(world.recorder.retriedCount > 200)
        }
    }

    @Test("Until the connector takes the stream no more of a body is read than can be sent again")
    func boundedBody() throws {
        let world = try ProxyWorld()
        var waiting: [StreamChannel] = []
        var answered = ""
        try world.addConnector { waiting.append($0) }
        let visitor = try world.visit()
        let body = String(repeating: "x", count: 1 << 20)
        visitor.send(self.request("POST", body))
        world.settle()
        try #require(waiting.count == 1)
        // Its own window holds the rest back, too: what counts is that all of it can be sent again.
        try world.addConnector { stream in AnsweringOrigin.serve(stream, with: Self.ok) { answered = $0 } }
        waiting[0].reject(code: .draining)
        world.settle()
        #expect(self.text(visitor) == Self.ok)
        #expect(answered.hasSuffix(body))
        #expect(world.recorder.entries.first?.bytesReceived ?? 0 >= body.utf8.count)
    }

    @Test("A request is sent three times at most, and never twice on one session")
    func threeTries() throws {
        let world = try ProxyWorld()
        var opened = [0, 0, 0, 0]
        for index in 0..<4 {
            try world.addConnector {
                opened[index] += 1
                $0.reject(code: .draining)
            }
        }
        let visitor = try world.visit()
        visitor.send(self.request("POST", "hello"))
        world.settle()
        #expect(self.text(visitor).hasPrefix("HTTP/1.1 503"))
        #expect(opened.reduce(0, +) == 3)
        #expect(opened.max() == 1)
    }

    @Test("Where every session has refused, a new one is waited for as long as a connector may take to come back")
    func waiting() throws {
        for comes in [true, false] {
            let world = try ProxyWorld()
            try world.addConnector { $0.reject(code: .draining) }
            let visitor = try world.visit()
            visitor.send(self.request("POST", "hello"))
            world.settle()
            #expect(visitor.received.isEmpty)
            world.advance(by: .seconds(4))
            if comes { try world.addConnector { AnsweringOrigin.serve($0, with: Self.ok) } }
            world.advance(by: .seconds(2))
            #expect(self.text(visitor).hasPrefix(comes ? "HTTP/1.1 200" : "HTTP/1.1 503"))
        }
    }

    @Test("A request whose connector can't reach its local server goes to another connector, with its body, and once")
    func unreachableOrigin() throws {
        for code in [
            ErrorCode.connectRefused, .connectTimeout, .hostUnreachable, .dnsFailure, .localTLSError, .targetUnknown,
        ] {
            let world = try ProxyWorld()
            var (dead, bodies) = (0, [String]())
            // The forgotten one has more connections than a request has tries.
            for index in 0..<4 as Range<UInt8> {
                try world.addConnector(slot: BundleSlot(bundleID: Array(repeating: 1, count: 16), index: index)) {
                    dead += 1
                    $0.reject(code: code)
                }
            }
            try world.addConnector(slot: BundleSlot(bundleID: Array(repeating: 2, count: 16), index: 0)) { stream in
                AnsweringOrigin.serve(stream, with: Self.ok) { bodies.append(String($0.suffix(5))) }
            }
            for method in ["GET", "POST", "PUT", "GET", "POST", "PUT"] {
                let visitor = try world.visit()
                visitor.send(self.request(method, method == "GET" ? "" : "hello"))
                world.settle()
                #expect(self.text(visitor) == Self.ok, "\(method)")
                visitor.close()
                world.settle()
            }
            #expect(bodies.count { $0 == "hello" } == 4)
            #expect(dead > 0)
        }
    }

    @Test("Where no connector reaches its local server, the visitor is told of it at once")
    func nowhereReachable() throws {
        let world = try ProxyWorld()
        var refused = 0
        for bundle in 1...2 as ClosedRange<UInt8> {
            for index in 0..<2 as Range<UInt8> {
                try world.addConnector(slot: BundleSlot(bundleID: Array(repeating: bundle, count: 16), index: index)) {
                    refused += 1
                    $0.reject(code: .connectRefused)
                }
            }
        }
        let visitor = try world.visit()
        visitor.send(self.request("GET"))
        world.settle()
        #expect(self.text(visitor).contains("Culvert-Error: origin_refused"))
        #expect(refused == 2)
    }

    @Test("What an origin may have seen is not sent again: a POST whose session is lost")
    func onceOnly() throws {
        let world = try ProxyWorld()
        var opened = 0
        let lost = try world.addConnector { stream in
            opened += 1
            stream.accept()
        }
        let visitor = try world.visit()
        visitor.send(self.request("POST", "hello"))
        world.settle()
        try world.addConnector { _ in opened += 1 }
        lost.session?.end(code: .internalError, reason: "gone")
        world.settle()
        #expect(self.text(visitor).hasPrefix("HTTP/1.1 502"))
        #expect(opened == 1)
    }

    @Test("An origin that serves one connection at a time is asked for a second when the idle one has gone")
    func oneAtATime() throws {
        for isLocal in [true, false] {
            let world = try ProxyWorld()
            var connections: [(stream: StreamChannel, origin: AnsweringOrigin)] = []
            // Answers on the first connection that is open, and on no other.
            func serve() {
                connections.removeAll { !$0.stream.isActive }
                connections.first?.origin.takeTurn()
            }
            for _ in 0..<2 {
                try world.addConnector { stream in
                    connections.append((stream, AnsweringOrigin.serve(stream, with: Self.ok, isServing: false)))
                }
            }
            var times: [Int] = []
            for method in ["GET", "POST", "GET", "POST", "POST", "GET", "POST", "GET", "POST", "POST"] {
                let visitor = try world.visit(on: isLocal ? world.loop : world.otherLoop)
                visitor.send(self.request(method, method == "POST" ? "hello" : ""))
                var ticks = 0
                repeat {
                    world.settle()
                    serve()
                    world.settle()
                    if self.text(visitor) != Self.ok { world.advance(by: .milliseconds(10)) }
                    ticks += 1
                } while self.text(visitor) != Self.ok && ticks < 600
                times.append(ticks * 10)
                visitor.close()
                world.settle()
            }
            #expect(times.max() ?? 0 <= 320, "\(times)")
            // Once it is known, nobody waits.
            #expect(times.suffix(4).allSatisfy { $0 <= 20 }, "\(times)")
        }
    }

    /// Writes down what it sees.
    private final class Onlooker: ExchangeObserver {
        private(set) var request = ""
        private(set) var response = ""
        private(set) var ends = 0

        func requestHead(_ head: ByteBuffer) { self.request += String(buffer: head) }
        func requestBytes(_ bytes: ByteBuffer) { self.request += String(buffer: bytes) }
        func requestEnded() { self.request += "|" }
        func responseHead(_ head: ByteBuffer, status: Int) { self.response += String(buffer: head) }
        func responseBytes(_ bytes: ByteBuffer) { self.response += String(buffer: bytes) }
        func exchangeEnded(error: String?) { self.ends += 1 }
    }

    @Test("Whoever looks on sees what the origin and the visitor get, and the end of it once")
    func observer() throws {
        let onlooker = NIOLoopBound(Onlooker(), eventLoop: EmbeddedEventLoop())
        let world = try ProxyWorld(observer: { _ in onlooker.value })
        var seen = ""
        try world.addConnector { stream in AnsweringOrigin.serve(stream, with: Self.ok) { seen = $0 } }
        let visitor = try world.visit()
        visitor.send(self.request("POST", "hello"))
        world.settle()
        visitor.close()
        world.settle()
        #expect(onlooker.value.request == seen + "|")
        #expect(onlooker.value.response == self.text(visitor))
        #expect(onlooker.value.ends == 1)
    }

    @Test("A connection to the origin that ended cleanly serves the next request, one that said more does not")
    func pool() throws {
        for extra in ["", "x"] {
            let world = try ProxyWorld()
            var opened = 0
            try world.addConnector {
                opened += 1
                AnsweringOrigin.serve($0, with: Self.ok + extra)
            }
            let visitor = try world.visit()
            for _ in 0..<3 {
                visitor.send(self.request("GET"))
                world.settle()
            }
            #expect(self.text(visitor) == Self.ok + Self.ok + Self.ok)
            #expect(opened == (extra.isEmpty ? 1 : 3))
        }
    }
}
