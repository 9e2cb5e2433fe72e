// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Mux
import NIOCore
import Testing

@testable import EdgeProxy

@Suite("The bound of one visitor's address")
struct VisitorBoundTests {
    private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    private static let events = "HTTP/1.1 200 OK\r\n\r\nevent"

    private let request = Data("GET /\(ProxyWorld.tunnelID)/ HTTP/1.1\r\nHost: \(ProxyWorld.host)\r\n\r\n".utf8)

    private func text(_ visitor: VisitorEnd) -> String { String(decoding: visitor.received, as: UTF8.self) }

    private func world(bound: Int, streams: @escaping (Int, StreamChannel) -> Void) throws -> ProxyWorld {
        let world = try ProxyWorld(policy: TunnelPolicy { $0.maxRequestsPerVisitor = bound })
        var count = 0
        try world.addConnector { stream in
            streams(count, stream)
            count += 1
        }
        return world
    }

    @Test("The oldest idle request gives way: one without an answer gets 429, one with a part of it is cut")
    func givingWay() throws {
        // The first request has no answer, the second an event stream that says no more; later ones are answered.
        let world = try self.world(bound: 2) { number, stream in
            guard number > 0 else { return }
            AnsweringOrigin.serve(stream, with: number == 1 ? Self.events : Self.ok) { _ in }
        }
        let loops = [world.loop, world.otherLoop]
        let silent = try world.visit(on: loops[0])
        silent.send(self.request)
        world.settle()
        let listener = try world.visit(on: loops[1])
        listener.send(self.request)
        world.settle()
        #expect(self.text(listener).contains("event"))
        world.advance(by: .milliseconds(500))
        // Both are at work, for all that the edge knows.
        let refused = try world.visit()
        refused.send(self.request)
        world.settle()
        #expect(self.text(refused).hasPrefix("HTTP/1.1 429 "))
        #expect(self.text(refused).contains("Culvert-Error: too_many_from_visitor\r\n"))
        #expect(self.text(refused).contains("Retry-After: 1\r\n"))
        let other = try world.visit(from: "192.0.2.7")
        other.send(self.request)
        world.settle()
        #expect(self.text(other) == Self.ok)

        world.advance(by: .milliseconds(600))
        for _ in 0..<3 {
            let visitor = try world.visit()
            visitor.send(self.request)
            world.settle()
            #expect(self.text(visitor) == Self.ok)
        }
        #expect(self.text(silent).hasPrefix("HTTP/1.1 429 "))
        #expect(listener.ended == nil)
        #expect(world.recorder.entries.count { $0.errorCode == "too_many_from_visitor" } == 2)
    }

    @Test("A response that is under way and idle is cut, and can't be taken for complete")
    func cut() throws {
        let world = try self.world(bound: 1) { number, stream in
            AnsweringOrigin.serve(stream, with: number == 0 ? Self.events : Self.ok) { _ in }
        }
        let listener = try world.visit(on: world.otherLoop)
        listener.send(self.request)
        world.settle()
        world.advance(by: .milliseconds(1_001))
        let visitor = try world.visit()
        visitor.send(self.request)
        world.settle()
        #expect(self.text(visitor) == Self.ok)
        #expect(listener.ended != nil)
        #expect(!self.text(listener).hasSuffix("0\r\n\r\n"))
    }

    @Test("However many one after the other, on one connection or on many, none is refused")
    func oneAfterTheOther() throws {
        let world = try self.world(bound: 1) { _, stream in AnsweringOrigin.serve(stream, with: Self.ok) { _ in } }
        let kept = try world.visit()
        for number in 1...50 {
            kept.send(self.request)
            world.settle()
            #expect(self.text(kept).count { $0 == "k" } >= number)
            let visitor = try world.visit(on: world.otherLoop)
            visitor.send(self.request)
            world.settle()
            #expect(self.text(visitor) == Self.ok)
            visitor.close()
        }
        #expect(world.recorder.entries.allSatisfy { $0.status == 200 })
    }
}
