// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Logging
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle
import Synchronization
import Testing

@testable import ConnectorCore

@Suite("Tunnels that follow a file", .timeLimit(.minutes(1)))
struct TunnelSetTests {
    /// Reports the connections that are active for the connector.
    private struct ConnectionWatch: RunObserver {
        var connected: AsyncStream<Void>.Continuation?

        func willServe(tunnelCount: Int) {}
        func configurationWasRead() {}
        func willCallAgain(in delay: Duration, reason: String) {}
        func closed(tunnel id: String) {}

        func opened(_ tunnel: ServedTunnel) -> TunnelObserver {
            TunnelObserver(
                connection: { event in if case .active = event { self.connected?.yield() } },
                origin: .none,
                token: { _ in }
            )
        }
    }

    /// - Parameter connected: Gets an element for each connection that is active.
    private func server(
        _ connected: AsyncStream<Void>.Continuation? = nil,
        retries: Bool = false
    ) throws -> TunnelServer {
        try TunnelServer(
            authorities: EdgeAuthorities(all: nil),
            retries: retries,
            connections: 1,
            proxies: .direct,
            observer: ConnectionWatch(connected: connected),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    @Test("A call that is cut off is made again once the edge has answered one; before that no edge is there")
    func cutOff() async throws {
        let server = try self.server(retries: true)
        // It is an edge, as is seen before the key is shown; what becomes of the calls themselves is made up.
        let edge = try await FakeEdge.start(
            .bytes("HTTP/1.1 200 OK\r\nCulvert-Request-Id: 1\r\nContent-Length: 0\r\n\r\n")
        )
        let access = EdgeAccess(edge: edge.address, credentials: try Credentials(apiKey: "the-key"))
        let attempts = Mutex(0)
        let call: @Sendable (ControlClient) async throws(EdgeFailure) -> Int = { _ async throws(EdgeFailure) in
            let number = attempts.withLock { attempts in
                attempts += 1
                return attempts
            }
            guard number.isMultiple(of: 2) else {
                throw EdgeFailure.notAnEdge(address: "\(access.edge)", reason: EdgeFailure.closedReason)
            }
            return number
        }
        await #expect(throws: CommandFailure.self) { try await server.callControl(access, call) }
        #expect(try await server.callControl(access, call) == 2)
        #expect(try await server.callControl(access, call) == 4, "the third attempt is made again")
        try await edge.stop()
    }

    @Test("An inbox is refused with a key whose codes are good for one call, before anything is made")
    func oneTimeCode() async throws {
        let creation = TunnelCreation(
            access: EdgeAccess(
                edge: try EdgeAddress(parsing: "http://127.0.0.1:1"),
                credentials: try Credentials(apiKey: "a-key", oneTimeCode: "123456")
            ),
            name: "my-app",
            target: try OriginTarget(parsing: "3000"),
            policy: TunnelPolicy(),
            originTrust: OriginTrust(),
            connections: 1,
            inbox: InboxSettings()
        )
        let server = try self.server()
        let failure = await #expect(throws: CommandFailure.self) { _ = try await creation.prepare(server) }
        #expect(failure?.status == .usage)
    }

    /// Tunnels by id and the port of their target.
    private func desired(_ edge: EdgeAddress, _ tunnels: [(id: String, port: Int)]) throws -> DesiredTunnels {
        let desired = try tunnels.map { tunnel in
            DesiredTunnel(
                identity: .tokenFile(tunnel.id),
                target: OriginTarget(endpoint: .tcp(host: "127.0.0.1", port: tunnel.port), usesTLS: false),
                token: try TunnelToken(parsing: TokenText.signed(#"{"sub":"\#(tunnel.id)"}"#)),
                edge: edge,
                connections: 1,
                sharesConnections: false
            )
        }
        return DesiredTunnels(tunnels: desired) { tunnel, _ in
            { _ in
                guard let token = tunnel.token else { throw CommandFailure(.bug, "no token") }
                return ServedTunnel(
                    token: token,
                    edge: tunnel.edge,
                    publicURL: "http://x/",
                    target: tunnel.target,
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
        let next = NIOLockedValueBox(try self.desired(edge.address, [("keep", 1), ("change", 1)]))
        let (connected, continuation) = AsyncStream.makeStream(of: Void.self)
        let set = TunnelSet(
            server: try self.server(continuation),
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
        // A session may become active later for the connector than for the edge.
        var connections = connected.makeAsyncIterator()
        for _ in 0..<2 { await connections.next() }

        let changed = try self.desired(edge.address, [("keep", 1), ("change", 2)])
        next.withLockedValue { $0 = changed }
        set.reload()
        var seen: [String] = []
        while !(seen.contains("active") && seen.contains("ended")) {
            switch await events.next() {
            case .request(let head): seen.append(self.tunnelID(head))
            case .active: seen.append("active")
            case .draining: seen.append("draining")
            case .ended: seen.append("ended")
            case .tunnel, .token: seen.append("shared")
            case nil: throw ChannelError.eof
            }
        }
        // What arrives on two connections has no order among itself; but nobody leaves before the new one was asked
        // for.
        #expect(seen.first == "change")
        #expect(seen.sorted() == ["active", "change", "draining", "ended"])

        let removed = try self.desired(edge.address, [("keep", 1)])
        next.withLockedValue { $0 = removed }
        set.reload()
        seen = []
        while seen.last != "ended" {
            switch await events.next() {
            case .draining: seen.append("draining")
            case .ended: seen.append("ended")
            case .request, .active, .tunnel, .token: seen.append("new")
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
            server: try self.server(),
            initial: try self.desired(edge.address, [("one", 1)])
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
        let desired = try self.desired(edge.address, [("one", 1), ("two", 2)])
        let set = TunnelSet(server: try self.server(), initial: desired) { () throws(CommandFailure) in desired }
        let failure = await #expect(throws: CommandFailure.self) { try await ServiceGroup(running: set).run() }
        #expect(failure?.status == .refused)
        try await edge.stop()
    }
}
