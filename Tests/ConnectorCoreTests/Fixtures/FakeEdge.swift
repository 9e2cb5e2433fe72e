// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Mux
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Protocol
import Testing

@testable import ConnectorCore

/// The edge's end of the protocol without an edge: answers upgrades as it is told, and opens streams.
struct FakeEdge: Sendable {
    /// What becomes of an upgrade.
    enum Answer: Sendable {
        /// A 101 and a session.
        case accept
        /// These bytes instead, then the end.
        case bytes(String)
        /// No answer at all.
        case silence
    }

    /// The events that tests wait for, in order.
    enum Event: Sendable {
        /// A request to upgrade arrived; its head.
        case request(String)
        /// A session is active.
        case active(EdgeSession, SessionSettings)
        /// The connector asked to let a tunnel into a session that is shared, and was answered.
        case tunnel(SharedTunnel)
        /// The connector showed a newer token of a tunnel over its session.
        case token(String?)
        /// The connector announced that it leaves.
        case draining
        /// A session is over.
        case ended(ErrorCode)
    }

    /// A stream that stands for a tunnel.
    struct SharedTunnel: Sendable {
        var id: String
        var token: String?
        var stream: NIOLoopBound<StreamChannel>
    }

    /// How sessions are shared, if they are.
    struct Sharing: Sendable {
        /// The tunnels that are not let in, with what they are refused with.
        var refusals: [String: ErrorCode] = [:]
        /// Whether several tunnels share a session.
        var isShared = true
        /// Whether the edge can be shown newer tokens.
        var canRenew = false
    }

    let address: EdgeAddress
    let events: AsyncStream<Event>
    private let sharing: NIOLockedValueBox<Sharing?>
    private let listener: any Channel
    private let answer: NIOLockedValueBox<Answer>
    private let continuation: AsyncStream<Event>.Continuation

    /// Listens on a free port of the loopback interface.
    static func start(_ answer: Answer = .accept, sharing: Sharing? = nil, port: Int = 0) async throws -> FakeEdge {
        let sharing = NIOLockedValueBox(sharing)
        let (events, continuation) = AsyncStream.makeStream(of: Event.self)
        let answer = NIOLockedValueBox(answer)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        UpgradeHandler(answer: answer.withLockedValue { $0 }, sharing: sharing, events: continuation)
                    )
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        let port = try #require(listener.localAddress?.port)
        return FakeEdge(
            address: try EdgeAddress(parsing: "http://127.0.0.1:\(port)"),
            events: events,
            sharing: sharing,
            listener: listener,
            answer: answer,
            continuation: continuation
        )
    }

    /// Changes what becomes of the next upgrades.
    func answer(with answer: Answer) {
        self.answer.withLockedValue { $0 = answer }
    }

    /// Changes how sessions are shared.
    func share(_ sharing: Sharing?) {
        self.sharing.withLockedValue { $0 = sharing }
    }

    /// Waits for the next tunnel that was let into a shared session.
    func nextTunnel() async throws -> SharedTunnel {
        for await case .tunnel(let tunnel) in self.events { return tunnel }
        throw ChannelError.eof
    }

    /// Waits for the next active session.
    func nextSession() async throws -> EdgeSession {
        for await case .active(let session, _) in self.events { return session }
        throw ChannelError.eof
    }

    /// Accepts no more connections, and ends the events; the sessions go on.
    func stop() async throws {
        try await self.listener.close()
        self.continuation.finish()
    }
}

/// A session as the fake edge holds it.
struct EdgeSession: Sendable {
    let handler: NIOLoopBound<SessionHandler>

    /// What came of a stream.
    struct Exchange: Sendable {
        var bytes: ByteBuffer
        /// Nothing if the connector finished the stream in good order.
        var error: StreamError?
        /// What the connector asked for with STOP_SENDING.
        var stopCode: ErrorCode?
    }

    /// Opens a stream and waits for its end.
    ///
    /// - Parameters:
    ///   - bytes: What to send.
    ///   - kind: What the bytes are.
    ///   - target: The name in OPEN.
    ///   - finishes: Whether FIN follows the bytes.
    ///   - then: Runs on the event loop once the connector accepts the stream.
    func exchange(
        _ bytes: ByteBuffer,
        kind: StreamKind = .http,
        target: String = TargetName.primary,
        finishes: Bool = true,
        then: @escaping @Sendable (StreamChannel) -> Void = { _ in }
    ) async throws -> Exchange {
        let handler = self.handler
        let promise = handler.eventLoop.makePromise(of: Exchange.self)
        handler.eventLoop.execute {
            do {
                let stream = try handler.value.openStream(kind: kind, metadata: OpenMetadata(target: target)) {
                    try $0.pipeline.syncOperations.addHandler(ExchangeHandler(stream: $0, promise: promise, then: then))
                }
                stream.writeAndFlush(bytes, promise: nil)
                if finishes { stream.close(mode: .output, promise: nil) }
            } catch {
                promise.fail(error)
            }
        }
        return try await promise.futureResult.get()
    }

    /// Runs something on the session's event loop.
    func perform(_ action: @escaping @Sendable (SessionHandler) -> Void) {
        let handler = self.handler
        handler.eventLoop.execute { action(handler.value) }
    }
}

private final class ExchangeHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let stream: StreamChannel
    private var promise: EventLoopPromise<EdgeSession.Exchange>?
    private let then: (StreamChannel) -> Void
    private var exchange = EdgeSession.Exchange(bytes: ByteBuffer())

    init(
        stream: StreamChannel,
        promise: EventLoopPromise<EdgeSession.Exchange>,
        then: @escaping (StreamChannel) -> Void
    ) {
        self.stream = stream
        self.promise = promise
        self.then = then
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.exchange.bytes.writeImmutableBuffer(self.unwrapInboundIn(data))
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case StreamEvent.accepted: self.then(self.stream)
        case StreamEvent.peerStoppedReading(let code): self.exchange.stopCode = code
        case ChannelEvent.inputClosed: self.finish()
        default: break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.exchange.error = error as? StreamError
        self.finish()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.finish()
    }

    private func finish() {
        self.promise?.succeed(self.exchange)
        self.promise = nil
    }
}

/// Reads the request to upgrade, answers it, and makes way for the session.
private final class UpgradeHandler: ChannelInboundHandler, RemovableChannelHandler, SessionDelegate {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let answer: FakeEdge.Answer
    private let sharing: NIOLockedValueBox<FakeEdge.Sharing?>
    private let events: AsyncStream<FakeEdge.Event>.Continuation
    private var received = ""
    private var isUpgraded = false

    init(
        answer: FakeEdge.Answer,
        sharing: NIOLockedValueBox<FakeEdge.Sharing?>,
        events: AsyncStream<FakeEdge.Event>.Continuation
    ) {
        self.answer = answer
        self.sharing = sharing
        self.events = events
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.isUpgraded else { return context.fireChannelRead(data) }
        self.received += String(buffer: self.unwrapInboundIn(data))
        guard self.received.contains("\r\n\r\n") else { return }
        self.events.yield(.request(self.received))
        switch self.answer {
        case .accept: self.upgrade(context)
        case .bytes(let text):
            let channel = context.channel
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: text))).assumeIsolated().whenComplete { _ in
                channel.close(promise: nil)
            }
        case .silence: break
        }
    }

    private func upgrade(_ context: ChannelHandlerContext) {
        let fields = self.received.split(separator: "\r\n").dropFirst().map { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (name: String(parts[0]), value: String(parts[1].drop { $0 == " " }))
        }
        guard case .success(let answer) = WebSocketHandshake.accept(fields: fields) else {
            return context.close(promise: nil)
        }
        var head = "HTTP/1.1 101 Switching Protocols\r\n"
        for field in answer { head += "\(field.name): \(field.value)\r\n" }
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: head + "\r\n")), promise: nil)
        self.isUpgraded = true
        do {
            var configuration = SessionConfiguration(role: .edge)
            if let sharing = self.sharing.withLockedValue({ $0 }) {
                if sharing.isShared { configuration.capabilities.insert(.sharing) }
                if sharing.canRenew { configuration.capabilities.insert(.renewal) }
                configuration.settings.maximumStreams = 100
                configuration.settings.initialWindow = 16_384
            }
            try context.pipeline.syncOperations.addHandler(
                SessionHandler(configuration: configuration, delegate: self) { self.letIn($0) }
            )
        } catch {
            context.close(promise: nil)
        }
    }

    private func letIn(_ stream: StreamChannel) {
        if stream.opening?.kind == .token {
            try? stream.pipeline.syncOperations.addHandler(AnswerFinish())
            stream.accept()
            self.events.yield(.token(try? stream.opening?.metadata.get().token))
            return stream.close(mode: .output, promise: nil)
        }
        guard stream.opening?.kind == .tunnel, let metadata = try? stream.opening?.metadata.get() else {
            return stream.reject(code: .unsupportedKind)
        }
        if let refusal = self.sharing.withLockedValue({ $0?.refusals[metadata.target] }) {
            stream.reject(code: refusal)
        } else {
            try? stream.pipeline.syncOperations.addHandler(AnswerFinish())
            stream.accept()
        }
        let bound = NIOLoopBound(stream, eventLoop: stream.eventLoop)
        self.events.yield(.tunnel(.init(id: metadata.target, token: metadata.token, stream: bound)))
    }

    func sessionDidBecomeActive(_ session: SessionHandler, peer: SessionSettings) {
        guard let eventLoop = session.channel?.eventLoop else { return }
        self.events.yield(.active(EdgeSession(handler: NIOLoopBound(session, eventLoop: eventLoop)), peer))
    }

    func sessionPeerIsDraining(
        _ session: SessionHandler,
        code: ErrorCode,
        gracePeriod: TimeAmount,
        reconnectAfter: TimeAmount
    ) {
        self.events.yield(.draining)
    }

    func sessionDidEnd(_ session: SessionHandler, end: SessionEnd) {
        self.events.yield(.ended(end.code))
    }
}

/// Finishes when the connector has.
private final class AnswerFinish: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(mode: .output, promise: nil) }
    }
}
