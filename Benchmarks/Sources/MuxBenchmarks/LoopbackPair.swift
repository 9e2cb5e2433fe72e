// SPDX-License-Identifier: Apache-2.0
import Mux
import NIOCore
import NIOPosix
import Protocol

/// An edge and a connector of one process, joined by a socket; both speak WebSocket frames, without the handshake.
struct LoopbackPair: Sendable {
    let edge: NIOLoopBound<SessionHandler>
    let edgeLoop: any EventLoop
    private let connector: any Channel
    private let listener: any Channel

    /// What a benchmark of opening streams must not run into.
    private static let opensPerSecond = 1e7

    /// Connects a pair, each side on its own event loop.
    ///
    /// - Parameters:
    ///   - maximumStreams: How many streams the connector accepts.
    ///   - acceptStream: What the connector does with a stream.
    static func make(
        maximumStreams: UInt32 = 1_024,
        acceptStream: @escaping @Sendable (StreamChannel) -> Void
    ) async throws -> LoopbackPair {
        let group = MultiThreadedEventLoopGroup.singleton
        let (edgeLoop, connectorLoop) = (group.next(), group.next())
        let listener = try await Self.listen(on: edgeLoop, port: 0, maximumStreams: maximumStreams)
        guard let address = listener.channel.localAddress else { throw ChannelError.unknownLocalAddress }
        let connector = try await Self.connect(
            to: address,
            on: connectorLoop,
            maximumStreams: maximumStreams,
            acceptStream: acceptStream
        )
        let edge = try await listener.session.get()
        return LoopbackPair(edge: edge, edgeLoop: edgeLoop, connector: connector, listener: listener.channel)
    }

    /// Listens for one connector.
    static func listen(
        on loop: any EventLoop,
        host: String = "127.0.0.1",
        port: Int,
        maximumStreams: UInt32 = 1_024,
        fixedWindow: Int? = nil
    ) async throws -> (channel: any Channel, session: EventLoopFuture<NIOLoopBound<SessionHandler>>) {
        let promise = loop.makePromise(of: NIOLoopBound<SessionHandler>.self)
        let channel = try await ServerBootstrap(group: loop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.maxMessagesPerRead, value: 16)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let observer = Observer(promise: promise)
                    channel.closeFuture.whenComplete { _ in withExtendedLifetime(observer) {} }
                    var configuration = SessionConfiguration(role: .edge)
                    configuration.fixedWindow = fixedWindow
                    configuration.opensPerSecond = Self.opensPerSecond
                    // Each stream begins with 16 KiB at least, and is not opened where those are not left.
                    configuration.budget = max(configuration.budget, Int(maximumStreams) * 65_536)
                    try channel.pipeline.syncOperations.addHandler(
                        SessionHandler(configuration: configuration, delegate: observer)
                    )
                }
            }
            .bind(host: host, port: port).get()
        return (channel, promise.futureResult)
    }

    /// Connects as a connector.
    static func connect(
        to address: SocketAddress,
        on loop: any EventLoop,
        maximumStreams: UInt32 = 1_024,
        acceptStream: @escaping @Sendable (StreamChannel) -> Void
    ) async throws -> any Channel {
        try await ClientBootstrap(group: loop)
            .channelOption(.maxMessagesPerRead, value: 16)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    var configuration = SessionConfiguration(role: .connector)
                    configuration.opensPerSecond = Self.opensPerSecond
                    configuration.settings.maximumStreams = maximumStreams
                    configuration.settings.initialWindow = maximumStreams > 1_024 ? 16_384 : 65_536
                    configuration.budget = max(128 << 20, Int(maximumStreams) * 65_536 * 2)
                    try channel.pipeline.syncOperations.addHandler(
                        SessionHandler(configuration: configuration, acceptStream: acceptStream)
                    )
                }
            }
            .connect(to: address).get()
    }

    func close() async throws {
        try await self.connector.close()
        try await self.listener.close()
    }

    private final class Observer: SessionDelegate, Sendable {
        let promise: EventLoopPromise<NIOLoopBound<SessionHandler>>

        init(promise: EventLoopPromise<NIOLoopBound<SessionHandler>>) {
            self.promise = promise
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
}
