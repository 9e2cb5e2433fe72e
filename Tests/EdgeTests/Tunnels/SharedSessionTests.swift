// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Logging
import Mux
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import NIOPosix
import Protocol
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeProxy
@testable import EdgeTunnels

/// Several tunnels in one session, over real sockets (docs/protocol.md §B.16).
@Suite("Tunnels that share a session", .timeLimit(.minutes(1)))
struct SharedSessionTests {
    private let fixture = AdmissionFixture()

    /// A listening edge, tokens for two tunnels and these.
    private struct Scene {
        var server: any Channel
        var tokens: [String: String]
        var one: Tunnel
        var other: Tunnel
    }

    private static let names = ["my-app", "other-app"]

    private func scene(behind: TimeInterval = 0, lifetimes: [TimeInterval] = [600, 600]) async throws -> Scene {
        let tokens = try await self.fixture.tokens(behind: behind)
        var issued: [String: String] = [:]
        for (name, lifetime) in zip(Self.names, lifetimes) {
            issued[name] = try await tokens.issue(
                for: self.fixture.specification(name),
                edge: "http://e",
                lifetime: lifetime
            ).token
        }
        return Scene(
            server: try await self.fixture.listen(self.fixture.endpoint(tokens), token: issued["my-app"] ?? ""),
            tokens: issued,
            one: try await self.fixture.registry.restore(self.fixture.specification("my-app")),
            other: try await self.fixture.registry.restore(self.fixture.specification("other-app"))
        )
    }

    private func within(_ what: Comment, _ isTrue: () async throws -> Bool) async throws {
        try await self.fixture.within(AdmissionFixture.patience, what, isTrue)
    }

    /// Both tunnels, let in.
    private func attach(
        _ connector: SharingConnector,
        _ scene: Scene
    ) async throws -> (one: SharingConnector.Stream, other: SharingConnector.Stream) {
        let one = try await connector.open("my-app", token: scene.tokens["my-app"])
        let other = try await connector.open("other-app", token: scene.tokens["other-app"])
        try await self.within("both are let in") { one.events == ["accepted"] && other.events == ["accepted"] }
        return (one, other)
    }

    /// Runs a test with a connector that serves both tunnels over one connection.
    private func sharing(
        _ body: (
            _ scene: Scene, _ connector: SharingConnector, _ one: SharingConnector.Stream,
            _ other: SharingConnector.Stream
        ) async throws -> Void
    ) async throws {
        let scene = try await self.scene()
        let connector = try await SharingConnector.connect(to: scene.server, bundle: 1)
        let (one, other) = try await self.attach(connector, scene)
        try await body(scene, connector, one, other)
        // Closed already, where that is what was tested.
        try? await connector.channel.close()
        try await scene.server.close()
    }

    private func open(
        _ session: TunnelSession,
        initializer: (StreamChannel) throws -> Void
    ) throws -> StreamChannel {
        try session.open(
            OpenMetadata(target: session.target),
            kind: .http,
            deadline: .seconds(10),
            initializer: initializer
        )
    }

    /// Opens a stream as a visitor's request does.
    private func visit(_ tunnel: Tunnel) async throws -> NIOLoopBound<StreamChannel> {
        let session = try #require(tunnel.sessions.first)
        return try await session.eventLoop.submit {
            let stream = try self.open(session) { _ in }
            return NIOLoopBound(stream, eventLoop: session.eventLoop)
        }.get()
    }

    private func isActive(_ stream: NIOLoopBound<StreamChannel>) async throws -> Bool {
        try await stream.eventLoop.submit { stream.value.isActive }.get()
    }

    @Test("Each comes with a stream and a token of its own, and goes with the connection")
    func joining() async throws {
        let scene = try await self.scene()
        let connector = try await SharingConnector.connect(to: scene.server, bundle: 1)
        // The upgrade alone serves nothing.
        let other = try await connector.open("my-app", token: nil, kind: .http)
        try await self.within("it is refused") { other.events == ["UNSUPPORTED_KIND", "closed"] }
        #expect(scene.one.sessions.isEmpty)
        _ = try await self.attach(connector, scene)
        #expect(scene.one.sessions.count == 1)
        #expect(scene.other.sessions.count == 1)
        #expect(scene.one.sessions.first?.connectionID == scene.other.sessions.first?.connectionID)
        #expect(scene.one.sessions.first?.id != scene.other.sessions.first?.id)
        #expect(self.fixture.metrics.prometheusText().contains("\nculvert_active_sessions 2\n"))
        _ = try await self.visit(scene.other)
        try await self.within("the stream names its tunnel") {
            connector.visitors.withLockedValue { $0.map(\.target) } == ["other-app"]
        }
        try await connector.channel.close()
        try await self.within("both have left") { scene.one.sessions.isEmpty && scene.other.sessions.isEmpty }
        #expect(self.fixture.hasNoSession)
        try await scene.server.close()
    }

    @Test("A bad token is refused with AUTH_EXPIRED, other kinds of streams with UNSUPPORTED_KIND; the others stay")
    func refusals() async throws {
        try await self.sharing { scene, connector, one, _ in
            for (id, token) in [("my-app", nil), ("my-app", "x"), ("my-app", scene.tokens["other-app"]), ("!", "x")] {
                let refused = try await connector.open(id, token: token)
                try await self.within("it is refused") { refused.events == ["AUTH_EXPIRED", "closed"] }
            }
            let unknown = try await connector.open("my-app", token: scene.tokens["my-app"], kind: .tcp)
            try await self.within("it is refused") { unknown.events == ["UNSUPPORTED_KIND", "closed"] }
            #expect(one.events == ["accepted"])
            #expect(scene.one.sessions.count == 1)
        }
    }

    @Test("Who goes on showing bad tokens loses the session")
    func guessing() async throws {
        let scene = try await self.scene()
        let connector = try await SharingConnector.connect(to: scene.server, bundle: 1)
        var tried = 0
        while try await connector.phase() != .closed, tried < 20_000 {
            _ = try? await connector.open("my-app", token: "x")
            tried += 1
        }
        #expect(tried >= EdgeSessions.maximumTunnels)
        #expect(tried < 20_000)
        let refused = self.fixture.metrics.prometheusText()
            .firstMatch(of: /\nculvert_connectors_refused_total (\d+)\n/)
            .flatMap { Int($0.1) }
        #expect(try #require(refused) > EdgeSessions.maximumTunnels, "each was looked at, until there were too many")
        try await scene.server.close()
    }

    @Test("A tunnel that is deleted loses its place and what is under way; the other goes on")
    func deletion() async throws {
        try await self.sharing { scene, connector, one, other in
            let (gone, kept) = (try await self.visit(scene.one), try await self.visit(scene.other))
            for session in scene.one.close(isDeleted: true) { session.revoke() }
            try await self.within("it is told") { one.events == ["accepted", "AUTH_EXPIRED", "closed"] }
            #expect(try await !self.isActive(gone))
            #expect(try await self.isActive(kept))
            try await self.within("the connector has heard of it, too") {
                connector.visitors.withLockedValue { $0.first { $0.target == "my-app" } }?.stream.events.last
                    == "closed"
            }
            #expect(other.events == ["accepted"])
            #expect(scene.other.sessions.count == 1)
        }
    }

    @Test("A tunnel ends with its token; the other goes on")
    func expiry() async throws {
        // Let in by a clock that is behind, and ended by the time that the session is there.
        let scene = try await self.scene(behind: 600, lifetimes: [1_200, 600])
        let connector = try await SharingConnector.connect(to: scene.server, bundle: 1)
        let lasting = try await connector.open("my-app", token: scene.tokens["my-app"])
        let ended = try await connector.open("other-app", token: scene.tokens["other-app"])
        try await self.within("it has ended") { ended.events.suffix(2) == ["AUTH_EXPIRED", "closed"] }
        #expect(lasting.events == ["accepted"])
        #expect(scene.other.sessions.isEmpty)
        try await connector.channel.close()
        try await scene.server.close()
    }

    @Test("A tunnel that the connector finishes takes no new requests, and leaves when those under way have ended")
    func leaving() async throws {
        try await self.sharing { scene, _, one, other in
            let visitor = try await self.visit(scene.one)
            try await one.perform { $0.close(mode: .output, promise: nil) }
            try await self.within("the edge has finished, too") { one.events == ["accepted", "finished", "closed"] }
            #expect(scene.one.reachability == .draining)
            #expect(try await self.isActive(visitor))
            try await visitor.eventLoop.submit { visitor.value.reset(code: .noError) }.get()
            try await self.within("it has left") { scene.one.sessions.isEmpty }
            #expect(scene.other.reachability == .online)
            #expect(other.events == ["accepted"])
        }
    }

    @Test("What a finished tunnel has under way is still cut off when the tunnel is deleted")
    func deletionWhileLeaving() async throws {
        try await self.sharing { scene, _, one, other in
            let visitor = try await self.visit(scene.one)
            try await one.perform { $0.close(mode: .output, promise: nil) }
            try await self.within("it is finished by both") { one.events.last == "closed" }
            for session in scene.one.close(isDeleted: true) { session.revoke() }
            try await self.within("it is cut off") { try await !self.isActive(visitor) }
            let session = try #require(scene.other.sessions.first)
            try await self.within("its place is free") {
                !self.fixture.metrics.prometheusText().contains("sessions 2\n")
            }
            try await session.eventLoop.submit { #expect(throws: Never.self) { try self.open(session) { _ in } } }.get()
            #expect(other.events == ["accepted"])
        }
    }

    @Test("A response that came in full before the connection was lost can still be read")
    func lossAfterResponse() async throws {
        let scene = try await self.scene()
        let connector = try await SharingConnector.connect(to: scene.server, bundle: 1)
        _ = try await self.attach(connector, scene)
        let session = try #require(scene.one.sessions.first)
        let promise = session.eventLoop.makePromise(of: String.self)
        let stream = try await session.eventLoop.submit {
            let stream = try self.open(session) {
                try $0.syncOptions?.setOption(.autoRead, value: false)
                try $0.pipeline.syncOperations.addHandler(Collector(promise: promise))
            }
            stream.close(mode: .output, promise: nil)
            return NIOLoopBound(stream, eventLoop: session.eventLoop)
        }.get()
        try await self.within("it has come") { connector.visitors.withLockedValue { $0.count } == 1 }
        let visitor = try #require(connector.visitors.withLockedValue { $0.first })
        try await visitor.stream.perform {
            $0.writeAndFlush(ByteBuffer(string: "all of it"), promise: nil)
            $0.close(mode: .output, promise: nil)
        }
        try await self.within("the connector is done with it") { visitor.stream.events.last == "closed" }
        try await connector.channel.close()
        try await self.within("the places are gone") { scene.one.sessions.isEmpty }
        try await stream.eventLoop.submit { stream.value.read() }.get()
        #expect(try await promise.futureResult.get() == "all of it")
        try await scene.server.close()
    }

    @Test("One tunnel has at most 1 024 streams in a session that others share")
    func streams() async throws {
        let scene = try await self.scene()
        let connector = try await SharingConnector.connect(to: scene.server, bundle: 1)
        _ = try await self.attach(connector, scene)
        let one = try #require(scene.one.sessions.first)
        let other = try #require(scene.other.sessions.first)
        try await one.eventLoop.submit {
            for _ in 0..<1_024 { _ = try self.open(one) { _ in } }
            #expect(one.load.streams == 1_024)
        }.get()
        // They wait until they are written; then others have room, and the tunnel itself has none.
        try await self.within("the other tunnel's streams are opened") {
            try await one.eventLoop.submit { (try? self.open(other) { _ in }) != nil }.get()
        }
        try await one.eventLoop.submit { () -> Void in
            #expect(throws: OpenError.tooManyWaiting) { try self.open(one) { _ in } }
        }.get()
        try await connector.channel.close()
        try await scene.server.close()
    }

    @Test("The same connector over another connection takes over, and the older connection ends whole")
    func takeOver() async throws {
        let scene = try await self.scene()
        let old = try await SharingConnector.connect(to: scene.server, bundle: 1)
        let (_, left) = try await self.attach(old, scene)
        // Frozen: its kernel takes bytes, but nobody answers.
        try await old.channel.setOption(.autoRead, value: false).get()
        let new = try await SharingConnector.connect(to: scene.server, bundle: 1)
        let one = try await new.open("my-app", token: scene.tokens["my-app"])
        try await self.within("it is let in") { one.events == ["accepted"] }
        try await self.within("nothing is left of the older one") {
            scene.one.sessions.count == 1 && scene.other.sessions.isEmpty
        }
        try await old.channel.setOption(.autoRead, value: true).get()
        try await old.channel.closeFuture.get()
        #expect(left.events.last == "closed")
        #expect(one.events == ["accepted"])
        try await new.channel.close()
        try await scene.server.close()
    }

    @Test("A tunnel that comes again over the same connection gets a new place; the older one is finished, not cut off")
    func again() async throws {
        try await self.sharing { scene, connector, old, other in
            let visitor = try await self.visit(scene.one)
            let new = try await connector.open("my-app", token: scene.tokens["my-app"])
            try await self.within("it is let in") { new.events == ["accepted"] }
            try await self.within("the older one is finished") { old.events == ["accepted", "finished"] }
            #expect(scene.one.sessions.count == 1)
            #expect(scene.one.reachability == .online)
            try await old.perform { $0.close(mode: .output, promise: nil) }
            try await self.within("it has closed") { old.events.last == "closed" }
            #expect(try await self.isActive(visitor))
            // Whoever may not serve the tunnel any more may not go on with older requests of it, either.
            for session in scene.one.close(isDeleted: true) { session.revoke() }
            try await self.within("both are gone") { try await !self.isActive(visitor) && new.events.last == "closed" }
            #expect(other.events == ["accepted"])
            try await connector.channel.close()
            try await self.within("all have left") { self.fixture.hasNoSession }
        }
    }

    @Test("A stream that stands for a tunnel carries no bytes")
    func bytes() async throws {
        try await self.sharing { scene, _, one, other in
            try await one.perform { $0.writeAndFlush(ByteBuffer(string: "x"), promise: nil) }
            try await self.within("it is reset") { one.events == ["accepted", "PROTOCOL_ERROR", "closed"] }
            #expect(scene.one.sessions.isEmpty)
            #expect(other.events == ["accepted"])
        }
    }

    @Test("Idle connections to the origin of one tunnel give way to another's request")
    func room() async throws {
        try await self.sharing { scene, _, _, _ in
            let one = try #require(scene.one.sessions.first)
            let other = try #require(scene.other.sessions.first)
            try await one.eventLoop.submit {
                let pool = one.pool.value
                let connection = OriginConnection(pool: pool)
                _ = try self.open(one) {
                    try $0.pipeline.syncOperations.addHandler(connection)
                }
                pool.park(connection)
                #expect(!other.pool.value.giveUpOldest())
                other.pool.value.makeRoom()
                #expect(!pool.giveUpOldest(), "it was given up")
            }.get()
        }
    }

    @Test("A session that no tunnel uses is drained after ten seconds; one that is not shared is left alone")
    func empty() async throws {
        let tokens = try await self.fixture.tokens()
        let loop = EmbeddedEventLoop()
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let admission = SessionAdmission(
            authorised: AuthorisedTunnel(
                tunnel: try await self.fixture.registry.restore(self.fixture.specification()),
                token: try await self.verified(tokens)
            ),
            connection: ConnectorConnection(
                id: 1,
                eventLoop: loop,
                remoteAddress: nil,
                readiness: Readiness(),
                recorder: self.fixture.metrics,
                logger: logger
            ),
            authority: TunnelAuthority(registry: self.fixture.registry, tokens: tokens),
            makeID: { 2 },
            echoInterval: .seconds(20)
        )
        let start = NIODeadline.now()
        for isShared in [false, true] {
            var (edge, connector) = (EdgeSessions.configuration, SessionConfiguration(role: .connector))
            edge.capabilities = .sharing
            if isShared { connector.capabilities = .sharing }
            let handler = SessionHandler(configuration: edge, logger: logger)
            let channel = EmbeddedChannel(handler: handler, loop: loop)
            let peer = EmbeddedChannel(
                handler: SessionHandler(configuration: connector, logger: logger),
                loop: loop
            )
            try Self.join(channel, peer)
            #expect(handler.phase == .active)
            admission.endIfEmpty(handler, now: start)
            admission.endIfEmpty(handler, now: start + .milliseconds(9_999))
            #expect(handler.phase == .active)
            admission.endIfEmpty(handler, now: start + .seconds(10))
            #expect(handler.phase == (isShared ? .draining : .active))
        }
    }

    /// Lets two ends of a session say hello.
    private static func join(_ one: EmbeddedChannel, _ other: EmbeddedChannel) throws {
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: 1)
        for channel in [one, other] { try channel.connect(to: address).wait() }
        var moved = true
        while moved {
            moved = false
            for (from, to) in [(one, other), (other, one)] {
                while let bytes = try from.readOutbound(as: ByteBuffer.self) {
                    try to.writeInbound(bytes)
                    moved = true
                }
            }
        }
    }

    private func verified(_ tokens: TunnelTokens) async throws -> VerifiedToken {
        let specification = try self.fixture.specification()
        let (token, _) = try await tokens.issue(for: specification, edge: "http://e", lifetime: 600)
        return try await tokens.verify(token, for: specification.id).get()
    }
}

/// Gathers what comes until the end.
private final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var promise: EventLoopPromise<String>?
    private var text = ""

    init(promise: EventLoopPromise<String>) {
        self.promise = promise
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.text += String(buffer: self.unwrapInboundIn(data))
        context.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { self.promise.take()?.succeed(self.text) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.promise.take()?.fail(ChannelError.eof)
    }
}
