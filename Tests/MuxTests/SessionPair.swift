// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix
import Protocol
import Testing

@testable import Mux

/// An edge and a connector joined by a socket on the loopback interface, without an opening handshake.
struct SessionPair: Sendable {
    let edge: NIOLoopBound<SessionHandler>
    let connector: any Channel
    let listener: any Channel

    static func make(
        acceptStream: @escaping @Sendable (StreamChannel) -> Void
    ) async throws -> SessionPair {
        let group = MultiThreadedEventLoopGroup.singleton
        let loop = group.next()
        let accepted = loop.makePromise(of: NIOLoopBound<SessionHandler>.self)
        let listener = try await ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let waiter = ActivationWaiter(promise: accepted)
                    let session = SessionHandler(configuration: SessionConfiguration(role: .edge), delegate: waiter)
                    waiter.keepAlive(until: channel.closeFuture)
                    try channel.pipeline.syncOperations.addHandler(session)
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let address = try #require(listener.localAddress)
        let connector = try await ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        SessionHandler(
                            configuration: SessionConfiguration(role: .connector),
                            acceptStream: acceptStream
                        )
                    )
                }
            }
            .connect(to: address).get()
        let edge = try await accepted.futureResult.get()
        return SessionPair(edge: edge, connector: connector, listener: listener)
    }

    /// Opens a stream, sends all bytes and FIN, and gives what comes back until its end.
    func exchange(_ bytes: ByteBuffer) async throws -> ByteBuffer {
        let loop = self.edge.eventLoop
        let promise = loop.makePromise(of: ByteBuffer.self)
        let edge = self.edge
        loop.execute {
            do {
                let stream = try edge.value.openStream(kind: .http, metadata: OpenMetadata(target: "web")) {
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

    func close() async throws {
        try await self.connector.close()
        try await self.listener.close()
    }
}

/// Completes a promise when the session becomes active.
final class ActivationWaiter: SessionDelegate, Sendable {
    private let promise: EventLoopPromise<NIOLoopBound<SessionHandler>>

    init(promise: EventLoopPromise<NIOLoopBound<SessionHandler>>) {
        self.promise = promise
    }

    func keepAlive(until future: EventLoopFuture<Void>) {
        future.whenComplete { _ in withExtendedLifetime(self) {} }
    }

    func sessionDidBecomeActive(_ session: SessionHandler, peer: SessionSettings) {
        guard let loop = session.channel?.eventLoop else { return }
        self.promise.succeed(NIOLoopBound(session, eventLoop: loop))
    }

    func sessionPeerIsDraining(
        _ session: SessionHandler,
        code: ErrorCode,
        gracePeriod: TimeAmount,
        reconnectAfter: TimeAmount
    ) {}

    func sessionDidEnd(_ session: SessionHandler, end: SessionEnd) {
        self.promise.fail(end)
    }
}

/// Sends back what comes, and finishes when the other side has.
final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.write(data, promise: nil)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(mode: .output, promise: nil) }
    }
}

/// Gathers what comes until the end.
final class CollectHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var promise: EventLoopPromise<ByteBuffer>?
    private var bytes = ByteBuffer()

    init(promise: EventLoopPromise<ByteBuffer>) {
        self.promise = promise
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.bytes.writeImmutableBuffer(self.unwrapInboundIn(data))
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            self.promise.take()?.succeed(self.bytes)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.promise.take()?.fail(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.promise.take()?.fail(ChannelError.eof)
    }
}
