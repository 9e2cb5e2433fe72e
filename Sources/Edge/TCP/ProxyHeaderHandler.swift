// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import NIOCore

/// Stands at the head of a connection's pipeline until its header of the PROXY protocol is read, or found to be missing.
///
/// Of a peer that is believed the header is demanded, and nothing else passes before it: the protocol forbids to guess
/// (§5). Of anybody else everything passes, but for a header: it would make an origin believe what nobody has checked.
package final class ProxyHeaderHandler: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer

    /// Told once, on the channel's event loop, when the header was read; handlers may be added behind this one then.
    package typealias Completion = (Result<ProxyHeader?, ProxyHeaderFault>) -> Void

    private let isTrusted: Bool
    private let timeout: TimeAmount
    private var completion: Completion?
    private var buffer = ByteBuffer()
    private var timer: Scheduled<Void>?

    /// Makes the handler of one connection.
    ///
    /// - Parameters:
    ///   - isTrusted: Whether the peer is believed, and has to send a header.
    ///   - timeout: How long the header may take.
    ///   - completion: Told what came; of a peer that is not believed only of a header that it sent.
    package init(isTrusted: Bool, timeout: TimeAmount, completion: @escaping Completion) {
        self.isTrusted = isTrusted
        self.timeout = timeout
        self.completion = completion
    }

    package func handlerAdded(context: ChannelHandlerContext) {
        guard self.isTrusted else { return }
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(in: self.timeout) { self.fail(.missing) }
        if context.channel.isActive { context.read() }
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.completion = nil
    }

    package func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        if self.isTrusted { context.read() }
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard self.completion != nil else { return }
        guard self.isTrusted else { return self.look(at: data, context) }
        self.buffer.writeImmutableBuffer(self.unwrapInboundIn(data))
        do throws(ProxyHeaderFault) {
            guard case .complete(let header) = try ProxyHeader.read(from: &self.buffer) else { return }
            self.timer?.cancel()
            self.completion.take()?(.success(header))
            let rest = self.buffer
            if rest.readableBytes > 0 { context.fireChannelRead(self.wrapInboundOut(rest)) }
            context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        } catch {
            self.fail(error)
        }
    }

    /// Lets bytes of somebody who is not believed pass, as long as they are no header.
    private func look(at data: NIOAny, _ context: ChannelHandlerContext) {
        var bytes = self.unwrapInboundIn(data)
        // Only so much is looked at; who dribbles a header has its beginning passed on, and never the whole.
        self.buffer.writeBytes(bytes.readableBytesView.prefix(ProxyHeader.signature.count))
        switch ProxySignature.match(self.buffer.readableBytesView) {
        case .partly: context.fireChannelRead(data)
        case .none:
            context.fireChannelRead(data)
            context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        case .line, .binary:
            bytes.clear()
            self.fail(.untrusted)
        }
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        if self.isTrusted, self.completion != nil { context.read() }
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if self.isTrusted, event as? ChannelEvent == .inputClosed {
            return self.fail(self.buffer.readableBytes > 0 ? .missing : .silent)
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func fail(_ fault: ProxyHeaderFault) {
        self.timer?.cancel()
        self.completion.take()?(.failure(fault))
    }
}
