// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Keeps what a local connection brings before there is a stream that takes it.
///
/// With automatic reading off nothing is read, but for one case: NIO reads a channel whose peer has ended its side to its
/// end at once, and tells that end. What the system held for the channel bounds what is kept.
final class EarlyInput: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private var parts: [ByteBuffer] = []
    private var hasEnded = false
    private var isReleased = false

    /// Passes on what was kept, in the order in which it came; from now on everything passes.
    ///
    /// - Parameter channel: The channel of the handler, on whose event loop this is called.
    static func release(of channel: any Channel) throws {
        let context = try channel.pipeline.syncOperations.context(handlerType: Self.self)
        guard let handler = context.handler as? Self, !handler.isReleased else { return }
        handler.isReleased = true
        for part in handler.parts { context.fireChannelRead(handler.wrapInboundOut(part)) }
        if !handler.parts.isEmpty { context.fireChannelReadComplete() }
        handler.parts = []
        if handler.hasEnded { context.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.isReleased else { return context.fireChannelRead(data) }
        self.parts.append(self.unwrapInboundIn(data))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if self.isReleased { context.fireChannelReadComplete() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if !self.isReleased, event as? ChannelEvent == .inputClosed {
            self.hasEnded = true
            return
        }
        context.fireUserInboundEventTriggered(event)
    }
}
