// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Hears what a local server says first on a connection, and leaves it then.
final class FirstWords: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private var heard: ((ByteBuffer?) -> Void)?

    /// - Parameter heard: Called once with the first bytes; with `nil` if the server finishes or resets the connection
    ///   without any. Not called where this side closes it.
    init(_ heard: @escaping (ByteBuffer?) -> Void) {
        self.heard = heard
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.heard.take()?(self.unwrapInboundIn(data))
        context.fireChannelRead(data)
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { self.heard.take()?(nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.heard.take()?(nil)
        context.fireErrorCaught(error)
    }
}
