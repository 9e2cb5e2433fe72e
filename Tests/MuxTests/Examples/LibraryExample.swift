// SPDX-License-Identifier: Apache-2.0
import Mux
import NIOCore
import NIOPosix
import Protocol

/// Listens, and answers every stream of every session with what it was sent, in capitals.
func startShouting(on group: any EventLoopGroup) async throws -> any Channel {
    try await ServerBootstrap(group: group)
        .childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                var configuration = SessionConfiguration(role: .edge)
                configuration.settings.maximumStreams = 100
                let session = SessionHandler(configuration: configuration) { stream in
                    do {
                        try stream.pipeline.syncOperations.addHandler(Shouter())
                        stream.accept()
                    } catch {
                        stream.reject(code: .internalError, reason: "\(error)")
                    }
                }
                try channel.pipeline.syncOperations.addHandler(session)
            }
        }
        .bind(host: "127.0.0.1", port: 0).get()
}

/// Connects, opens one stream, sends a question and gives the answer.
func ask(_ question: String, at address: SocketAddress, on group: any EventLoopGroup) async throws -> String {
    let loop = group.next()
    let answer = loop.makePromise(of: String.self)
    let channel = try await ClientBootstrap(group: loop)
        .channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let asker = Asker(question: question, answer: answer)
                // A session holds its delegate weakly.
                channel.closeFuture.whenComplete { _ in withExtendedLifetime(asker) {} }
                let configuration = SessionConfiguration(role: .connector)
                try channel.pipeline.syncOperations.addHandler(
                    SessionHandler(configuration: configuration, delegate: asker)
                )
            }
        }
        .connect(to: address).get()
    let text = try await answer.futureResult.get()
    try await channel.close()
    return text
}

/// Opens a stream as soon as the peer has said HELLO.
final class Asker: SessionDelegate, Sendable {
    private let question: String
    private let answer: EventLoopPromise<String>

    init(question: String, answer: EventLoopPromise<String>) {
        self.question = question
        self.answer = answer
    }

    func sessionDidBecomeActive(_ session: SessionHandler, peer: SessionSettings) {
        do {
            let stream = try session.openStream(kind: .tcp, metadata: OpenMetadata(target: "shout")) { stream in
                try stream.pipeline.syncOperations.addHandler(Listener(answer: self.answer))
            }
            // Rides with OPEN: no round trip is spent waiting for the other side to accept.
            stream.writeAndFlush(ByteBuffer(string: self.question), promise: nil)
            stream.close(mode: .output, promise: nil)
        } catch {
            self.answer.fail(error)
        }
    }

    func sessionPeerIsDraining(
        _ session: SessionHandler,
        code: ErrorCode,
        gracePeriod: TimeAmount,
        reconnectAfter: TimeAmount
    ) {
        // A program that goes on would connect elsewhere now; the streams that run may finish.
    }

    func sessionDidEnd(_ session: SessionHandler, end: SessionEnd) {
        self.answer.fail(end)
    }
}

/// Sends back in capitals what comes, and finishes when the other side has.
final class Shouter: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let text = String(buffer: self.unwrapInboundIn(data)).uppercased()
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(mode: .output, promise: nil) }
    }
}

/// Gathers what comes until the other side has finished.
final class Listener: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let answer: EventLoopPromise<String>
    private var text = ""

    init(answer: EventLoopPromise<String>) {
        self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.text += String(buffer: self.unwrapInboundIn(data))
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { self.answer.succeed(self.text) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.answer.fail(error)
    }
}

/// Says what a message of the protocol holds, and what is wrong with it.
func describe(_ message: ByteBuffer) -> [String] {
    var lines: [String] = []
    var decoder = FrameDecoder(message: message)
    do {
        while let frame = try decoder.next() {
            switch frame {
            case .open(let stream, let open):
                let target = (try? open.metadata.get().target) ?? "?"
                lines.append("stream \(stream) is opened to \(target)")
            case .data(let stream, let payload, let isLast):
                lines.append("\(payload.readableBytes) bytes on stream \(stream)\(isLast ? ", the last" : "")")
            case .reset(let stream, let code, let reason):
                lines.append("stream \(stream) is reset: \(code) \(reason)")
            default:
                lines.append("something else")
            }
        }
    } catch {
        lines.append("the session ends: \(error)")
    }
    return lines
}
