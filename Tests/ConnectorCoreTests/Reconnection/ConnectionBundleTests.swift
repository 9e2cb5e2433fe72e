// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOCore
import Protocol
import ServiceLifecycle
import Testing

@testable import ConnectorCore

@Suite("A tunnel that is kept alive", .timeLimit(.minutes(1)))
struct ConnectionBundleTests {
    /// Runs the service against an edge for the time of the body, then asks it to stop.
    ///
    /// - Returns: The failure that ended the service, if it was not the request to stop.
    @discardableResult
    private func serving(
        _ edge: FakeEdge,
        to target: String = "9",
        connections: Int = 1,
        retries: Bool = true,
        network: NetworkWatch = NetworkWatch(),
        body: (AsyncStream<ConnectionEvent>, ServiceGroup) async throws -> Void
    ) async throws -> CommandFailure? {
        let run = ServiceRun(
            try OwnSessionOpener.fixture(edge: edge.address, target: target),
            connections: connections,
            retries: retries,
            network: network
        )
        try await body(run.reports, run.lifecycle)
        return await run.stop()
    }

    private static func response(_ head: String, body: String = "", type: String = "text/plain") -> FakeEdge.Answer {
        .bytes("HTTP/1.1 \(head)\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    @Test("The upgrade carries the token in Authorization, asks below the tunnel's id, and has no Origin")
    func upgradeRequest() async throws {
        let edge = try await FakeEdge.start()
        try await self.serving(edge) { _, _ in
            var head = ""
            for await case .request(let text) in edge.events {
                head = text
                break
            }
            #expect(head.hasPrefix("GET /api/tunnel/connect/my-app HTTP/1.1\r\n"))
            #expect(head.contains("\r\nAuthorization: Bearer \(TokenText.signed(#"{"sub":"my-app"}"#))\r\n"))
            #expect(head.contains("\r\nSec-WebSocket-Protocol: culvert.mux.v1\r\n"))
            #expect(!head.lowercased().contains("\r\norigin:"))
            #expect(!head.lowercased().contains("\r\nsec-websocket-extensions:"))
        }
        try await edge.stop()
    }

    @Test("A session whose connection is lost is replaced by a new one with the same place in the bundle")
    func reconnects() async throws {
        let edge = try await FakeEdge.start()
        try await self.serving(edge) { _, _ in
            var bundles: [SessionSettings.Bundle] = []
            for await case .active(let session, let peer) in edge.events {
                bundles.append(try #require(peer.bundle))
                if bundles.count == 3 { break }
                session.perform { $0.channel?.close(promise: nil) }
            }
            #expect(Set(bundles).count == 1)
        }
        try await edge.stop()
    }

    @Test("An edge that restarts on its port gets the connector back without help")
    func edgeRestarts() async throws {
        let edge = try await FakeEdge.start()
        try await self.serving(edge) { reports, _ in
            let session = try await edge.nextSession()
            try await edge.stop()
            session.perform { $0.channel?.close(promise: nil) }
            for await case .waiting(_, _, let reason) in reports where reason.contains("connection refused") { break }
            let restarted = try await FakeEdge.start(port: edge.address.port)
            _ = try await restarted.nextSession()
            try await restarted.stop()
        }
    }

    @Test("A bundle opens all its places, each once")
    func bundle() async throws {
        let edge = try await FakeEdge.start()
        try await self.serving(edge, connections: 3) { _, _ in
            var places: [SessionSettings.Bundle] = []
            for await case .active(_, let peer) in edge.events {
                places.append(try #require(peer.bundle))
                if places.count == 3 { break }
            }
            #expect(Set(places.map(\.index)) == [0, 1, 2])
            #expect(Set(places.map(\.id)).count == 1)
            #expect(places.allSatisfy { $0.count == 3 })
        }
        try await edge.stop()
    }

    @Test("A member that waits for its next attempt goes on as soon as another gets through")
    func otherGetsThrough() async throws {
        let pauses = ReconnectPauses()
        await withTaskGroup(of: Void.self) { group in
            for index in 0..<3 { group.addTask { await pauses.wait(for: .seconds(3_600), index: index) } }
            group.addTask {
                // To cut a pause short before it begins is in vain, so do it until all are through.
                while !Task.isCancelled {
                    pauses.cutShort(.edgeFound)
                    await Task.yield()
                }
            }
            for _ in 0..<3 { await group.next() }
            group.cancelAll()
        }
        let start = ContinuousClock.now
        await pauses.wait(for: .milliseconds(20), index: 0)
        #expect(.now - start >= .milliseconds(20))
    }

    @Test("A change of the network ends a wait of two minutes")
    func networkEndsWait() async throws {
        let network = NetworkWatch()
        let edge = try await FakeEdge.start(.bytes("HTTP/1.1 503 x\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n"))
        try await self.serving(edge, network: network) { reports, _ in
            for await case .waiting in reports { break }
            edge.answer(with: .accept)
            // The wait begins a moment after it is reported.
            let telling = Task {
                while !Task.isCancelled {
                    network.notify()
                    await Task.yield()
                }
            }
            _ = try await edge.nextSession()
            telling.cancel()
        }
        try await edge.stop()
    }

    @Test("A change of the network ends an attempt that gets no answer")
    func networkEndsAttempt() async throws {
        let network = NetworkWatch()
        let edge = try await FakeEdge.start(.silence)
        let opener = try OwnSessionOpener.fixture(edge: edge.address, target: "9", patience: .zero)
        let run = ServiceRun(opener, network: network)
        for await case .request in edge.events { break }
        edge.answer(with: .accept)
        network.notify()
        _ = try await edge.nextSession()
        #expect(await run.stop() == nil)
        try await edge.stop()
    }

    @Test("A change of the network leaves an attempt alone that has just begun")
    func networkKeepsAttempt() async throws {
        let network = NetworkWatch()
        let edge = try await FakeEdge.start(.silence)
        let opener = try OwnSessionOpener.fixture(edge: edge.address, target: "9", patience: .seconds(3_600))
        let attempt = Task {
            try await opener.open(bundle: .init(id: [], index: 0, count: 1), network: network)
        }
        for await case .request in edge.events { break }
        network.notify()
        // An attempt that the change had ended would have failed with NetworkChanged before.
        attempt.cancel()
        await #expect(throws: CancellationError.self) { try await attempt.value }
        try await edge.stop()
    }

    @Test("After a change of the network a session is asked whether it is there, and no other is opened")
    func networkKeepsSession() async throws {
        let network = NetworkWatch()
        let opener = FakeSessionOpener()
        let run = ServiceRun(opener, network: network)
        var calls = opener.calls.makeAsyncIterator()
        #expect(await calls.next() == .opened)
        await run.active()
        network.notify()
        #expect(await calls.next() == .verified)
        await run.lifecycle.triggerGracefulShutdown()
        #expect(await calls.next() == .drained)
        #expect(await run.outcome.value == nil)
    }

    @Test("When the edge drains, the replacement is there before the old session goes")
    func drain() async throws {
        let edge = try await FakeEdge.start()
        let origin = try await LocalOrigin.start(.swallow)
        try await self.serving(edge, to: "127.0.0.1:\(origin.port)") { _, _ in
            let old = try await edge.nextSession()
            let (accepted, acceptance) = AsyncStream.makeStream(of: NIOLoopBound<StreamChannel>.self)
            async let conversation = old.exchange(ByteBuffer(string: "x"), finishes: false) { stream in
                acceptance.yield(NIOLoopBound(stream, eventLoop: stream.eventLoop))
            }
            var running: NIOLoopBound<StreamChannel>?
            for await stream in accepted {
                running = stream
                break
            }
            old.perform { $0.drain(gracePeriod: .seconds(30), reconnectAfter: .milliseconds(1)) }
            for await event in edge.events {
                if case .ended = event { Issue.record("the old session went before the new one came") }
                if case .active = event { break }
            }
            // The old one ends on its own once nothing runs on it.
            let stream = try #require(running)
            stream.eventLoop.execute { stream.value.reset(code: .noError) }
            _ = try await conversation
            for await case .ended(let code) in edge.events {
                #expect(code == .shutdown)
                break
            }
        }
        try await origin.stop()
        try await edge.stop()
    }

    @Test("After an edge that left in good order, the next one is looked for at once, whatever failed before")
    func nextEdgeAtOnce() async throws {
        let refusal = Self.response("503 Service Unavailable")
        let edge = try await FakeEdge.start(refusal)
        try await self.serving(edge) { reports, _ in
            var failures = 0
            for await case .waiting in reports {
                failures += 1
                if failures == 4 { break }
            }
            edge.answer(with: .accept)
            let session = try await edge.nextSession()
            edge.answer(with: refusal)
            session.perform { $0.drain(gracePeriod: .seconds(1), reconnectAfter: .milliseconds(1)) }
            for await case .waiting(_, let delay, _) in reports {
                #expect(delay <= .milliseconds(250))
                break
            }
        }
        try await edge.stop()
    }

    @Test("Asked to stop, the connector drains its session and ends without a failure")
    func drainsWhenStopped() async throws {
        let edge = try await FakeEdge.start()
        let failure = try await self.serving(edge) { reports, lifecycle in
            // The edge may have the connector's HELLO before the connector has the edge's, and drain is for sessions.
            for await case .active in reports { break }
            await lifecycle.triggerGracefulShutdown()
            for await case .draining in edge.events { break }
        }
        #expect(failure == nil)
        try await edge.stop()
    }

    @Test("Asked to stop while the edge keeps it waiting, the connector goes at once")
    func stopWhileDialling() async throws {
        let edge = try await FakeEdge.start(.silence)
        let failure = try await self.serving(edge) { _, _ in
            for await case .request in edge.events { break }
        }
        #expect(failure == nil)
        try await edge.stop()
    }

    @Test("A refused token ends the service with the exit code for credentials", arguments: [401, 403])
    func refused(status: Int) async throws {
        let edge = try await FakeEdge.start(Self.response("\(status) No"))
        let failure = try await self.serving(edge) { reports, _ in for await _ in reports {} }
        #expect(failure?.status == .refused)
        try await edge.stop()
    }

    @Test("A missing tunnel ends the service with what the edge says")
    func missing() async throws {
        let problem = #"{"type":"x","title":"No such tunnel","status":404,"code":"tunnel_not_found"}"#
        let edge = try await FakeEdge.start(
            Self.response("404 Not Found", body: problem, type: "application/problem+json")
        )
        let failure = try await self.serving(edge) { reports, _ in for await _ in reports {} }
        #expect(failure == CommandFailure(.refused, "No such tunnel."))
        try await edge.stop()
    }

    @Test(
        "A server that is no edge is named as such",
        arguments: ["SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"]
    )
    func notAnEdge(answer: String) async throws {
        let edge = try await FakeEdge.start(.bytes(answer))
        let failure = try await self.serving(edge) { reports, _ in for await _ in reports {} }
        #expect(failure?.status == .unavailable)
        try await edge.stop()
    }

    @Test("What an edge answers at a tunnel's address ends the service, which the tunnel's own return would not help")
    func tunnelAddress() async throws {
        let problem = #"{"type":"urn:culvert:error:tunnel_offline","title":"x","status":503,"code":"tunnel_offline"}"#
        let edge = try await FakeEdge.start(
            Self.response("503 Service Unavailable", body: problem, type: "application/problem+json")
        )
        let failure = try await self.serving(edge) { reports, _ in for await _ in reports {} }
        #expect(failure?.status == .unavailable)
        #expect(failure?.message.hasPrefix("\(edge.address) is the address of a tunnel") == true)
        try await edge.stop()
    }

    @Test("With --no-retry an edge that is not there ends the service with exit code 69")
    func noRetry() async throws {
        let edge = try await FakeEdge.start()
        try await edge.stop()
        let failure = try await self.serving(edge, retries: false) { reports, _ in for await _ in reports {} }
        #expect(failure?.status == .unavailable)
        #expect(failure?.message.contains("connection refused") == true)
    }

    @Test("Retry-After is waited for")
    func retryAfter() async throws {
        let edge = try await FakeEdge.start(.bytes("HTTP/1.1 503 x\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n"))
        try await self.serving(edge) { reports, _ in
            for await case .waiting(_, let delay, _) in reports {
                #expect(delay >= .seconds(120))
                break
            }
        }
        try await edge.stop()
    }

    @Test("An expired token ends the service, a replaced session leaves its place to the other")
    func sessionEnds() async throws {
        let edge = try await FakeEdge.start()
        let expired = try await self.serving(edge) { reports, _ in
            try await edge.nextSession().perform { $0.close(code: .authExpired, reason: "deleted") }
            for await _ in reports {}
        }
        #expect(expired?.status == .refused)
        let replaced = try await self.serving(edge) { reports, _ in
            try await edge.nextSession().perform {
                $0.drain(code: .replaced, gracePeriod: .seconds(1), reconnectAfter: .zero)
            }
            for await case .replaced in reports { break }
        }
        #expect(replaced == nil)
        try await edge.stop()
    }
}
