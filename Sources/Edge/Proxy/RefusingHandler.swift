// SPDX-License-Identifier: Apache-2.0
import EdgeTunnels
import NIOCore

/// Answers a connection beyond the limit, whatever it asks.
///
/// What comes is dropped until the visitor closes, for a moment: a close with bytes unread would be a reset, which can
/// take the answer with it (RFC 9112 §9.6).
package final class RefusingHandler: ChannelInboundHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    /// How many connections are answered so at a time.
    package static let maximumCount = 256

    private let status: Int

    /// - Parameter status: The status of the answer.
    package init(status: Int) {
        self.status = status
    }

    package func channelActive(context: ChannelHandlerContext) {
        let page = ErrorPage(error: .tooManyConnections, status: self.status, requestID: RequestID(), retryAfter: 1)
        let response = page.response(isHTML: false, isHead: false, isClosing: true)
        context.writeAndFlush(self.wrapOutboundOut(response)).assumeIsolated().whenComplete { _ in
            context.close(mode: .output, promise: nil)
        }
        context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { context.close(promise: nil) }
        context.read()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    package func channelReadComplete(context: ChannelHandlerContext) {
        context.read()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(promise: nil) }
    }
}
