// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A local server of which the tests decide how it behaves.
struct LocalOrigin: Sendable {
    /// How a connection is served.
    enum Behaviour: Sendable {
        /// Sends back what comes, and finishes when the other side has.
        case echo
        /// Sends so many bytes at once and finishes, whatever comes.
        case send(Int)
        /// Sends the text at once, whatever comes.
        case greet(String)
        /// Sends the text as soon as something comes, and finishes.
        case answer(String)
        /// Sends the text as soon as something comes, then resets the connection.
        ///
        /// A moment later: what a program has not read by then is lost to it, and to the tunnel as well.
        case reset(after: String)
        /// Reads and says nothing; reports how each connection ends.
        case swallow
    }

    /// How a connection ended at the origin.
    enum Ending: Sendable, Equatable {
        case finished
        case reset
        case closed
    }

    let listener: any Channel
    let port: Int
    let endings: AsyncStream<Ending>

    static func start(_ behaviour: Behaviour, host: String = "127.0.0.1", port: Int = 0) async throws -> LocalOrigin {
        let (endings, continuation) = AsyncStream.makeStream(of: Ending.self)
        let listener = try await Self.bootstrap(behaviour, continuation).bind(host: host, port: port).get()
        return LocalOrigin(listener: listener, port: try #require(listener.localAddress?.port), endings: endings)
    }

    static func start(_ behaviour: Behaviour, socket path: String) async throws -> LocalOrigin {
        let (endings, continuation) = AsyncStream.makeStream(of: Ending.self)
        let listener = try await Self.bootstrap(behaviour, continuation)
            .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
        return LocalOrigin(listener: listener, port: 0, endings: endings)
    }

    /// Waits until a connection ends.
    func nextEnding() async -> Ending? {
        for await ending in self.endings { return ending }
        return nil
    }

    func stop() async throws {
        try await self.listener.close()
    }

    private static func bootstrap(
        _ behaviour: Behaviour,
        _ endings: AsyncStream<Ending>.Continuation
    ) -> ServerBootstrap {
        ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        BehaviourHandler(behaviour: behaviour, endings: endings)
                    )
                }
            }
    }
}

private final class BehaviourHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let behaviour: LocalOrigin.Behaviour
    private let endings: AsyncStream<LocalOrigin.Ending>.Continuation
    private var ending = LocalOrigin.Ending.closed

    init(behaviour: LocalOrigin.Behaviour, endings: AsyncStream<LocalOrigin.Ending>.Continuation) {
        self.behaviour = behaviour
        self.endings = endings
    }

    func channelActive(context: ChannelHandlerContext) {
        if case .greet(let text) = self.behaviour {
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        }
        guard case .send(let count) = self.behaviour else { return }
        let bytes = ByteBuffer(repeating: 0x5A, count: count)
        context.writeAndFlush(self.wrapOutboundOut(bytes), promise: nil)
        context.close(mode: .output, promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.behaviour {
        case .echo: context.write(data, promise: nil)
        case .answer(let text):
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
            context.close(mode: .output, promise: nil)
        case .reset(let text):
            if let socket = context.channel as? any SocketOptionProvider {
                _ = socket.setSoLinger(linger(l_onoff: 1, l_linger: 0))
            }
            let channel = context.channel
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: text))).assumeIsolated().whenComplete { _ in
                channel.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(200)) { channel.close(promise: nil) }
            }
        case .send, .greet, .swallow: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else { return }
        self.ending = .finished
        if case .echo = self.behaviour { context.close(mode: .output, promise: nil) }
        if case .greet = self.behaviour { context.close(promise: nil) }
        if case .swallow = self.behaviour { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? IOError, error.errnoCode == ECONNRESET { self.ending = .reset }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.endings.yield(self.ending)
    }
}
