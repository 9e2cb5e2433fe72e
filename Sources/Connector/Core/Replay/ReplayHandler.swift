// SPDX-License-Identifier: Apache-2.0

import Inspection
import NIOCore
import NIOSSL
import NIOTLS

/// Sends one request to the local server, and reads the response to its end, as the capture sees it.
///
/// Belongs to the event loop of its channel.
final class ReplayHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let request: ByteBuffer
    private let usesTLS: Bool
    private let exchange: ExchangeCapture
    private var capture: HTTPCapture
    private var timeout: Scheduled<Void>?
    private var isSent = false

    /// How long the local server may take for the head of its response.
    static let timeLimit = TimeAmount.seconds(30)

    init(request: ByteBuffer, usesTLS: Bool, exchange: ExchangeCapture, recorder: ExchangeRecorder) {
        self.request = request
        self.usesTLS = usesTLS
        self.exchange = exchange
        self.capture = HTTPCapture(CaptureListeners(recorder: recorder))
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if !self.usesTLS, context.channel.isActive { self.send(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        if !self.usesTLS { self.send(context) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case TLSUserEvent.handshakeCompleted:
            self.send(context)
        case ChannelEvent.inputClosed:
            self.capture.responsesFinished(now: .now())
            self.end(.localClosed, context)
        default:
            break
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.capture.responseBytes(self.unwrapInboundIn(data), now: .now())
        let state = self.exchange.snapshot().state
        if state.responseHead != nil { self.timeout?.cancel() }
        if state.ending != .open || state.fault != nil { self.end(.localClosed, context) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.end(.localClosed, context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.end(.localFailed, context)
    }

    private func send(_ context: ChannelHandlerContext) {
        guard !self.isSent else { return }
        self.isSent = true
        self.capture.requestBytes(self.request, now: .now())
        context.writeAndFlush(self.wrapOutboundOut(self.request), promise: nil)
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        let handler = NIOLoopBound(self, eventLoop: context.value.eventLoop)
        self.timeout = context.value.eventLoop.scheduleTask(in: Self.timeLimit) {
            handler.value.exchange.ended(
                .failed(
                    "The local server did not answer within \(Self.timeLimit.nanoseconds / 1_000_000_000) seconds."
                ),
                at: .now()
            )
            handler.value.end(.localFailed, context.value)
        }
    }

    private func end(_ ending: PipeEnding, _ context: ChannelHandlerContext) {
        self.timeout?.cancel()
        self.capture.closed(ending, now: .now())
        context.close(promise: nil)
        // The TLS handler has sent close_notify, and would wait five seconds for that of a server which just closes.
        if let tls = try? context.pipeline.syncOperations.context(handlerType: NIOSSLClientHandler.self) {
            tls.close(mode: .all, promise: nil)
        }
    }
}
