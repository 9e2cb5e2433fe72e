// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix
import Protocol
import Synchronization
import Testing

@testable import Mux

/// Sessions over sockets that break, at any byte, while bytes move both ways.
@Suite("Connections that break under a session")
struct ReturningTests {
    @Test("what is echoed through connections that break every few hundred kilobytes comes whole and in order")
    func echo() async throws {
        let pair = ReturningPair { stream in
            try? stream.pipeline.syncOperations.addHandler(EchoHandler())
            stream.accept()
        }
        let (edge, listener) = try await pair.start()
        let bytes = ByteBuffer(bytes: (0..<2 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 9) })
        let seen = Seen()
        try await withThrowingTaskGroup(of: ByteBuffer.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let promise = edge.eventLoop.makePromise(of: ByteBuffer.self)
                    edge.eventLoop.execute {
                        do {
                            let stream = try edge.value.openStream(kind: .tcp, metadata: OpenMetadata(target: "web")) {
                                try $0.pipeline.syncOperations.addHandler(
                                    CuttingHandler {
                                        if seen.add($0) { pair.cut() }
                                    }
                                )
                                try $0.pipeline.syncOperations.addHandler(CollectHandler(promise: promise))
                            }
                            stream.write(bytes, promise: nil)
                            stream.close(mode: .output, promise: nil)
                        } catch {
                            promise.fail(error)
                        }
                    }
                    return try await promise.futureResult.get()
                }
            }
            for try await answer in group { #expect(answer == bytes) }
        }
        try await pair.settle()
        let figures = pair.figures
        print("returning: \(figures.resumptions) resumptions, \(figures.repeated) messages again")
        #expect(figures.cuts == 16)
        #expect(figures.resumptions == 16)
        #expect(figures.repeated > 0)
        #expect(figures.ends.allSatisfy { $0.code == .sessionLost && $0.isByPeer }, "only attempts that were cut")
        try await pair.stop(listener)
    }
}

/// Counts bytes of all streams.
private final class Seen: Sendable {
    private let count = Atomic(0)

    /// Whether half a mebibyte more has come.
    func add(_ bytes: Int) -> Bool {
        let before = self.count.add(bytes, ordering: .relaxed).oldValue
        return before >> 19 != (before + bytes) >> 19
    }
}

/// Tells how many bytes come.
private final class CuttingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let body: (Int) -> Void

    init(_ body: @escaping (Int) -> Void) {
        self.body = body
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.body(self.unwrapInboundIn(data).readableBytes)
        context.fireChannelRead(data)
    }
}
