// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix
import Protocol
import Testing

@testable import Mux

/// What a session does for tunnels that share it (docs/protocol.md §B.16).
@Suite("Sessions that tunnels share")
struct SharingTests {
    /// An edge that grants streams and a connector, of which both or one can share.
    private func pair(edge: Capabilities = .sharing, connector: Capabilities = .sharing) -> CorePair {
        CorePair {
            $0.capabilities = edge
            $0.settings.maximumStreams = 8
            $0.settings.initialWindow = 16_384
        } connector: {
            $0.capabilities = connector
        }
    }

    private func openTunnel(_ pair: inout CorePair) throws -> StreamKey {
        var metadata = OpenMetadata(target: "my-app")
        metadata.token = "abc.def.ghi"
        let key = try pair.connector.core.open(kind: .tunnel, metadata: metadata, now: pair.connector.now)
        pair.deliverAll()
        return key
    }

    @Test("what both can holds, and bits that this version does not know mean nothing")
    func capabilities() {
        let unknown = Capabilities(rawValue: 1 << 40)
        #expect(self.pair().edge.core.capabilities == .sharing)
        #expect(self.pair(edge: []).connector.core.capabilities == [])
        #expect(self.pair(connector: []).edge.core.capabilities == [])
        #expect(self.pair(edge: [.sharing, unknown], connector: .sharing).edge.core.capabilities == .sharing)
    }

    @Test("a stream for a tunnel is refused where one side does not share, and the session goes on")
    func refusal() throws {
        var pair = self.pair(connector: [])
        _ = try self.openTunnel(&pair)
        #expect(pair.connector.takeEvents().contains { $0.contains("UNSUPPORTED_KIND") })
        #expect(pair.edge.takeEvents() == [])
        #expect(pair.isAlive)
    }

    @Test("a stream that shows a newer token needs its own capability, whether or not the session is shared")
    func renewal() throws {
        for (edge, connector, isTaken) in [
            (Capabilities.renewal, Capabilities.renewal, true), ([.sharing, .renewal], [.sharing, .renewal], true),
            (.renewal, .sharing, false), (.sharing, [.sharing, .renewal], false), ([], [], false),
        ] as [(Capabilities, Capabilities, Bool)] {
            var pair = self.pair(edge: edge, connector: connector)
            var metadata = OpenMetadata(target: "my-app")
            metadata.token = "abc.def.ghi"
            _ = try pair.connector.core.open(kind: .token, metadata: metadata, now: pair.connector.now)
            pair.deliverAll()
            #expect(pair.edge.takeEvents().isEmpty == !isTaken)
            #expect(pair.connector.takeEvents().contains { $0.contains("UNSUPPORTED_KIND") } == !isTaken)
            #expect(pair.isAlive)
        }
    }

    @Test("a stream for a tunnel brings its token, and takes no memory for a window")
    func opening() throws {
        var pair = self.pair()
        let before = pair.connector.core.committedByteCount
        _ = try self.openTunnel(&pair)
        var opening: OpenFrame?
        for case .opened(_, let frame) in pair.edge.takeRawEvents() { opening = frame }
        let frame = try #require(opening)
        #expect(frame.kind == .tunnel)
        #expect(frame.window == 0)
        #expect(try frame.metadata.get().token == "abc.def.ghi")
        #expect(pair.connector.core.committedByteCount == before)
    }

    @Test("streams for tunnels leave others their send queues")
    func sendQueues() throws {
        var pair = self.pair()
        let before = pair.connector.core.sendQueueLimit
        for _ in 0..<8 { _ = try self.openTunnel(&pair) }
        #expect(pair.connector.core.activeStreamCount == 8)
        #expect(pair.connector.core.sendQueueLimit == before)
    }

    @Test("a drain does not wait for streams that stand for tunnels")
    func drain() throws {
        var pair = self.pair()
        _ = try self.openTunnel(&pair)
        for case .opened(let key, _) in pair.edge.takeRawEvents() { pair.edge.core.accept(key) }
        pair.deliverAll()
        let visitor = pair.open()
        pair.edge.core.startDrain(
            code: .shutdown,
            gracePeriod: .seconds(30),
            reconnectAfter: .milliseconds(1),
            now: pair.edge.now
        )
        pair.run(for: .seconds(3))
        #expect(pair.edge.core.phase == .draining, "a request is under way")
        pair.edge.core.release(visitor.edge)
        pair.deliverAll()
        pair.connector.core.release(visitor.connector)
        pair.run(for: .seconds(1))
        #expect(pair.edge.endCode == .shutdown)
    }

    @Test("windows of a shared session may pin more")
    func budget() {
        let shared = self.pair().edge.core.budget.total
        let own = self.pair(connector: []).edge.core.budget.total
        #expect(own == 64 << 20)
        #expect(shared == 224 << 20)
    }

    @Test("all 4 096 streams of a shared session find room for their windows, beside what is set aside for tunnels")
    func streams() {
        var pair = CorePair {
            $0.capabilities = .sharing
            $0.settings.maximumStreams = 2_048
            $0.settings.initialWindow = 16_384
            $0.budget += 2_048 * 16_384
            $0.maximumWaitingOpens = 4_096
        } connector: {
            $0.capabilities = .sharing
            $0.settings.maximumStreams = 4_096
            $0.settings.initialWindow = 32_768
        }
        for _ in 0..<4_096 { _ = pair.edge.open() }
        // More than the two thousand that a second allows.
        pair.run(for: .seconds(2))
        #expect(pair.edge.core.waitingOpens.isEmpty)
        #expect(pair.connector.core.activeStreamCount == 4_096)
        #expect(pair.edge.core.committedByteCount <= 224 << 20)
        #expect(pair.isAlive)
    }

    @Test("the streams of a group are counted and end together, as if the session had ended; others go on")
    func group() async throws {
        let pair = try await SessionPair.make { stream in
            try? stream.pipeline.syncOperations.addHandler(EchoHandler())
            stream.accept()
        }
        let loop = pair.edge.eventLoop
        let ends = try await loop.submit {
            let (one, other) = (StreamGroup(), StreamGroup())
            var told = 0
            one.whenEmpty = { told += 1 }
            var ends: [EventLoopFuture<ByteBuffer>] = []
            for group in [one, one, other] {
                let promise = loop.makePromise(of: ByteBuffer.self)
                let stream = try pair.edge.value.openStream(
                    kind: .http,
                    metadata: OpenMetadata(target: "web"),
                    group: group
                ) {
                    try $0.pipeline.syncOperations.addHandler(CollectHandler(promise: promise))
                }
                stream.writeAndFlush(ByteBuffer(string: "hello"), promise: nil)
                stream.close(mode: .output, promise: nil)
                ends.append(promise.futureResult)
            }
            #expect(one.count == 2)
            pair.edge.value.reset(one, code: .sessionClosing, reason: "revoked")
            #expect(one.count == 0)
            #expect(told == 1)
            #expect(other.count == 1)
            return ends
        }.get()
        for end in ends[..<2] {
            let error = await #expect(throws: StreamError.self) { try await end.get() }
            #expect(error?.code == .sessionLost)
            #expect(error?.origin == .sessionLost)
            #expect(error?.isRetrySafe == false)
        }
        #expect(try await String(buffer: ends[2].get()) == "hello")
        try await pair.close()
    }

    @Test("of a group that ends, a stream that is relayed is reset with the code, and one that nobody took is refused")
    func relayedGroup() async throws {
        let pair = try await SessionPair.make { stream in
            let group = StreamGroup()
            stream.join(group)
            if case .success(let metadata)? = stream.opening?.metadata, metadata.target == "relayed" { stream.relay() }
            stream.session.reset(group, code: .sessionClosing, reason: "gone")
        }
        let loop = pair.edge.eventLoop
        for (target, code, isRetrySafe) in [("relayed", ErrorCode.sessionClosing, false), ("web", .draining, true)] {
            let promise = loop.makePromise(of: ByteBuffer.self)
            try await loop.submit {
                _ = try pair.edge.value.openStream(kind: .http, metadata: OpenMetadata(target: target)) {
                    try $0.pipeline.syncOperations.addHandler(CollectHandler(promise: promise))
                }
            }.get()
            let error = await #expect(throws: StreamError.self) { try await promise.futureResult.get() }
            #expect(error?.code == code && error?.isRetrySafe == isRetrySafe)
        }
        try await pair.close()
    }
}
