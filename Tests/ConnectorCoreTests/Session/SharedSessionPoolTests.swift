// SPDX-License-Identifier: Apache-2.0

import Logging
import Mux
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Protocol
import ServiceLifecycle
import Testing

@testable import ConnectorCore

/// Several tunnels over one connection (docs/protocol.md §B.16).
@Suite("Tunnels that share a connection", .timeLimit(.minutes(1)))
struct SharedSessionPoolTests {
    private func pool(
        _ edge: FakeEdge,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) -> SharedSessionPool {
        SharedSessionPool(
            dialer: EdgeDialer(edge: edge.address, group: MultiThreadedEventLoopGroup.singleton, tls: nil),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            now: now
        )
    }

    /// Begins to serve a tunnel.
    private func serve(
        _ tunnelID: String,
        over pool: SharedSessionPool,
        to target: String = "9",
        connections: Int = 1
    ) throws -> ServiceRun {
        let own = try OwnSessionOpener.fixture(edge: pool.dialer.edge, target: target, tunnelID: tunnelID)
        return ServiceRun(SharedSessionOpener(pool: pool, own: own), connections: connections)
    }

    @Test("They come over one, each with its token, and each request reaches the server of its tunnel")
    func oneConnection() async throws {
        let edge = try await FakeEdge.start(sharing: .init())
        let one = try await LocalOrigin.start(.answer("one"))
        let other = try await LocalOrigin.start(.answer("other"))
        let pool = self.pool(edge)
        let runs = [
            try self.serve("one", over: pool, to: "127.0.0.1:\(one.port)"),
            try self.serve("other", over: pool, to: "127.0.0.1:\(other.port)"),
        ]
        for run in runs { await run.active() }
        var tokens: [String: String] = [:]
        var session: EdgeSession?
        var upgrades = 0
        for await event in edge.events {
            switch event {
            case .request: upgrades += 1
            case .active(let active, let peer):
                session = active
                #expect(peer.maximumStreams == 4_096)
                #expect(peer.bundle?.index == 0)
            case .tunnel(let tunnel): tokens[tunnel.id] = tunnel.token
            default: Issue.record("unexpected: \(event)")
            }
            if tokens.count == 2 { break }
        }
        #expect(upgrades == 1)
        for id in ["one", "other"] { #expect(tokens[id] == TokenText.signed(#"{"sub":"\#(id)"}"#)) }
        let shared = try #require(session)
        for id in ["one", "other"] {
            let answer = try await shared.exchange(ByteBuffer(string: "x"), target: id)
            #expect(String(buffer: answer.bytes) == id)
        }
        let stray = try await shared.exchange(ByteBuffer(string: "x"), target: "nobody")
        #expect(stray.error?.code == .draining)
        #expect(stray.error?.isRetrySafe == true)
        for run in runs { #expect(await run.stop() == nil) }
        // Who leaves last takes the connection along, in good order.
        for await case .ended(let code) in edge.events {
            #expect(code == .shutdown)
            break
        }
        try await one.stop()
        try await other.stop()
        try await edge.stop()
    }

    @Test("One that the edge refuses ends with the reason; the others go on")
    func refusal() async throws {
        let edge = try await FakeEdge.start(sharing: .init(refusals: ["refused": .authExpired]))
        let pool = self.pool(edge)
        let good = try self.serve("good", over: pool)
        await good.active()
        let refused = try self.serve("refused", over: pool)
        #expect(await refused.outcome.value?.status == .refused)
        let session = try await edge.nextSession()
        // Nothing listens at port 9: the stream came as far as to the target.
        let exchange = try await session.exchange(ByteBuffer(string: "x"), target: "good")
        #expect(exchange.error?.code == .connectRefused)
        #expect(await good.stop() == nil)
        try await edge.stop()
    }

    @Test("One whose token does not open the connection leaves that to the others")
    func refusedUpgrade() async throws {
        let problem = #"{"title":"t","status":401,"code":"invalid_token","detail":"No."}"#
        let edge = try await FakeEdge.start(
            .bytes(
                "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/problem+json\r\n"
                    + "Content-Length: \(problem.utf8.count)\r\n\r\n\(problem)"
            ),
            sharing: .init()
        )
        let pool = self.pool(edge)
        let refused = try self.serve("refused", over: pool)
        #expect(await refused.outcome.value?.status == .refused)
        edge.answer(with: .accept)
        let good = try self.serve("good", over: pool)
        await good.active()
        #expect(await good.stop() == nil)
        try await edge.stop()
    }

    @Test("An edge that does not share gets a connection for each")
    func fallback() async throws {
        let edge = try await FakeEdge.start()
        let pool = self.pool(edge)
        let runs = [try self.serve("one", over: pool), try self.serve("other", over: pool)]
        for run in runs { await run.active() }
        var paths: Set<String> = []
        for await case .request(let head) in edge.events {
            paths.insert(String(head.prefix { $0 != "\r\n" }))
            if paths.count == 2 { break }
        }
        for run in runs { #expect(await run.stop() == nil) }
        try await edge.stop()
    }

    @Test("One that leaves finishes what is under way; the other notices nothing")
    func leaving() async throws {
        let edge = try await FakeEdge.start(sharing: .init())
        let origin = try await LocalOrigin.start(.swallow)
        let echo = try await LocalOrigin.start(.echo)
        let pool = self.pool(edge)
        let one = try self.serve("one", over: pool, to: "127.0.0.1:\(origin.port)")
        let other = try self.serve("other", over: pool, to: "127.0.0.1:\(echo.port)")
        await one.active()
        await other.active()
        let session = try await edge.nextSession()
        let (accepted, acceptance) = AsyncStream.makeStream(of: NIOLoopBound<StreamChannel>.self)
        async let conversation = session.exchange(ByteBuffer(string: "x"), target: "one", finishes: false) { stream in
            acceptance.yield(NIOLoopBound(stream, eventLoop: stream.eventLoop))
        }
        var running: NIOLoopBound<StreamChannel>?
        for await stream in accepted {
            running = stream
            break
        }
        await one.lifecycle.triggerGracefulShutdown()
        for _ in 0..<2 { _ = try await edge.nextTunnel().stream }
        let answer = try await session.exchange(ByteBuffer(string: "still here"), target: "other")
        #expect(String(buffer: answer.bytes) == "still here")
        let stream = try #require(running)
        #expect(try await stream.eventLoop.submit { stream.value.isActive }.get())
        stream.eventLoop.execute { stream.value.reset(code: .noError) }
        _ = try await conversation
        #expect(await one.outcome.value == nil)
        let late = try await session.exchange(ByteBuffer(string: "x"), target: "one")
        #expect(late.error?.code == .draining)
        #expect(await other.stop() == nil)
        try await origin.stop()
        try await echo.stop()
        try await edge.stop()
    }

    @Test("When the connection is lost, all come back over one new connection")
    func reconnection() async throws {
        let edge = try await FakeEdge.start(sharing: .init())
        let pool = self.pool(edge)
        let runs = try (0..<20).map { try self.serve("tunnel-\($0)", over: pool) }
        for run in runs { await run.active() }
        let session = try await edge.nextSession()
        for _ in runs { _ = try await edge.nextTunnel() }
        session.perform { $0.channel?.close(promise: nil) }
        var (upgrades, tunnels) = (0, 0)
        for await event in edge.events {
            if case .request = event { upgrades += 1 }
            if case .tunnel = event { tunnels += 1 }
            if tunnels == runs.count { break }
        }
        #expect(upgrades == 1)
        for run in runs { #expect(await run.stop() == nil) }
        try await edge.stop()
    }

    @Test("When the edge drains, all move to a new connection before the old one goes")
    func drain() async throws {
        let edge = try await FakeEdge.start(sharing: .init())
        let pool = self.pool(edge)
        let runs = [try self.serve("one", over: pool), try self.serve("other", over: pool)]
        for run in runs { await run.active() }
        let session = try await edge.nextSession()
        for _ in runs { _ = try await edge.nextTunnel() }
        session.perform {
            $0.drain(gracePeriod: .seconds(5), reconnectAfter: .milliseconds(1), lingering: .seconds(2))
        }
        var tunnels = 0
        for await event in edge.events {
            if case .ended = event { Issue.record("the old session went before the new one came") }
            if case .tunnel = event { tunnels += 1 }
            if tunnels == 2 { break }
        }
        for await case .ended(let code) in edge.events {
            #expect(code == .shutdown)
            break
        }
        for run in runs { #expect(await run.stop() == nil) }
        try await edge.stop()
    }

    @Test(
        "An edge that drains each connection at once gets a few, and then one in two seconds for all tunnels together"
    )
    func drainLoop() async throws {
        let edge = try await FakeEdge.start(sharing: .init())
        let start = ContinuousClock.now
        let pool = self.pool(edge) { start }
        let token = try TunnelToken(parsing: TokenText.signed(#"{"sub":"one"}"#))
        for count in 1...(DialPace.burst + 1) {
            #expect(pool.distance(at: 0) == .zero)
            _ = try await pool.session(at: 0, token: token, network: NetworkWatch())
            let session = try await edge.nextSession()
            session.perform { $0.drain(gracePeriod: .zero, reconnectAfter: .zero, lingering: .zero) }
            for await case .ended in edge.events { break }
            #expect(pool.distance(at: 1) == .zero, "\(count)")
        }
        #expect(pool.distance(at: 0) == DialPace.interval)
        try await edge.stop()
    }

    @Test("A place that a later run of the same tunnel took is given up; the later run keeps it, whatever comes first")
    func replaced() async throws {
        let edge = try await FakeEdge.start(sharing: .init())
        let pool = self.pool(edge)
        let old = try self.serve("one", over: pool)
        await old.active()
        let place = try await edge.nextTunnel()
        let new = try self.serve("one", over: pool)
        await new.active()
        _ = try await edge.nextTunnel()
        place.stream.eventLoop.execute { place.stream.value.close(mode: .output, promise: nil) }
        #expect(await old.outcome.value == nil)
        for await report in old.reports {
            switch report {
            case .waiting: Issue.record("it tries to come back")
            case .replaced: Issue.record("it takes the later run for somebody else's")
            default: break
            }
        }
        #expect(await new.stop() == nil)
        try await edge.stop()
    }

    @Test("A run whose place was taken by one that is no more takes another place")
    func takenInVain() async throws {
        let edge = try await FakeEdge.start(sharing: .init())
        let pool = self.pool(edge)
        let run = try self.serve("one", over: pool)
        await run.active()
        let place = try await edge.nextTunnel()
        place.stream.eventLoop.execute { place.stream.value.close(mode: .output, promise: nil) }
        let next = try await edge.nextTunnel()
        #expect(next.id == "one")
        #expect(await run.stop() == nil)
        try await edge.stop()
    }

    @Test("An earlier run does not take the place of a later one")
    func outdone() async throws {
        let edge = try await FakeEdge.start(sharing: .init())
        let pool = self.pool(edge)
        func opener() throws -> SharedSessionOpener {
            let own = try OwnSessionOpener.fixture(edge: edge.address, target: "9", tunnelID: "one")
            return SharedSessionOpener(pool: pool, own: own)
        }
        let (old, new) = (try opener(), try opener())
        let bundle = SessionSettings.Bundle(id: [], index: 0, count: 1)
        let serving = try await new.open(bundle: bundle, network: NetworkWatch())
        var events = serving.events.makeAsyncIterator()
        #expect(await events.next() == .active(at: nil))
        var refused = try await old.open(bundle: bundle, network: NetworkWatch()).events.makeAsyncIterator()
        #expect(await refused.next() == .ended(code: .draining, reason: "it takes no more tunnels"))
        serving.drain(gracePeriod: .seconds(1))
        #expect(await events.next() == .ended(code: .shutdown, reason: ""))
        try await edge.stop()
    }

    @Test("Asked to stop, a run whose place was taken still ends within the grace")
    func graceAfterTaking() async throws {
        let edge = try await FakeEdge.start(sharing: .init())
        let origin = try await LocalOrigin.start(.swallow)
        let pool = self.pool(edge)
        let own = try OwnSessionOpener.fixture(edge: edge.address, target: "127.0.0.1:\(origin.port)", tunnelID: "one")
        let old = SharedSessionOpener(pool: pool, own: own)
        let new = SharedSessionOpener(pool: pool, own: own)
        let bundle = SessionSettings.Bundle(id: [], index: 0, count: 1)
        let leaving = try await old.open(bundle: bundle, network: NetworkWatch())
        var events = leaving.events.makeAsyncIterator()
        #expect(await events.next() == .active(at: nil))
        let session = try await edge.nextSession()
        let place = try await edge.nextTunnel()
        let (accepted, acceptance) = AsyncStream.makeStream(of: Void.self)
        async let conversation = session.exchange(ByteBuffer(string: "x"), target: "one", finishes: false) { _ in
            acceptance.yield()
        }
        for await _ in accepted { break }
        let staying = try await new.open(bundle: bundle, network: NetworkWatch())
        var others = staying.events.makeAsyncIterator()
        #expect(await others.next() == .active(at: nil))
        place.stream.eventLoop.execute { place.stream.value.close(mode: .output, promise: nil) }
        leaving.drain(gracePeriod: .milliseconds(50))
        // Which it says depends on what comes first, the taking or the end.
        switch await events.next() {
        case .ended, .handedOver: break
        case let event: Issue.record("instead of its end it said \(String(describing: event))")
        }
        #expect(try await conversation.error?.code == .sessionClosing)
        staying.close()
        try await origin.stop()
        try await edge.stop()
    }

    @Test("While the edge can't be reached, all tunnels together try once a second at most")
    func failures() async throws {
        let edge = try await FakeEdge.start(.bytes(""), sharing: .init())
        let clock = NIOLockedValueBox(ContinuousClock.now)
        let pool = self.pool(edge) { clock.withLockedValue { $0 } }
        let token = try TunnelToken(parsing: TokenText.signed(#"{"sub":"one"}"#))
        func attempt() async throws {
            await #expect(throws: EdgeFailure.self) {
                _ = try await pool.session(at: 0, token: token, network: NetworkWatch())
            }
        }
        for _ in 0..<3 {
            for _ in 0..<30 { try await attempt() }
            clock.withLockedValue { $0 += .milliseconds(999) }
            for _ in 0..<30 { try await attempt() }
            clock.withLockedValue { $0 += .milliseconds(1) }
        }
        try await edge.stop()
        var requests = 0
        for await case .request in edge.events { requests += 1 }
        #expect(requests == 3)
    }

    @Test("Several connections of a tunnel are places of their own")
    func bundle() async throws {
        let edge = try await FakeEdge.start(sharing: .init())
        let pool = self.pool(edge)
        let runs = [
            try self.serve("one", over: pool, connections: 3),
            try self.serve("other", over: pool, connections: 2),
        ]
        var places: [UInt8] = []
        var tunnels: [String: Int] = [:]
        for await event in edge.events {
            if case .active(_, let peer) = event { places.append(try #require(peer.bundle).index) }
            if case .tunnel(let tunnel) = event { tunnels[tunnel.id, default: 0] += 1 }
            if tunnels == ["one": 3, "other": 2] { break }
        }
        #expect(places.sorted() == [0, 1, 2])
        for run in runs { #expect(await run.stop() == nil) }
        try await edge.stop()
    }
}
