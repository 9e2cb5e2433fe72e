// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Protocol
import Testing

/// A connector's end of a session that tunnels share, which does what a test says.
struct SharingConnector: Sendable {
    /// A stream that stands for a tunnel, or one of a visitor.
    struct Stream: Sendable {
        let channel: NIOLoopBound<StreamChannel>
        let log: NIOLockedValueBox<[String]>

        /// What has happened to it, oldest first.
        var events: [String] { self.log.withLockedValue { $0 } }

        func perform(_ action: @escaping @Sendable (StreamChannel) -> Void) async throws {
            try await self.channel.eventLoop.submit { action(self.channel.value) }.get()
        }
    }

    let channel: any Channel
    let handler: NIOLoopBound<SessionHandler>
    /// The streams that the edge opened, with their targets.
    let visitors: NIOLockedValueBox<[(target: String, stream: Stream)]>

    /// - Parameter bundle: The identity of the connector.
    static func connect(
        to server: any Channel,
        bundle: UInt8,
        capabilities: Capabilities = [.sharing, .renewal]
    ) async throws -> SharingConnector {
        let visitors = NIOLockedValueBox<[(target: String, stream: Stream)]>([])
        var configuration = SessionConfiguration(role: .connector)
        configuration.capabilities = capabilities
        configuration.settings.maximumStreams = 4_096
        configuration.settings.bundle = .init(id: Array(repeating: bundle, count: 16), index: 0, count: 1)
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelInitializer { [configuration] channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = SessionHandler(configuration: configuration) { stream in
                        guard let metadata = try? stream.opening?.metadata.get() else { return }
                        let log = NIOLockedValueBox<[String]>([])
                        try? stream.pipeline.syncOperations.addHandler(Recorder(log: log))
                        visitors.withLockedValue {
                            $0.append(
                                (
                                    metadata.target,
                                    Stream(channel: .init(stream, eventLoop: channel.eventLoop), log: log)
                                )
                            )
                        }
                        stream.accept()
                    }
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .connect(to: try #require(server.localAddress))
            .get()
        let handler = try await channel.eventLoop.submit {
            NIOLoopBound(
                try channel.pipeline.syncOperations.handler(type: SessionHandler.self),
                eventLoop: channel.eventLoop
            )
        }.get()
        return SharingConnector(channel: channel, handler: handler, visitors: visitors)
    }

    /// Asks the edge to let a tunnel in, once the session is active.
    func open(_ tunnelID: String, token: String?, kind: StreamKind = .tunnel) async throws -> Stream {
        while try await self.phase() == .helloWait { try await Task.sleep(for: .milliseconds(1)) }
        let log = NIOLockedValueBox<[String]>([])
        let handler = self.handler
        let channel = try await handler.eventLoop.submit {
            var metadata = OpenMetadata(target: tunnelID)
            metadata.token = token
            let stream = try handler.value.openStream(kind: kind, metadata: metadata) {
                try $0.pipeline.syncOperations.addHandler(Recorder(log: log))
            }
            return NIOLoopBound(stream, eventLoop: handler.eventLoop)
        }.get()
        return Stream(channel: channel, log: log)
    }

    func phase() async throws -> SessionPhase {
        try await self.handler.eventLoop.submit { [handler] in handler.value.phase }.get()
    }
}

/// Writes down what a stream tells.
private final class Recorder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let log: NIOLockedValueBox<[String]>

    init(log: NIOLockedValueBox<[String]>) {
        self.log = log
    }

    private func note(_ text: String) {
        self.log.withLockedValue { $0.append(text) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .accepted = event as? StreamEvent { self.note("accepted") }
        if let event = event as? ChannelEvent, event == .inputClosed { self.note("finished") }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? StreamError { self.note("\(error.code)") }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.note("closed")
    }
}
