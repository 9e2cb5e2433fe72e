// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Sends back what comes; finishes when the other side has.
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

/// Sends as long as the channel takes it, up to a number of bytes, then finishes.
final class SourceHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let chunk = ByteBuffer(repeating: 0x5A, count: 64 << 10)
    private var left: Int

    init(bytes: Int) {
        self.left = bytes
    }

    func channelActive(context: ChannelHandlerContext) {
        self.fill(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.fill(context)
    }

    private func fill(_ context: ChannelHandlerContext) {
        while self.left > 0, context.channel.isWritable {
            let count = min(self.left, Self.chunk.readableBytes)
            guard let part = Self.chunk.getSlice(at: 0, length: count) else { return }
            self.left -= count
            context.write(NIOAny(part), promise: nil)
            if self.left == 0 {
                context.flush()
                return context.close(mode: .output, promise: nil)
            }
        }
        context.flush()
    }
}

/// Counts what comes; completes a promise at the end.
final class SinkHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private(set) var received = 0
    private var promise: EventLoopPromise<Int>?

    init(promise: EventLoopPromise<Int>?) {
        self.promise = promise
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.received += self.unwrapInboundIn(data).readableBytes
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            self.promise.take()?.succeed(self.received)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.promise.take()?.succeed(self.received)
    }
}

/// Sends a request whenever the answer to the one before is complete.
final class RequestHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let request: ByteBuffer
    private let answerLength: Int
    private let answered: (ChannelHandlerContext, NIODeadline) -> Bool
    private var received = 0
    private var sent = NIODeadline.now()

    /// - Parameter answered: Called at each answer with the time of its request; whether to send another.
    init(
        request: ByteBuffer,
        answerLength: Int,
        answered: @escaping (ChannelHandlerContext, NIODeadline) -> Bool
    ) {
        self.request = request
        self.answerLength = answerLength
        self.answered = answered
    }

    func channelActive(context: ChannelHandlerContext) {
        self.send(context)
    }

    private func send(_ context: ChannelHandlerContext) {
        self.sent = .now()
        context.writeAndFlush(NIOAny(self.request), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.received += self.unwrapInboundIn(data).readableBytes
        guard self.received >= self.answerLength else { return }
        self.received -= self.answerLength
        if self.answered(context, self.sent) { self.send(context) }
    }
}

/// Answers each request of a fixed length with an answer of a fixed length.
final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let requestLength: Int
    private let answer: ByteBuffer
    private var received = 0

    init(requestLength: Int, answerLength: Int) {
        self.requestLength = requestLength
        self.answer = ByteBuffer(repeating: 0x61, count: answerLength)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.received += self.unwrapInboundIn(data).readableBytes
        while self.received >= self.requestLength {
            self.received -= self.requestLength
            context.write(NIOAny(self.answer), promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
    }
}
