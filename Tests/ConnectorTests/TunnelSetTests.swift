// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Logging
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle
import Testing

@testable import Connector

@Suite("Tunnels that follow a file", .timeLimit(.minutes(1)))
struct TunnelSetTests {
    /// Tells when a connection stands, as the connector sees it.
    private struct ConnectionLog: LogHandler {
        let connected: AsyncStream<Void>.Continuation
        var logLevel = Logger.Level.info
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            if "\(event.message)" == "connected" { self.connected.yield() }
        }
    }

    /// - Parameter connected: Hears of each connection that stands.
    private func session(_ connected: AsyncStream<Void>.Continuation? = nil) throws -> ServingSession {
        // As lines: a terminal in front of the tests is not theirs.
        let words = ["start", "--config", "x", "--no-retry", "--log-format", "json"]
        let command = try #require(CulvertCommand.parseAsRoot(words) as? StartCommand)
        return try ServingSession(
            edgeOptions: command.edgeOptions,
            statusOptions: command.statusOptions,
            connections: 1,
            logger: Logger(label: "test") { _ in
                if let connected { return ConnectionLog(connected: connected) }
                return SwiftLogNoOpLogHandler()
            }
        )
    }

    /// A wish for tunnels by id and the port of their target.
    private func wish(_ edge: EdgeAddress, _ tunnels: [(id: String, port: Int)]) throws -> TunnelSet.Wish {
        let wanted = try tunnels.map { tunnel in
            WantedTunnel(
                identity: .tokenFile(tunnel.id),
                entry: .init(
                    target: OriginTarget(endpoint: .tcp(host: "127.0.0.1", port: tunnel.port), usesTLS: false),
                    tokenFile: tunnel.id,
                    token: try TunnelToken(parsing: TunnelTokenTests.token(#"{"sub":"\#(tunnel.id)"}"#))
                ),
                edge: edge,
                connections: 1
            )
        }
        return TunnelSet.Wish(tunnels: wanted) { tunnel, _ in
            { _ in
                guard let token = tunnel.entry.token else { throw CommandFailure(.bug, "no token") }
                return ServingSession.Tunnel(
                    token: token,
                    edge: tunnel.edge,
                    publicURL: "http://x/",
                    target: tunnel.entry.target,
                    originTrust: OriginTrust(),
                    connections: tunnel.connections
                )
            }
        }
    }

    /// Which tunnel a request to upgrade is for.
    private func tunnelID(_ head: String) -> String {
        String(head.split(separator: " ")[1].split(separator: "/").last ?? "")
    }

    @Test("A changed tunnel gets a new session before the old one leaves; one that did not change keeps its own")
    func follows() async throws {
        let edge = try await FakeEdge.start()
        let next = NIOLockedValueBox(try self.wish(edge.address, [("keep", 1), ("change", 1)]))
        let (connected, continuation) = AsyncStream.makeStream(of: Void.self)
        let set = TunnelSet(
            session: try self.session(continuation),
            initial: next.withLockedValue { $0 }
        ) { () throws(CommandFailure) in
            next.withLockedValue { $0 }
        }
        let lifecycle = ServiceGroup(running: set)
        async let run: Void = lifecycle.run()
        var events = edge.events.makeAsyncIterator()
        var active = 0
        while active < 2 {
            if case .active = await events.next() { active += 1 }
        }
        // The connector may hear of it later than the edge.
        var connections = connected.makeAsyncIterator()
        for _ in 0..<2 { await connections.next() }

        let changed = try self.wish(edge.address, [("keep", 1), ("change", 2)])
        next.withLockedValue { $0 = changed }
        set.reload()
        var seen: [String] = []
        while !(seen.contains("active") && seen.contains("ended")) {
            switch await events.next() {
            case .request(let head): seen.append(self.tunnelID(head))
            case .active: seen.append("active")
            case .draining: seen.append("draining")
            case .ended: seen.append("ended")
            case .tunnel: seen.append("shared")
            case nil: throw ChannelError.eof
            }
        }
        // What arrives on two connections has no order among itself; but nobody leaves before the new one was asked for.
        #expect(seen.first == "change")
        #expect(seen.sorted() == ["active", "change", "draining", "ended"])

        let removed = try self.wish(edge.address, [("keep", 1)])
        next.withLockedValue { $0 = removed }
        set.reload()
        seen = []
        while seen.last != "ended" {
            switch await events.next() {
            case .draining: seen.append("draining")
            case .ended: seen.append("ended")
            case .request, .active, .tunnel: seen.append("new")
            case nil: seen.append("ended")
            }
        }
        #expect(seen == ["draining", "ended"])
        await lifecycle.triggerGracefulShutdown()
        try await run
        try await edge.stop()
    }

    @Test("A file that can't be used changes nothing")
    func unusable() async throws {
        let edge = try await FakeEdge.start()
        let (reads, continuation) = AsyncStream.makeStream(of: Void.self)
        let set = TunnelSet(
            session: try self.session(),
            initial: try self.wish(edge.address, [("one", 1)])
        ) { () throws(CommandFailure) in
            continuation.yield()
            throw CommandFailure(.configuration, "c.yaml:1: It is wrong.")
        }
        let lifecycle = ServiceGroup(running: set)
        async let run: Void = lifecycle.run()
        let session = try await edge.nextSession()
        set.reload()
        for await _ in reads { break }
        // The session still answers, and ends only because it is asked to.
        let exchange = try await session.exchange(ByteBuffer(string: "x"))
        #expect(exchange.error != nil)
        await lifecycle.triggerGracefulShutdown()
        try await run
        try await edge.stop()
    }

    @Test("With the last tunnel the set ends, and says why")
    func ends() async throws {
        let edge = try await FakeEdge.start(.bytes("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"))
        let wish = try self.wish(edge.address, [("one", 1), ("two", 2)])
        let set = TunnelSet(session: try self.session(), initial: wish) { () throws(CommandFailure) in wish }
        let failure = await #expect(throws: CommandFailure.self) { try await ServiceGroup(running: set).run() }
        #expect(failure?.status == .refused)
        try await edge.stop()
    }
}
