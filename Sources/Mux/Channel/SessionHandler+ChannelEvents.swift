// SPDX-License-Identifier: Apache-2.0
import NIOCore
import SystemErrors

// NIO documents what these are.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension SessionHandler: ChannelInboundHandler {
    public typealias InboundIn = ByteBuffer
    public typealias OutboundOut = ByteBuffer

    public func handlerAdded(context: ChannelHandlerContext) {
        self.enter(context)
        self.sizeReads(of: context.channel)
        self.transport.apply(self.unsentLimit)
        if context.channel.isActive { self.start() }
    }

    public func handlerRemoved(context: ChannelHandlerContext) {
        self.connectionEnded("the session's handler was removed", context)
    }

    public func channelActive(context: ChannelHandlerContext) {
        self.start()
        context.fireChannelActive()
    }

    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.arrival {
        case .carrying(let carrier): carrier.received(self.unwrapInboundIn(data))
        case .deciding:
            // The peer waits for HELLO before it says anything else.
            self.refuseHaste()
        case .settled, .resuming, .asking:
            guard self.isOwn(context) else { return }
            self.read(self.unwrapInboundIn(data))
        }
    }

    public func channelReadComplete(context: ChannelHandlerContext) {
        if case .carrying(let carrier) = self.arrival {
            self.isReading = false
            carrier.completedRead()
        } else if self.isOwn(context) {
            self.readCompleted()
        }
        context.fireChannelReadComplete()
    }

    public func channelWritabilityChanged(context: ChannelHandlerContext) {
        if case .carrying(let carrier) = self.arrival {
            carrier.writabilityChanged(context.channel.isWritable)
        } else if self.isOwn(context) {
            self.writabilityChanged(context.channel.isWritable)
        }
        context.fireChannelWritabilityChanged()
    }

    public func channelInactive(context: ChannelHandlerContext) {
        self.connectionEnded(TransportFault.closed, context)
        context.fireChannelInactive()
    }

    public func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.connectionEnded(TransportFault.words(error), context)
        context.close(promise: nil)
    }

    public func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    /// Whether the session's connection is the one that the handler is in the pipeline of.
    private func isOwn(_ context: ChannelHandlerContext) -> Bool { self.context === context }

    private func connectionEnded(_ reason: String, _ context: ChannelHandlerContext) {
        // An earlier connection, which the session has let go, ends unheard.
        guard self.isOwn(context) else { return }
        guard case .carrying(let carrier) = self.arrival else { return self.connectionEnded(reason) }
        self.transport = .none
        carrier.ended(reason)
    }

    /// Reads as much at once as bulk brings, and little while nothing does (docs/protocol.md §B.15): fewer messages lie
    /// across two reads, which would be copied.
    private func sizeReads(of channel: any Channel) {
        guard let options = channel.syncOptions else { return }
        let allocator = AdaptiveRecvByteBufferAllocator(minimum: 2_048, initial: 16_384, maximum: 262_144)
        try? options.setOption(.recvAllocator, value: allocator)
        try? options.setOption(.maxMessagesPerRead, value: 16)
    }
}
