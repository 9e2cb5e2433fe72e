// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOEmbedded
import Protocol
import Testing

@testable import Mux

/// Connections that are handed over to an earlier session (docs/protocol.md §B.19).
@Suite("Handing a connection over to an earlier session")
struct HandOverTests {
    private static let id = Array(repeating: 7 as UInt8, count: 16)

    /// The edge's HELLO, and perhaps more, as a connector's connection brings it.
    private func hello(resumed: UInt64? = nil, and frames: [Frame] = []) -> ByteBuffer {
        var settings = SessionSettings()
        settings.sessionID = Self.id
        settings.resumeKey = ResumeKey()
        settings.resumeMilliseconds = 30_000
        settings.resumed = resumed
        let hello = HelloFrame(role: .edge, capabilities: .resume, settings: settings)
        return self.messages([.hello(hello)] + frames, isClient: false)
    }

    private func messages(_ frames: [Frame], isClient: Bool) -> ByteBuffer {
        var bytes = ByteBuffer()
        var encoder = WebSocketEncoder(isClient: isClient)
        for frame in frames {
            var message = ByteBuffer()
            FrameEncoder.encode(frame, into: &message)
            encoder.encode(.binary, message, into: &bytes)
        }
        return bytes
    }

    private func connect(_ handlers: [any ChannelHandler]) throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandlers(handlers)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    /// A connector's connection, to go on with the session or for a new one.
    private func connector(_ session: SessionHandler? = nil, _ witness: ReturnWitness) -> SessionHandler {
        var configuration = SessionConfiguration(role: .connector)
        configuration.capabilities = .resume
        return SessionHandler(
            configuration: configuration,
            purpose: session.map { .resume($0) } ?? .newSession,
            delegate: witness
        )
    }

    @Test("one that ends while the session begins to speak over it was handed over, and the session waits for the next")
    func endsAtOnce() throws {
        let (first, second, third) = (ReturnWitness(), ReturnWitness(), ReturnWitness())
        let session = self.connector(nil, first)
        let lost = try self.connect([session])
        try lost.writeInbound(self.hello())
        lost.close(promise: nil)
        lost.embeddedEventLoop.run()
        #expect(first.words == ["suspended"])

        // PING came with HELLO, and counts before the connection is gone.
        let breaking = BreakingHandler()
        let short = try self.connect([breaking, self.connector(session, second)])
        breaking.isArmed = true
        try short.writeInbound(self.hello(resumed: 0, and: [.ping(5)]))
        short.embeddedEventLoop.run()
        #expect(breaking.hasBroken)
        #expect(second.words == ["handed over"])
        #expect(first.words == ["suspended", "resumed", "suspended"])
        #expect(session.core.resumeRequest?.received == 1)

        let whole = try self.connect([self.connector(session, third)])
        try whole.writeInbound(self.hello(resumed: 0))
        #expect(third.words == ["handed over"])
        #expect(first.words.suffix(2) == ["suspended", "resumed"])
        #expect(session.suspension == nil)
        session.close(code: .shutdown, reason: "")
        whole.embeddedEventLoop.advanceTime(by: .seconds(60))
        lost.embeddedEventLoop.advanceTime(by: .seconds(60))
    }

    @Test(
        "a connector that says more than HELLO before it is answered is closed, as is one that does so while it is looked up",
        arguments: [false, true]
    )
    func haste(isLate: Bool) throws {
        let witness = ReturnWitness()
        var lookUps = 0
        var configuration = SessionConfiguration(role: .edge)
        configuration.capabilities = .resume
        let handler = SessionHandler(
            configuration: configuration,
            purpose: .resumeOrNew { _, _ in lookUps += 1 },
            delegate: witness
        )
        let channel = try self.connect([handler])
        var settings = SessionSettings()
        settings.resume = ResumeRequest(sessionID: Self.id, key: ResumeKey(), received: 0)
        let hello = HelloFrame(role: .connector, capabilities: .resume, settings: settings)
        if isLate {
            try channel.writeInbound(self.messages([.hello(hello)], isClient: true))
            #expect(lookUps == 1)
            try channel.writeInbound(self.messages([.ping(1)], isClient: true))
        } else {
            try channel.writeInbound(self.messages([.hello(hello), .ping(1)], isClient: true))
            #expect(lookUps == 0)
        }
        channel.embeddedEventLoop.run()
        #expect(!channel.isActive)
        #expect(witness.words == ["ended"])
        #expect(try channel.readOutbound(as: ByteBuffer.self) == nil, "nothing was said")
    }
}

/// What a session or an attempt tells its owner.
private final class ReturnWitness: SessionDelegate {
    private(set) var words: [String] = []

    func sessionDidBecomeActive(_ session: SessionHandler, peer: SessionSettings) {}

    func sessionPeerIsDraining(
        _ session: SessionHandler,
        code: ErrorCode,
        gracePeriod: TimeAmount,
        reconnectAfter: TimeAmount
    ) {}

    func sessionDidSuspend(_ session: SessionHandler, reason: String) { self.words.append("suspended") }

    func sessionDidResume(_ session: SessionHandler, _ resumption: Resumption) { self.words.append("resumed") }

    func sessionDidHandOver(_ session: SessionHandler) { self.words.append("handed over") }

    func sessionDidEnd(_ session: SessionHandler, end: SessionEnd) { self.words.append("ended") }
}

/// Ends a connection at the first flush once it is told to, as a socket does that the peer has reset.
private final class BreakingHandler: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    var isArmed = false
    private(set) var hasBroken = false

    func flush(context: ChannelHandlerContext) {
        guard self.isArmed, !self.hasBroken else { return context.flush() }
        self.hasBroken = true
        context.fireChannelInactive()
    }
}
