// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import Foundation
import Mux
import NIOCore
import Testing

@testable import EdgeProxy

@Suite("Origins that authenticate a connection")
struct BoundOriginTests {
    /// An origin as NTLM has them: who has shown a third message on a connection is that connection's user from then on.
    private final class Handshaking: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let scheme: String
        private let challengesAll: Bool
        private var text = ""
        private var user: String?

        /// - Parameter challengesAll: Whether who shows nothing is asked to.
        init(_ scheme: String, challengesAll: Bool) {
            self.scheme = scheme
            self.challengesAll = challengesAll
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.text += String(buffer: self.unwrapInboundIn(data))
            guard self.text.contains("\r\n\r\n"), !self.text.contains("POST") || self.text.hasSuffix("body") else {
                return
            }
            let shown = self.text.firstMatch(of: /Authorization: \w+ (\w+)/).map { String($0.1) }
            self.text = ""
            if let shown, shown.hasPrefix("third") { self.user = String(shown.dropFirst(5)) }
            let isChallenged = self.user == nil && (self.challengesAll || shown == "first")
            let body = self.user ?? "nobody"
            let challenge = "WWW-Authenticate: Basic realm=\"a, b\", \(self.scheme)\(shown == nil ? "" : " second")\r\n"
            let head = isChallenged ? "401 Unauthorized\r\n\(challenge)" : "200 OK\r\n"
            let response = "HTTP/1.1 \(head)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
            context.channel.writeAndFlush(ByteBuffer(string: response), promise: nil)
        }
    }

    /// A world whose origin is of that kind.
    private final class World {
        let world: ProxyWorld
        private(set) var streams: [StreamChannel] = []

        init(
            _ scheme: String = "NTLM",
            challengesAll: Bool = true,
            policy: TunnelPolicy = TunnelPolicy { $0.host = .rewrite(ProxyWorld.origin) },
            trustedProxies: [AddressRange] = []
        ) throws {
            self.world = try ProxyWorld(policy: policy, trustedProxies: trustedProxies)
            try self.world.addConnector { stream in
                self.streams.append(stream)
                try? stream.pipeline.syncOperations.addHandler(Handshaking(scheme, challengesAll: challengesAll))
                stream.accept()
            }
        }

        /// What the origin answers.
        func ask(
            _ visitor: VisitorEnd,
            _ credentials: String? = nil,
            method: String = "GET",
            fields: String = ""
        ) -> String {
            let seen = visitor.received.count
            let authorization = credentials.map { "Authorization: \($0)\r\n" } ?? ""
            let body = method == "POST" ? "Content-Length: 4\r\n\r\nbody" : "\r\n"
            let head = "\(method) /\(ProxyWorld.tunnelID)/ HTTP/1.1\r\nHost: \(ProxyWorld.host)\r\n"
            visitor.send(Data((head + fields + authorization + body).utf8))
            self.world.settle()
            let answer = String(decoding: visitor.received.dropFirst(seen), as: UTF8.self)
            return answer.components(separatedBy: "\r\n\r\n").last ?? ""
        }

        func logIn(_ user: String, _ visitor: VisitorEnd, scheme: String = "NTLM", method: String = "GET") -> String {
            _ = self.ask(visitor, method: method)
            _ = self.ask(visitor, "\(scheme) first", method: method)
            return self.ask(visitor, "\(scheme) third\(user)", method: method)
        }

        func visit(isLocal: Bool = true, from address: String = "127.0.0.1") throws -> VisitorEnd {
            try self.world.visit(from: address, on: isLocal ? self.world.loop : self.world.otherLoop)
        }
    }

    @Test(
        "Who has logged in on a connection is the only one who uses it, for every method and on either event loop",
        arguments: ["GET", "POST"],
        [true, false]
    )
    func belongsToOne(_ method: String, isLocal: Bool) throws {
        for (scheme, challengesAll) in [("NTLM", true), ("Negotiate", true), ("ntlm", true), ("NTLM", false)] {
            let world = try World(scheme, challengesAll: challengesAll)
            let alice = try world.visit(isLocal: isLocal)
            #expect(world.logIn("alice", alice, scheme: scheme, method: method) == "alice")
            // The first answer is to a POST, which goes on no connection that has served, and binds none.
            #expect(world.streams.count == (method == "GET" || challengesAll ? 1 : 2))
            for _ in 0..<4 {
                #expect(world.ask(try world.visit(isLocal: isLocal)) == "nobody")
                #expect(world.ask(try world.visit(isLocal: !isLocal)) == "nobody")
                for next in ["GET", "POST", "GET"] { #expect(world.ask(alice, method: next) == "alice", "\(next)") }
            }
        }
    }

    @Test("Two who log in at the same time each have a connection of their own")
    func two() throws {
        let world = try World()
        let (alice, carol) = (try world.visit(), try world.visit(isLocal: false))
        #expect(world.logIn("alice", alice) == "alice")
        #expect(world.logIn("carol", carol, method: "POST") == "carol")
        for _ in 0..<3 {
            #expect(world.ask(alice, method: "POST") == "alice")
            #expect(world.ask(carol) == "carol")
        }
        #expect(world.streams.count == 2)
    }

    @Test("The connection to the origin ends with the visitor's", arguments: [true, false])
    func ends(isLocal: Bool) throws {
        let world = try World()
        let alice = try world.visit(isLocal: isLocal)
        #expect(world.logIn("alice", alice) == "alice")
        // Longer than connections that all may use are kept.
        for _ in 0..<10 { world.world.advance(by: .seconds(1)) }
        #expect(world.ask(alice) == "alice")
        alice.close()
        world.world.settle()
        #expect(world.streams.map(\.isActive) == [false])
        #expect(world.ask(try world.visit()) == "nobody")
    }

    @Test("Where the origin has closed it, the next request gets a new one and is nobody's")
    func closedByOrigin() throws {
        let world = try World()
        let alice = try world.visit()
        #expect(world.logIn("alice", alice) == "alice")
        world.streams[0].close(promise: nil)
        world.world.settle()
        #expect(world.ask(alice) == "nobody")
        #expect(world.logIn("alice", alice) == "alice")
        #expect(world.streams.count == 2)
    }

    @Test("Behind a proxy that brings many visitors on one connection, each address has its own")
    func behindProxy() throws {
        let world = try World(trustedProxies: [#require(AddressRange("127.0.0.2/32"))])
        let proxy = try world.visit(from: "127.0.0.2")
        let (alice, other) = ("X-Forwarded-For: 192.0.2.1\r\n", "X-Forwarded-For: 192.0.2.2\r\n")
        _ = world.ask(proxy, "NTLM first", fields: alice)
        #expect(world.ask(proxy, "NTLM thirdalice", fields: alice) == "alice")
        #expect(world.ask(proxy, fields: other) == "nobody")
        #expect(world.streams.count == 2)
        let unnamed = "X-Forwarded-For: unknown\r\n"
        _ = world.ask(proxy, "NTLM first", fields: unnamed)
        _ = world.ask(proxy, "NTLM thirdcarol", fields: unnamed)
        #expect(world.ask(proxy, fields: unnamed) == "nobody")
    }

    @Test("A scheme that authenticates requests binds nothing", arguments: ["Basic", "Bearer", "Digest", "NTLMv"])
    func others(_ scheme: String) throws {
        let world = try World(scheme, challengesAll: false)
        for _ in 0..<4 { #expect(world.ask(try world.visit(), "\(scheme) mine") == "nobody") }
        #expect(world.streams.count == 1)
    }

    @Test("A tunnel that wants no connection used twice has its way")
    func never() throws {
        let policy = TunnelPolicy {
            $0.host = .rewrite(ProxyWorld.origin)
            $0.originReuse = .never
        }
        let world = try World(policy: policy)
        let alice = try world.visit()
        #expect(world.logIn("alice", alice) == "alice")
        #expect(world.ask(alice) == "nobody")
        #expect(world.streams.count == 4)
    }
}
