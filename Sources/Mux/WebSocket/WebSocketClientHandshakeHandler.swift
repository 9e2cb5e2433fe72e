// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Performs the client's opening handshake on a channel and then makes way for the handler that speaks over it.
///
/// Sits on the TCP or TLS channel. On success it puts the handler that `makeHandler` returns in its own place and gives
/// it the bytes that came with the answer; otherwise it fails the promise with ``WebSocketClientHandshake/Refusal`` or
/// ``WebSocketClientHandshake/Failure`` and closes the channel.
public final class WebSocketClientHandshakeHandler {
    private var handshake: WebSocketClientHandshake
    private var promise: EventLoopPromise<Void>?
    private let makeHandler: () -> any ChannelHandler
    private var isSent = false

    /// Makes a handler for one handshake.
    ///
    /// - Parameters:
    ///   - handshake: What to ask for.
    ///   - promise: Completed once, when the outcome is known.
    ///   - makeHandler: Makes the handler that takes over after the 101.
    public init(
        handshake: WebSocketClientHandshake,
        promise: EventLoopPromise<Void>,
        makeHandler: @escaping () -> any ChannelHandler
    ) {
        self.handshake = handshake
        self.promise = promise
        self.makeHandler = makeHandler
    }

    private func send(_ context: ChannelHandlerContext) {
        guard !self.isSent else { return }
        self.isSent = true
        context.writeAndFlush(self.wrapOutboundOut(self.handshake.request), promise: nil)
    }

    private func finish(_ outcome: WebSocketClientHandshake.Outcome, _ context: ChannelHandlerContext) {
        switch outcome {
        case .refused(let refusal): self.fail(refusal, context)
        case .upgraded(let leftover):
            let promise = self.promise.take()
            do {
                try context.pipeline.syncOperations.addHandler(self.makeHandler(), position: .after(self))
            } catch {
                promise?.fail(error)
                return context.close(promise: nil)
            }
            promise?.succeed()
            if leftover.readableBytes > 0 {
                context.fireChannelRead(self.wrapInboundOut(leftover))
                context.fireChannelReadComplete()
            }
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        }
    }

    private func fail(_ error: any Error, _ context: ChannelHandlerContext) {
        self.promise.take()?.fail(error)
        context.close(promise: nil)
    }
}

// NIO documents what these are.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension WebSocketClientHandshakeHandler: ChannelInboundHandler, RemovableChannelHandler {
    public typealias InboundIn = ByteBuffer
    public typealias InboundOut = ByteBuffer
    public typealias OutboundOut = ByteBuffer

    public func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { self.send(context) }
    }

    public func channelActive(context: ChannelHandlerContext) {
        self.send(context)
        context.fireChannelActive()
    }

    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard self.promise != nil else { return context.fireChannelRead(data) }
        do {
            if let outcome = try self.handshake.receive(self.unwrapInboundIn(data)) { self.finish(outcome, context) }
        } catch {
            self.fail(error, context)
        }
    }

    public func channelInactive(context: ChannelHandlerContext) {
        if self.promise != nil {
            do {
                self.finish(try self.handshake.receivedEnd(), context)
            } catch {
                self.fail(error, context)
            }
        }
        context.fireChannelInactive()
    }

    public func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard self.promise != nil else { return context.fireErrorCaught(error) }
        self.fail(error, context)
    }

    public func handlerRemoved(context: ChannelHandlerContext) {
        self.promise.take()?.fail(WebSocketClientHandshake.Failure.connectionClosed)
    }
}
