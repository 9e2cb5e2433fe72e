// SPDX-License-Identifier: Apache-2.0
import EdgeTunnels
import NIOCore

/// Answers a connection that gets nothing else, whatever it asks.
///
/// What comes is dropped until the visitor closes, for a moment: a close with bytes unread would be a reset, which can
/// take the answer with it (RFC 9112 §9.6).
package final class RefusingHandler: ChannelInboundHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    /// How many connections beyond the limit are answered so at a time.
    package static let maximumCount = 256

    private let page: ErrorPage
    private let isHTML: Bool
    private let isHead: Bool

    /// Refuses a connection beyond the limit.
    ///
    /// - Parameter status: The status of the answer.
    package init(status: Int) {
        self.page = ErrorPage(error: .tooManyConnections, status: status, requestID: RequestID(), retryAfter: 1)
        self.isHTML = false
        self.isHead = false
    }

    /// Refuses a request whose first bytes came without TLS.
    init(plain request: ByteBuffer, status: Int) {
        self.page = ErrorPage(error: .tlsRequired, status: status, requestID: RequestID())
        self.isHTML = ErrorPage.prefersHTML(unfinishedHead: request)
        self.isHead = request.readableBytesView.starts(with: "HEAD ".utf8)
    }

    package func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { self.answer(context) }
    }

    package func channelActive(context: ChannelHandlerContext) {
        self.answer(context)
    }

    private func answer(_ context: ChannelHandlerContext) {
        let response = self.page.response(isHTML: self.isHTML, isHead: self.isHead, isClosing: true)
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
