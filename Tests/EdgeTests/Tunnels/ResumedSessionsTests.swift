// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import NIOCore
import NIOEmbedded
import Protocol
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels
@testable import Mux

/// Connectors that come back to a whole edge over sockets, rightly and wrongly (docs/protocol.md §B.19).
@Suite("Sessions without a connection at an edge")
struct ResumedSessionsTests {
    private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    /// A request that its connector has and has not answered, of a session that has lost its connection.
    private struct Held {
        let tunnel: CreateTunnelResponse
        let connector: ScriptedConnector
        let visitor: RawVisitor
        /// What the connector may come back with.
        let request: ResumeRequest
    }

    private func held(_ edge: EdgeUnderTest, suspended: Double = 1) async throws -> Held {
        let tunnel = try await edge.makeTunnel()
        let connector = try await edge.connect(tunnel, origin: .silent, isResumable: true)
        let visitor = try await RawVisitor.connect(to: edge.addresses.listen)
        try await visitor.send("GET /\(tunnel.tunnelID)/ HTTP/1.1\r\nHost: edge.example\r\nConnection: close\r\n\r\n")
        try await edge.until("the connector has the request") { connector.waitingCount == 1 }
        try await connector.drop()
        try await edge.until("the session is kept") {
            try await edge.metric("culvert_sessions_suspended") == suspended
        }
        let request = try await connector.resumeRequest()
        return Held(tunnel: tunnel, connector: connector, visitor: visitor, request: request)
    }

    /// What HELLO answers to a claim; `nil` if the session is not given.
    private func claim(
        _ request: ResumeRequest,
        of tunnel: CreateTunnelResponse,
        bundle: UInt8 = 1,
        asks: Bool = true,
        at edge: EdgeUnderTest
    ) async throws -> UInt64? {
        let claimant = try await ScriptedConnector.connect(
            to: edge,
            token: tunnel.token,
            tunnelID: tunnel.tunnelID,
            bundle: bundle,
            isResumable: true,
            claiming: request,
            asks: asks
        )
        defer { claimant.close() }
        return try await claimant.edgeSettings()?.resumed
    }

    @Test("A session is not given for another tunnel's token, and goes on when its own connector comes back")
    func otherTunnel() async throws {
        try await EdgeUnderTest.run { edge in
            let held = try await self.held(edge)
            let other = try await edge.makeTunnel()
            #expect(try await self.claim(held.request, of: other, at: edge) == nil)
            #expect(try await edge.metric("culvert_sessions_suspended") >= 1)
            _ = try await ScriptedConnector.connect(
                to: edge,
                token: held.tunnel.token,
                tunnelID: held.tunnel.tunnelID,
                isResumable: true,
                resuming: held.connector
            )
            try await held.connector.answer(Self.ok)
            #expect(try await held.visitor.answer().body == "ok")
            #expect(try await edge.metric("culvert_sessions_resumed_total") == 1)
        }
    }

    @Test("A session is not given for a wrong key, an unknown id, a count that can't be or another connector")
    func wrongClaims() async throws {
        let claims: [(String, UInt8, (inout ResumeRequest) -> Void)] = [
            ("another key", 1, { $0.key = ResumeKey() }),
            ("an id that nobody has", 1, { $0.sessionID = Array(repeating: 9, count: 16) }),
            ("more than was sent", 1, { $0.received += 1_000 }),
            ("the most there is", 1, { $0.received = .max }),
            ("another bundle", 2, { _ in }),
        ]
        for (name, bundle, change) in claims {
            try await EdgeUnderTest.run { edge in
                let bystander = try await self.held(edge)
                let held = try await self.held(edge, suspended: 2)
                var request = held.request
                change(&request)
                #expect(try await self.claim(request, of: held.tunnel, bundle: bundle, at: edge) == nil, "\(name)")
                if bundle == 1 {
                    // The connector has begun anew, so that nothing is to be expected of the session before it.
                    #expect(try await held.visitor.answer().status == 502, "\(name)")
                }
                _ = try await ScriptedConnector.connect(
                    to: edge,
                    token: bystander.tunnel.token,
                    tunnelID: bystander.tunnel.tunnelID,
                    isResumable: true,
                    resuming: bystander.connector
                )
                try await bystander.connector.answer(Self.ok)
                #expect(try await bystander.visitor.answer().body == "ok", "\(name)")
            }
        }
    }

    @Test("Of two returns at once no byte comes wrong, and in the end the tunnel is served", arguments: 1...8)
    func twoReturns(_ round: Int) async throws {
        try await EdgeUnderTest.run { edge in
            let held = try await self.held(edge)
            let back = { @Sendable () async throws -> ScriptedConnector in
                try await ScriptedConnector.connect(
                    to: edge,
                    token: held.tunnel.token,
                    tunnelID: held.tunnel.tunnelID,
                    isResumable: true,
                    resuming: held.connector
                )
            }
            async let first = back()
            async let second = back()
            _ = try await (first, second)
            try await held.connector.answer(Self.ok)
            // One that has lost against the other is closed: then the session goes on or is over, as the edge decides.
            _ = try? await back()
            let answer = try await held.visitor.answer()
            #expect(answer.body == "ok" || answer.status == 502)
            let fresh = try await ScriptedConnector.connect(
                to: edge,
                token: held.tunnel.token,
                tunnelID: held.tunnel.tunnelID,
                isResumable: true
            )
            try await edge.until("the tunnel is served") {
                try await edge.get("/\(held.tunnel.tunnelID)/").body == "ok"
            }
            try await fresh.drop()
        }
    }

    @Test("A session is not given to a connection whose upgrade did not ask for it")
    func unasked() async throws {
        try await EdgeUnderTest.run { edge in
            let held = try await self.held(edge)
            #expect(try await self.claim(held.request, of: held.tunnel, asks: false, at: edge) == nil)
            #expect(try await held.visitor.answer().status == 502)
            #expect(try await edge.metric("culvert_sessions_resumed_total") == 0)
        }
    }

    @Test("A connector that comes back while its connection still stands gets the session, and that one is closed")
    func oldConnectionAlive() async throws {
        try await EdgeUnderTest.run { edge in
            let tunnel = try await edge.makeTunnel()
            let connector = try await edge.connect(tunnel, origin: .silent, isResumable: true)
            let request = try #require(try await connector.presentClaim())
            #expect(try await self.claim(request, of: tunnel, at: edge) != nil)
            try await edge.until("the old connection is closed") { connector.isClosed }
            #expect(try await edge.metric("culvert_sessions_resumed_total") == 1)
        }
    }

    @Test(
        "A session ends when its tunnel is deleted or its token ended, and a return is refused",
        arguments: [true, false]
    )
    func ended(isDeleted: Bool) async throws {
        try await EdgeUnderTest.run(["--tunnel-token-overlap", "0s"]) { edge in
            let held = try await self.held(edge)
            let path = "tunnels/\(held.tunnel.tunnelID)"
            let answer =
                isDeleted ? try await edge.call("DELETE", path) : try await edge.call("POST", "\(path)/token")
            #expect(answer.status < 300)
            try await edge.until("the session is over") { try await edge.metric("culvert_sessions_suspended") == 0 }
            #expect(try await held.visitor.answer().status >= 500)
            await #expect(throws: (any Error).self) { try await self.claim(held.request, of: held.tunnel, at: edge) }
            #expect(try await edge.metric("culvert_sessions_resumed_total") == 0)
        }
    }

    private static let isFullSize = ProcessInfo.processInfo.environment["CULVERT_LONG"] == "1"

    @Test("Sessions lost with full replay buffers are kept up to the bound, the others end, and then nothing is left")
    func fullBuffers() throws {
        let count = Self.isFullSize ? 1_000 : 18
        // What an edge has by default, as many of which fit in as are whole.
        let (bound, full) = (256 << 20, 16 << 20)
        let table = ResumableSessions(maximumHeldBytes: bound)
        let governor = MemoryGovernor(budget: 1 << 40)
        let sessions = try (0..<count).map { _ in try SuspendedSession(in: table, governor: governor) }
        for session in sessions {
            try session.fill()
            // No more DATA goes out, though there is more.
            #expect((full..<full + 1 << 20).contains(session.heldBytes))
            session.loseConnection()
            #expect(table.figures.heldBytes <= bound)
        }
        let kept = table.figures
        #expect((bound / full - 1...bound / full).contains(kept.suspended))
        #expect(sessions.count { $0.isOver } == count - kept.suspended)
        #expect(sessions.reduce(0) { $0 + $1.heldBytes } == kept.heldBytes, "what has ended holds nothing")
        #expect(governor.bufferedBytes == kept.heldBytes)
        SuspendedSession.endAll(sessions)
        #expect(table.figures.suspended == 0 && table.figures.heldBytes == 0)
        #expect(sessions.allSatisfy { $0.isOver && $0.heldBytes == 0 })
        #expect(governor.bufferedBytes == 0)
    }

    @Test("Sessions whose connectors acknowledge nothing stay within the memory budget, with a connection and without")
    func unacknowledged() throws {
        let count = Self.isFullSize ? 1_000 : 30
        let governor = MemoryGovernor(budget: count << 20)
        let bound = min(256 << 20, governor.budget / 2)
        let table = ResumableSessions(maximumHeldBytes: bound)
        let sessions = try (0..<count).map { _ in try SuspendedSession(in: table, governor: governor) }
        for session in sessions { try session.fill() }
        #expect(governor.bufferedBytes <= governor.budget)
        #expect(sessions.reduce(0) { $0 + $1.heldBytes } == governor.bufferedBytes)
        // Each has some, the last of them what is left to one when memory is critical.
        #expect(sessions.allSatisfy { $0.heldBytes >= 256 << 10 })
        #expect(governor.level == .critical)
        for session in sessions { session.loseConnection() }
        let kept = table.figures
        #expect(kept.heldBytes <= bound && kept.suspended < count)
        #expect(governor.bufferedBytes == kept.heldBytes)
        SuspendedSession.endAll(sessions)
        #expect(table.figures.suspended == 0 && table.figures.heldBytes == 0)
        #expect(governor.bufferedBytes == 0)
    }

    @Test("More sessions than may be kept without a connection: the others end at once")
    func tooMany() throws {
        let table = ResumableSessions(maximumSuspended: 3)
        let governor = MemoryGovernor(budget: 1 << 40)
        let sessions = try (0..<5).map { _ in try SuspendedSession(in: table, governor: governor) }
        for session in sessions { session.loseConnection() }
        #expect(table.figures.suspended == 3)
        #expect(sessions.map(\.isOver) == [false, false, false, true, true])
    }
}

/// An edge's session on a channel that goes nowhere, in a table of those that may be resumed.
private final class SuspendedSession: SessionDelegate {
    /// How long it is kept without a connection, in milliseconds.
    ///
    /// It looks at the clock when the test says so.
    static let window = 50

    private let channel: EmbeddedChannel
    private let table: ResumableSessions
    private var handler: SessionHandler?
    private(set) var isOver = false

    init(in table: ResumableSessions, governor: MemoryGovernor) throws {
        self.table = table
        self.channel = EmbeddedChannel()
        var configuration = SessionConfiguration(role: .edge, governor: governor)
        configuration.capabilities = .resume
        configuration.settings.resumeMilliseconds = UInt32(Self.window)
        let handler = SessionHandler(configuration: configuration, delegate: self)
        self.handler = handler
        try self.channel.pipeline.syncOperations.addHandler(handler)
        try self.channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        var settings = SessionSettings()
        settings.maximumStreams = 16
        settings.initialWindow = 16 << 20
        settings.connectionWindow = 64 << 20
        var message = ByteBuffer()
        FrameEncoder.encode(
            .hello(HelloFrame(role: .connector, capabilities: .resume, settings: settings)),
            into: &message
        )
        var bytes = ByteBuffer()
        var encoder = WebSocketEncoder(isClient: true)
        encoder.encode(.binary, message, into: &bytes)
        try self.channel.writeInbound(bytes)
    }

    /// What it keeps to send again, in bytes.
    var heldBytes: Int { self.handler?.replayByteCount ?? 0 }

    /// What is written to a stream, in memory that all of them share.
    private static let bytes = ByteBuffer(repeating: 7, count: 9 << 20)

    /// Has more to send than is kept, and nobody who acknowledges it.
    func fill() throws {
        for _ in 0..<2 {
            let stream = try self.handler?.openStream(kind: .tcp, metadata: OpenMetadata(target: "web")) { _ in }
            stream?.writeAndFlush(Self.bytes, promise: nil)
        }
        self.channel.embeddedEventLoop.run()
        while try self.channel.readOutbound(as: ByteBuffer.self) != nil {}
    }

    func loseConnection() {
        self.channel.close(promise: nil)
        self.channel.embeddedEventLoop.run()
    }

    /// Lets the time pass for which they are kept.
    static func endAll(_ sessions: [SuspendedSession]) {
        Thread.sleep(forTimeInterval: Double(Self.window) / 1_000)
        for session in sessions { session.wake() }
    }

    /// Lets it look at the clock.
    private func wake() {
        self.channel.embeddedEventLoop.advanceTime(to: .now() + .seconds(60))
    }

    // MARK: What the session tells

    func sessionDidBecomeActive(_ session: SessionHandler, peer: SessionSettings) {
        guard let id = session.resumableID else { return }
        self.table.add(id, NIOLoopBound(session, eventLoop: self.channel.eventLoop), tunnelID: "web")
    }

    func sessionPeerIsDraining(
        _ session: SessionHandler,
        code: ErrorCode,
        gracePeriod: TimeAmount,
        reconnectAfter: TimeAmount
    ) {}

    func sessionMaySuspend(_ session: SessionHandler) -> Bool {
        guard let id = session.resumableID else { return false }
        return self.table.suspend(id, holding: session.replayByteCount + session.bufferedByteCount)
    }

    func sessionDidEnd(_ session: SessionHandler, end: SessionEnd) {
        if let id = session.resumableID { self.table.remove(id) }
        self.isOver = true
    }
}
