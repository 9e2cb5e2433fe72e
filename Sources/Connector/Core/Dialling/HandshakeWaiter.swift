// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOTLS

/// Completes a promise when the TLS handshake has succeeded or failed.
package final class HandshakeWaiter: ChannelInboundHandler {
    package typealias InboundIn = ByteBuffer

    private let promise: EventLoopPromise<Void>

    /// - Parameter promise: Completed with the handshake.
    package init(promise: EventLoopPromise<Void>) {
        self.promise = promise
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted = event as? TLSUserEvent { self.promise.succeed() }
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.promise.fail(error)
        context.close(promise: nil)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        self.promise.fail(ChannelError.eof)
    }
}
