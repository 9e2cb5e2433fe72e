// SPDX-License-Identifier: Apache-2.0

import Foundation
import Mux
import NIOCore
import Testing

@testable import EdgeProxy

@Suite("What unfinished requests hold together")
struct UnfinishedRequestsTests {
    private static let head = "GET /\(ProxyWorld.tunnelID)/ HTTP/1.1\r\nHost: \(ProxyWorld.host)\r\n"

    private let settings = ProxySettings(maximumUnfinishedBytes: 1 << 20)

    private func text(_ visitor: VisitorEnd) -> String { String(decoding: visitor.received, as: UTF8.self) }

    @Test("Unfinished heads beyond the budget: the oldest gets a 503, the newest waits on")
    func heads() throws {
        let world = try ProxyWorld(settings: self.settings)
        let half = Data((Self.head + "X-Long: " + String(repeating: "a", count: 60_000)).utf8)
        let visitors = try (0..<40).map { _ in
            let visitor = try world.visit()
            visitor.send(half)
            world.settle()
            return visitor
        }
        #expect(world.services.unfinished.heldBytes <= 1 << 20)
        #expect(world.services.unfinished.heldBytes > 900 << 10)
        let waiting = visitors.count { $0.ended == nil }
        #expect(waiting == world.services.unfinished.holderCount)
        #expect((10..<20).contains(waiting))
        #expect(visitors.suffix(waiting).allSatisfy { $0.ended == nil })
        #expect(self.text(visitors[0]).hasPrefix("HTTP/1.1 503"))
        #expect(self.text(visitors[0]).contains("Culvert-Error: too_many_connections"))
        // Who is still there finishes its head as if nothing had been.
        visitors[39].send(Data("\r\n\r\n".utf8))
        world.advance(by: .seconds(6))
        #expect(self.text(visitors[39]).contains("Culvert-Error: tunnel_offline"))
        for visitor in visitors { visitor.close() }
        world.advance(by: .seconds(3))
        #expect(world.services.unfinished.heldBytes == 0)
    }

    @Test("Heads that come byte by byte, and small ones, are held at little more than their length")
    func dripping() throws {
        let world = try ProxyWorld(settings: self.settings)
        let visitor = try world.visit()
        for byte in (Self.head + "X-Long: " + String(repeating: "a", count: 9_000)).utf8 {
            visitor.send(Data([byte]))
            world.settle()
        }
        #expect(world.services.unfinished.heldBytes <= 16 << 10)
        #expect(visitor.ended == nil)
    }

    @Test("What is kept of requests whose stream no connector takes counts, body and head; the oldest goes")
    func unaccepted() throws {
        let world = try ProxyWorld(settings: self.settings)
        try world.addConnector { _ in }
        let request =
            "POST /\(ProxyWorld.tunnelID)/ HTTP/1.1\r\nHost: \(ProxyWorld.host)\r\nContent-Length: 1000000\r\n\r\n"
        let visitors = try (0..<40).map { _ in
            let visitor = try world.visit()
            visitor.send(Data((request + String(repeating: "b", count: 64 << 10)).utf8))
            world.settle()
            return visitor
        }
        #expect(world.services.unfinished.heldBytes <= 1 << 20)
        #expect(visitors[0].ended != nil)
        #expect(visitors[39].ended == nil)
    }

    @Test("An origin whose heads stay unfinished is held to the same budget")
    func originHeads() throws {
        let world = try ProxyWorld(settings: self.settings)
        let half = "HTTP/1.1 200 OK\r\nX-Long: " + String(repeating: "a", count: 200_000)
        try world.addConnector { stream in
            stream.accept()
            stream.writeAndFlush(ByteBuffer(string: half), promise: nil)
        }
        let visitors = try (0..<20).map { _ in
            let visitor = try world.visit()
            visitor.send(Data((Self.head + "\r\n").utf8))
            world.settle()
            return visitor
        }
        #expect(world.services.unfinished.heldBytes <= 1 << 20)
        #expect(self.text(visitors[0]).contains("Culvert-Error: too_many_connections"))
        #expect(visitors[19].ended == nil)
    }

    @Test("What is read ahead behind an answer that does not end is held to the same budget")
    func readAhead() throws {
        let world = try ProxyWorld(settings: self.settings)
        try world.addConnector { stream in
            stream.accept()
            stream.writeAndFlush(ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx"), promise: nil)
        }
        let visitors = try (0..<40).map { _ in
            let visitor = try world.visit()
            visitor.send(Data((Self.head + "\r\n" + String(repeating: Self.head + "\r\n", count: 2_000)).utf8))
            world.settle()
            return visitor
        }
        #expect(world.services.unfinished.heldBytes <= 1 << 20)
        // Cut short, which a length shows: nothing looks complete.
        #expect(visitors[0].ended != nil)
        #expect(self.text(visitors[0]).hasSuffix("\r\n\r\nx"))
        #expect(visitors[39].ended == nil)
    }
}
