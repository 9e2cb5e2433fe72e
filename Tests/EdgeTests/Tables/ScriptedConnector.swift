// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Program
import Protocol

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels
@testable import Mux

/// A connector in this process that comes in by the front door, and an origin behind it that does what a test says.
struct ScriptedConnector: Sendable {
    /// What becomes of a stream that the edge opens.
    enum Origin: Sendable {
        /// Each request head is answered with this text.
        case answers(String)
        /// The stream is accepted, and nothing comes back.
        case silent
        /// The stream is rejected.
        case rejects(ErrorCode)
        /// The stream is accepted, and its connection to the origin ends with the first byte of a request.
        case hangsUp
        /// The stream is accepted, and nothing is read from it.
        case deaf
        /// The stream is accepted, this is said at once, and the end is answered with the end.
        case says(String)

        /// A small answer that leaves the connection open.
        static let ok = Origin.answers("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    }

    private let channel: any Channel
    let handler: NIOLoopBound<SessionHandler>
    /// What OPEN said, for each stream that the edge opened.
    let opened: NIOLockedValueBox<[OpenFrame]>
    /// The streams whose requests wait for ``answer(_:)``.
    private let waiting: NIOLockedValueBox<[NIOLoopBound<StreamChannel>]>

    /// Connects and waits until the session stands.
    ///
    /// - Parameters:
    ///   - bundle: The identity of the connector.
    ///   - earlier: Whose session is gone on with.
    ///   - request: What HELLO says of an earlier session, true or not; this side begins a new one whatever the answer is.
    ///   - asks: Whether the upgrade says that HELLO will.
    /// - Throws: `WebSocketClientHandshake.Refusal` when the edge refuses it.
    static func connect(
        to edge: EdgeUnderTest,
        token: String,
        tunnelID: String,
        origin: Origin = .ok,
        bundle: UInt8 = 1,
        isResumable: Bool = false,
        resuming earlier: ScriptedConnector? = nil,
        claiming request: ResumeRequest? = nil,
        asks: Bool = true
    ) async throws -> ScriptedConnector {
        let opened = NIOLockedValueBox<[OpenFrame]>([])
        let waiting = NIOLockedValueBox<[NIOLoopBound<StreamChannel>]>([])
        let made = NIOLockedValueBox<NIOLoopBound<SessionHandler>?>(nil)
        let loop = earlier?.handler.eventLoop ?? MultiThreadedEventLoopGroup.singleton.next()
        let upgraded = loop.makePromise(of: Void.self)
        let address = edge.addresses.listen
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: loop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        var configuration = SessionConfiguration(role: .connector)
                        configuration.settings.bundle = .init(
                            id: Array(repeating: bundle, count: 16),
                            index: 0,
                            count: 1
                        )
                        if isResumable { configuration.capabilities.insert(.resume) }
                        configuration.settings.resume = request
                        let session = SessionHandler(
                            configuration: configuration,
                            purpose: earlier.map { .resume($0.handler.value) } ?? .newSession
                        ) { stream in
                            if let opening = stream.opening { opened.withLockedValue { $0.append(opening) } }
                            Self.take(stream, origin, waiting)
                        }
                        made.withLockedValue { $0 = NIOLoopBound(session, eventLoop: channel.eventLoop) }
                        let handshake = WebSocketClientHandshake(
                            host: "edge.example",
                            target: "/api/tunnel/connect/\(tunnelID)",
                            fields: [("Authorization", "Bearer \(token)")]
                                + (asks && (earlier != nil || request != nil) ? [("Culvert-Resume", "1")] : [])
                        )
                        try channel.pipeline.syncOperations.addHandler(
                            WebSocketClientHandshakeHandler(handshake: handshake, promise: upgraded) { session }
                        )
                    }
                }
                .connect(host: address.host, port: address.port)
                .get()
        } catch {
            upgraded.fail(error)
            throw error
        }
        try await upgraded.futureResult.get()
        guard let handler = made.withLockedValue({ $0 }) else { throw ChannelError.ioOnClosedChannel }
        let connector = ScriptedConnector(channel: channel, handler: handler, opened: opened, waiting: waiting)
        while try await connector.phase() == .helloWait { try await Task.sleep(for: .milliseconds(1)) }
        return connector
    }

    private static func take(
        _ stream: StreamChannel,
        _ origin: Origin,
        _ waiting: NIOLockedValueBox<[NIOLoopBound<StreamChannel>]>
    ) {
        switch origin {
        case .rejects(let code): return stream.reject(code: code)
        case .answers(let text):
            try? stream.pipeline.syncOperations.addHandler(Responder(text: text, isHangingUp: false))
        case .hangsUp: try? stream.pipeline.syncOperations.addHandler(Responder(text: "", isHangingUp: true))
        case .silent: waiting.withLockedValue { $0.append(NIOLoopBound(stream, eventLoop: stream.eventLoop)) }
        case .says(let text):
            try? stream.pipeline.syncOperations.addHandler(EndingOrigin())
            stream.accept()
            return stream.writeAndFlush(ByteBuffer(string: text), promise: nil)
        case .deaf: try? stream.syncOptions?.setOption(.autoRead, value: false)
        }
        stream.accept()
    }

    /// What the edge's HELLO said.
    func edgeSettings() async throws -> SessionSettings? {
        try await self.handler.eventLoop.submit { [handler] in handler.value.peer }.get()
    }

    /// Whether the session is over.
    var isClosed: Bool { !self.channel.isActive }

    /// Answers the requests that a silent origin has kept waiting.
    func answer(_ text: String) async throws {
        for stream in self.waiting.withLockedValue({ $0 }) {
            try await stream.eventLoop.submit {
                stream.value.writeAndFlush(ByteBuffer(string: text), promise: nil)
            }.get()
        }
    }

    /// How many streams a silent origin keeps waiting.
    var waitingCount: Int { self.waiting.withLockedValue { $0.count } }

    /// Loses the connection, and does not wait for that.
    func close() { self.channel.close(promise: nil) }

    /// What the next HELLO would say, once the session has lost its connection.
    func resumeRequest() async throws -> ResumeRequest {
        while true {
            let request = try await self.handler.eventLoop.submit { [handler] in handler.value.core.resumeRequest }
                .get()
            if let request { return request }
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    /// What HELLO could say of the session, which has its connection still.
    func presentClaim() async throws -> ResumeRequest? {
        try await self.handler.eventLoop.submit { [handler] in
            let core = handler.value.core
            guard let id = core.peer?.sessionID, let key = core.peer?.resumeKey else { return nil }
            return ResumeRequest(sessionID: id, key: key, received: core.received.count)
        }.get()
    }

    /// Loses the connection.
    func drop() async throws { try await self.channel.close() }

    /// Begins a message that is longer than the edge allows.
    func breakLimit() async throws {
        try await self.handler.eventLoop.submit { [channel, handler] in
            // RFC 6455 §5.2: final, binary; masked, with a length of 64 bits; the mask.
            var header = ByteBuffer(bytes: [0x82, 0xff])
            header.writeInteger(UInt64(1 << 40))
            header.writeInteger(UInt32(0))
            // From where the session writes, so that it is not taken for bytes to frame.
            try channel.pipeline.syncOperations.context(handler: handler.value)
                .writeAndFlush(NIOAny(header), promise: nil)
        }.get()
    }

    private func phase() async throws -> SessionPhase {
        try await self.handler.eventLoop.submit { [handler] in handler.value.phase }.get()
    }
}

/// The origin's end of one connection.
private final class Responder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let text: String
    private let isHangingUp: Bool
    private var received = ""

    init(text: String, isHangingUp: Bool) {
        self.text = text
        self.isHangingUp = isHangingUp
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if self.isHangingUp { return context.close(mode: .output, promise: nil) }
        self.received += String(buffer: self.unwrapInboundIn(data))
        while let end = self.received.range(of: "\r\n\r\n") {
            self.received = String(self.received[end.upperBound...])
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: self.text)), promise: nil)
        }
    }
}

/// The origin's end of a connection that ends when the visitor has ended it.
private final class EndingOrigin: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(mode: .output, promise: nil) }
    }
}
