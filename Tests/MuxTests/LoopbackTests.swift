// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix
import Protocol
import Testing

@testable import Mux

@Suite("Two sessions over a real socket")
struct LoopbackTests {
    @Test("a stream carries bytes both ways and closes when both sides have finished")
    func echo() async throws {
        let pair = try await SessionPair.make { stream in
            try? stream.pipeline.syncOperations.addHandler(EchoHandler())
            stream.accept()
        }
        let answer = try await pair.exchange(ByteBuffer(string: "hello"))
        #expect(String(buffer: answer) == "hello")
        try await pair.close()
    }

    @Test("eight megabytes pass through windows of 64 KiB and come back intact")
    func bulk() async throws {
        let pair = try await SessionPair.make { stream in
            try? stream.pipeline.syncOperations.addHandler(EchoHandler())
            stream.accept()
        }
        var bytes = ByteBuffer()
        for index in 0..<(1 << 20) { bytes.writeInteger(UInt64(index) &* 0x9E37_79B9_7F4A_7C15) }
        let answer = try await pair.exchange(bytes)
        #expect(answer == bytes)
        try await pair.close()
    }

    @Test("a refused stream fails with the code and is safe to retry")
    func refusal() async throws {
        let pair = try await SessionPair.make { $0.reject(code: .connectRefused, reason: "nobody home") }
        await #expect(
            throws: StreamError(
                code: .connectRefused,
                reason: "nobody home",
                origin: .rejected,
                isRetrySafe: true
            )
        ) {
            try await pair.exchange(ByteBuffer(string: "hello"))
        }
        try await pair.close()
    }

    @Test(
        "streams that this side has opened are told when the peer is given up, and go on; those of the peer are not told",
        .timeLimit(.minutes(1))
    )
    func givenUp() async throws {
        let (own, peers) = (EventLog(), EventLog())
        let pair = try await RelayedPair.make { stream in
            try? stream.pipeline.syncOperations.addHandler(peers.makeHandler())
            stream.accept()
        }
        let edge = pair.edge
        try await edge.eventLoop.submit {
            _ = try edge.value.openStream(kind: .tcp, metadata: OpenMetadata(target: "web")) {
                try $0.pipeline.syncOperations.addHandler(own.makeHandler())
            }
        }.get()
        await own.wait(for: .accepted)
        try await edge.eventLoop.submit {
            edge.value.giveUpPeer()
            #expect(edge.value.phase == .active && edge.value.activeStreamCount == 1)
        }.get()
        // Where the machine stalls for seconds they are told of a silence as well.
        #expect(own.events.filter { $0 != .peerIsSilent } == [.accepted, .peerIsGivenUp] && peers.events.isEmpty)
        try await pair.close()
    }

    @Test("a write that can't go out any more fails when the session ends, also where there is something left to read")
    func promisesAtTheEnd() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        // The connector sends "hello" and FIN, and reads nothing: what the edge writes stays here.
        let pair = try await RelayedPair.make { stream in
            try? stream.syncOptions?.setOption(.autoRead, value: false)
            stream.accept()
            stream.writeAndFlush(ByteBuffer(string: "hello"), promise: nil)
            stream.close(mode: .output, promise: nil)
        }
        let edge = pair.edge
        let (early, late) = (loop.makePromise(of: Void.self), loop.makePromise(of: Void.self))
        let opened = try await edge.eventLoop.submit {
            let stream = try edge.value.openStream(kind: .tcp, metadata: OpenMetadata(target: "web")) {
                try $0.syncOptions?.setOption(.autoRead, value: false)
            }
            stream.writeAndFlush(ByteBuffer(repeating: 1, count: 4 << 20), promise: early)
            return NIOLoopBound(stream, eventLoop: edge.eventLoop)
        }.get()
        while try await edge.eventLoop.submit({ edge.value.bufferedByteCount }).get() < 5 { await Task.yield() }
        try await pair.close()
        await pair.edgeWitness.wait { $0.end != nil }
        await #expect(throws: ChannelError.ioOnClosedChannel) { try await early.futureResult.get() }
        try await edge.eventLoop.submit {
            #expect(opened.value.isActive, "what came has not been read")
            #expect(edge.value.promising.isEmpty)
            opened.value.writeAndFlush(ByteBuffer(string: "more"), promise: late)
        }.get()
        await #expect(throws: ChannelError.ioOnClosedChannel) { try await late.futureResult.get() }
        let closed = try await edge.eventLoop.submit {
            opened.value.read()
            return opened.value.closeFuture
        }.get()
        try await closed.get()
    }

    @Test("after an orderly drain both ends say SHUTDOWN, and neither that the session was lost")
    func drain() async throws {
        let pair = try await RelayedPair.make { stream in
            try? stream.pipeline.syncOperations.addHandler(EchoHandler())
            stream.accept()
        }
        #expect(String(buffer: try await pair.exchange(ByteBuffer(string: "hello"))) == "hello")
        let edge = pair.edge
        try await edge.eventLoop.submit {
            edge.value.drain(gracePeriod: .seconds(5), reconnectAfter: .zero)
        }.get()
        await pair.edgeWitness.wait { $0.end != nil }
        await pair.connectorWitness.wait { $0.end != nil }
        #expect(pair.edgeWitness.knowledge.end?.code == .shutdown)
        #expect(pair.edgeWitness.knowledge.end?.isByPeer == false)
        #expect(pair.connectorWitness.knowledge.end?.code == .shutdown)
        #expect(pair.connectorWitness.knowledge.end?.isByPeer == true)
        try await pair.close()
    }
}
