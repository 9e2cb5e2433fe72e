// SPDX-License-Identifier: Apache-2.0

import NIOCore
import SystemErrors

/// Performs the CONNECT exchange with a proxy, and then removes itself from the pipeline.
///
/// It is the only handler of the TCP channel. It completes the promise on the event loop before it passes on any byte
/// of the edge, so that the promise's callbacks can add the handlers that read those bytes.
package final class ProxyConnectHandler {
    private var connect: ProxyConnect
    private var promise: EventLoopPromise<Void>?
    private let limit: TimeAmount
    private var timeout: Scheduled<Void>?

    /// Makes a handler for one connection.
    ///
    /// - Parameters:
    ///   - connect: What to ask for.
    ///   - limit: How long the proxy may take.
    ///   - promise: Fails with ``ProxyFailure``.
    package init(_ connect: ProxyConnect, limit: TimeAmount, promise: EventLoopPromise<Void>) {
        self.connect = connect
        self.limit = limit
        self.promise = promise
    }

    private func fail(_ failure: ProxyFailure, _ context: ChannelHandlerContext) {
        self.timeout?.cancel()
        self.promise.take()?.fail(failure)
        context.close(promise: nil)
    }
}

extension ProxyConnectHandler: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    package func handlerAdded(context: ChannelHandlerContext) {
        self.timeout = context.eventLoop.assumeIsolated().scheduleTask(in: self.limit) {
            self.fail(.timedOut, context)
        }
        context.writeAndFlush(self.wrapOutboundOut(self.connect.request), promise: nil)
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard self.promise != nil else { return context.fireChannelRead(data) }
        switch self.connect.receive(self.unwrapInboundIn(data)) {
        case nil: return
        case .failed(let failure): self.fail(failure, context)
        case .connected(let leftover):
            self.timeout?.cancel()
            self.promise.take()?.succeed()
            if leftover.readableBytes > 0 {
                context.fireChannelRead(self.wrapInboundOut(leftover))
                context.fireChannelReadComplete()
            }
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        self.fail(.unreachable("it closed the connection without an answer"), context)
        context.fireChannelInactive()
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard self.promise != nil else { return context.fireErrorCaught(error) }
        self.fail(.unreachable(TransportFault.words(error)), context)
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        self.timeout?.cancel()
        self.promise.take()?.fail(ProxyFailure.unreachable("it closed the connection without an answer"))
    }
}
