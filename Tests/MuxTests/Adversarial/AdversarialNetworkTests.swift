// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import Testing

@testable import Mux

extension AdversarialPeerTests {
    /// Visitors that take nothing and networks that stop (docs/protocol.md §C.4), over real sockets.
    @Suite("visitors and networks")
    struct NetworkTests {
        // MARK: X13

        @Test(
            "X13: 2 000 downloads that nobody takes slow no exchange down; beyond the slots opens fail, and it goes on"
        )
        func slowDownloads() async throws {
            let pair = try await SessionPair.make { stream in
                let isDownload = (try? stream.opening?.metadata.get().target) == "download"
                let handler: any ChannelInboundHandler = isDownload ? SourceHandler() : EchoHandler()
                try? stream.pipeline.syncOperations.addHandler(handler)
                stream.accept()
                stream.pipeline.fireChannelWritabilityChanged()
            }
            let idle = try await self.exchangeTimes(pair)

            // All slots but one: the visitors' sockets are full, so that nothing is taken from the streams.
            let visitors = SlowVisitors(pair)
            #expect(try await visitors.open(1_023) == 1_023)
            try await visitors.settle()
            let loaded = try await self.exchangeTimes(pair)
            print("X13: 99th percentile \(idle.last99) idle, \(loaded.last99) beside 1 023 downloads")
            // An exchange behind the downloads would wait for credit that never comes.
            #expect(loaded.last99 < idle.last99 * 3 + .milliseconds(20))

            // No slot is left: opens wait, then fail at once, and never because the session suffers.
            #expect(try await visitors.open(977) == 977)
            #expect(try await visitors.open(100) == 48, "1 024 may wait")
            await #expect(throws: OpenError.tooManyWaiting) {
                try await pair.exchange(ByteBuffer(string: "one too many"))
            }
            try await visitors.leave()
            let answer = try await pair.exchange(ByteBuffer(string: "still there"))
            #expect(String(buffer: answer) == "still there")
            try await pair.close()
        }

        /// How long exchanges took, the fastest first.
        private struct ExchangeTimes {
            var sorted: [Duration]
            var last99: Duration { self.sorted[self.sorted.count * 99 / 100 - 1] }
        }

        private func exchangeTimes(_ pair: SessionPair) async throws -> ExchangeTimes {
            var times: [Duration] = []
            let bytes = ByteBuffer(repeating: 0x61, count: 200)
            for _ in 0..<200 {
                let begun = ContinuousClock.now
                let answer = try await pair.exchange(bytes)
                times.append(ContinuousClock.now - begun)
                #expect(answer == bytes)
            }
            return ExchangeTimes(sorted: times.sorted())
        }

        // MARK: X15

        private static let payload = ByteBuffer(repeating: 0x61, count: 8 << 20)

        private static let echo: @Sendable (StreamChannel) -> Void = { stream in
            try? stream.pipeline.syncOperations.addHandler(EchoHandler())
            stream.accept()
        }

        @Test(
            "X15: a path frozen in the middle of a transfer makes the peer SUSPECT before it is given up, and loses no byte"
        )
        func frozenPath() async throws {
            let pair = try await RelayedPair.make(acceptStream: Self.echo)
            let other = try await RelayedPair.make(acceptStream: Self.echo)
            try await pair.relay.become(.frozen, afterBytes: 1 << 20)
            async let transfer = pair.exchange(Self.payload)
            await pair.edgeWitness.wait { $0.isSuspect || $0.end != nil }
            let taken = try await ContinuousClock.now - pair.relay.lastChange()
            print("X15: SUSPECT \(taken) after the path froze")
            #expect(pair.edgeWitness.knowledge.end == nil)
            // Six seconds, which `SessionTimersTests` holds to with a clock of its own; the time-out would come at 30.
            #expect(taken < .seconds(15))
            let answer = try await other.exchange(ByteBuffer(string: "over here"))
            #expect(String(buffer: answer) == "over here", "the other member of the bundle takes over")

            try await pair.relay.become(.passing)
            await pair.edgeWitness.wait { !$0.isSuspect || $0.end != nil }
            #expect(try await transfer == Self.payload)
            #expect(pair.edgeWitness.knowledge.end == nil)
            try await pair.close()
            try await other.close()
        }

        @Test(
            "X15: a path that stays frozen or swallows everything ends both sessions after the idle time-out, here 5 s",
            arguments: [Relay.Mode.frozen, .swallowing]
        )
        func deadPath(_ mode: Relay.Mode) async throws {
            let pair = try await RelayedPair.make(idleTimeout: .seconds(5), acceptStream: Self.echo)
            let other = try await RelayedPair.make(idleTimeout: .seconds(5), acceptStream: Self.echo)
            try await pair.relay.become(mode, afterBytes: 1 << 20)
            let failure = await #expect(throws: StreamError.self) { try await pair.exchange(Self.payload) }
            let taken = try await ContinuousClock.now - pair.relay.lastChange()
            print("X15: \(mode) ended the session after \(taken)")
            #expect(failure?.code == .sessionLost)
            #expect(taken >= .seconds(4))
            #expect(taken < .seconds(15), "no request hangs longer than the session")
            await pair.edgeWitness.wait { $0.end != nil }
            await pair.connectorWitness.wait { $0.end != nil }
            #expect(pair.edgeWitness.knowledge.end?.code == .keepaliveTimeout)
            #expect(pair.connectorWitness.knowledge.end != nil)
            let answer = try await other.exchange(ByteBuffer(string: "over here"))
            #expect(String(buffer: answer) == "over here")
            #expect(other.edgeWitness.knowledge.end == nil)
            try await pair.close()
            try await other.close()
        }
    }
}

/// Sends as much as it may, for ever.
private final class SourceHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let piece = ByteBuffer(repeating: 0x62, count: 16_384)

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        while context.channel.isWritable, context.channel.isActive {
            context.write(self.wrapOutboundOut(Self.piece), promise: nil)
            context.flush()
        }
        context.fireChannelWritabilityChanged()
    }
}

/// Visitors whose downloads nobody takes from the edge's streams.
private struct SlowVisitors {
    private let pair: SessionPair
    private let streams: NIOLoopBoundBox<[StreamChannel]>

    init(_ pair: SessionPair) {
        self.pair = pair
        self.streams = NIOLoopBoundBox.makeBoxSendingValue([], eventLoop: pair.edge.eventLoop)
    }

    /// Opens streams until one fails; how many could be opened.
    func open(_ count: Int) async throws -> Int {
        let (edge, streams) = (self.pair.edge, self.streams)
        return try await edge.eventLoop.submit {
            for opened in 0..<count {
                let stream = try? edge.value.openStream(
                    kind: .http,
                    metadata: OpenMetadata(target: "download"),
                    deadline: .seconds(60)
                ) { try $0.syncOptions?.setOption(.autoRead, value: false) }
                guard let stream else { return opened }
                streams.value.append(stream)
            }
            return count
        }.get()
    }

    /// Waits until every stream has been given all that its window takes.
    func settle() async throws {
        let edge = self.pair.edge
        var (last, unchanged) = (0, 0)
        while unchanged < 5 {
            let buffered = try await edge.eventLoop.submit { edge.value.core.bufferedByteCount }.get()
            unchanged = buffered == last && buffered > 0 ? unchanged + 1 : 0
            last = buffered
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// All visitors go away.
    func leave() async throws {
        let streams = self.streams
        try await self.pair.edge.eventLoop.submit {
            for stream in streams.value { stream.reset(code: .cancelled) }
            streams.value = []
        }.get()
    }
}
