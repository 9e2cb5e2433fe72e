// SPDX-License-Identifier: Apache-2.0
import NIOCore

// NIO documents what these are.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension SessionHandler: ChannelInboundHandler {
    public typealias InboundIn = ByteBuffer
    public typealias OutboundOut = ByteBuffer

    public func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.sizeReads(of: context.channel)
        self.applyUnsentLimit()
        if context.channel.isActive { self.start() }
    }

    public func handlerRemoved(context: ChannelHandlerContext) {
        self.connectionEnded("the session's handler was removed")
        self.context = nil
    }

    public func channelActive(context: ChannelHandlerContext) {
        self.start()
        context.fireChannelActive()
    }

    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let now = NIODeadline.now()
        self.isReading = true
        self.core.receivedBytes(now: now)
        self.decoder.append(self.unwrapInboundIn(data))
        do {
            while let element = try self.decoder.next() { self.receive(element, now: now) }
        } catch {
            self.webSocketFailed(error)
        }
        self.dispatchEvents()
    }

    public func channelReadComplete(context: ChannelHandlerContext) {
        self.completeReads()
        self.core.compactUnread()
        self.isReading = false
        self.pump()
        context.fireChannelReadComplete()
    }

    public func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            self.unwritableSince = nil
            self.pump()
        } else {
            self.unwritableSince = .now()
        }
        context.fireChannelWritabilityChanged()
    }

    public func channelInactive(context: ChannelHandlerContext) {
        self.connectionEnded("the connection was closed")
        context.fireChannelInactive()
    }

    public func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.connectionEnded("\(error)")
        context.close(promise: nil)
    }

    public func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
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
