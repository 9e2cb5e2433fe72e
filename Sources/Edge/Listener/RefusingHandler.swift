// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Answers a connection beyond the limit without reading a byte of it.
final class RefusingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let status: Int

    init(status: Int) {
        self.status = status
    }

    func channelActive(context: ChannelHandlerContext) {
        let page = ErrorPage(error: .tooManyConnections, status: self.status, requestID: RequestID(), retryAfter: 1)
        let response = page.response(isHTML: false, isHead: false, isClosing: true)
        context.writeAndFlush(self.wrapOutboundOut(response)).assumeIsolated().whenComplete { _ in
            context.close(promise: nil)
        }
    }
}
