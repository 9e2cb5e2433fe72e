// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// A local server that records the bytes of each connection, and answers once the end of a request has come.
final class RecordingOrigin: Sendable {
    private final class Handler: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let origin: RecordingOrigin
        private let bytes = NIOLockedValueBox("")

        init(_ origin: RecordingOrigin) {
            self.origin = origin
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let text = String(buffer: self.unwrapInboundIn(data))
            let whole = self.bytes.withLockedValue { bytes in
                bytes += text
                return bytes
            }
            guard whole.hasSuffix(self.origin.ending) else { return }
            self.origin.received.withLockedValue { $0.append(whole) }
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: self.origin.answer)), promise: nil)
        }
    }

    private let answer: String
    private let ending: String
    private let received = NIOLockedValueBox<[String]>([])
    private let channel = NIOLockedValueBox<(any Channel)?>(nil)

    /// - Parameters:
    ///   - answer: What is answered.
    ///   - ending: What each request ends with.
    init(answer: String, ending: String) {
        self.answer = answer
        self.ending = ending
    }

    /// What each connection sent.
    var requests: [String] { self.received.withLockedValue { $0 } }

    /// Begins to listen.
    ///
    /// - Returns: The port.
    func start() async throws -> Int {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Handler(self)) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.channel.withLockedValue { $0 = channel }
        return channel.localAddress?.port ?? 0
    }

    /// Listens no more; the second call has no effect.
    func stop() async throws {
        try await self.channel.withLockedValue { $0.take() }?.close()
    }
}
